"""`omisim probe`: the command line of the package `omisim.probe`."""
