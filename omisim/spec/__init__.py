"""The rules of the model as data: errors, rules, limits, lifecycles, the catalogue, prices."""
