"""Small modules that every other package may import: clocks, host names, suggestions, subset matching."""
