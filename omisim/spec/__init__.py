"""The law as data: errors, rules, limits, lifecycles, the catalogue, prices."""
