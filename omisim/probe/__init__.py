"""The probe: experiments, as data, that measure whether an endpoint behaves as the model of omisim.

It judges the rest of omisim, so it imports only `base`, `model`, `spec` and `formats`, and speaks HTTP by the standard
library.
"""
