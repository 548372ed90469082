"""What the pytest plugin does once it is used. `omisim.plugin` itself imports nothing but pytest."""
