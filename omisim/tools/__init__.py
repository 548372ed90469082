"""The command line, and what `Cloud.from_scenario`, `omisim.replay` and `omisim.teach` share with it."""
