"""The implementation of the pytest plugin, which `omisim.plugin` imports on first use."""
