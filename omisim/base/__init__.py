"""Small parts that every other package may import: the clock, host names, suggestions."""
