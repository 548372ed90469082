"""Command-line tools: demo, serve, check, replay, scenarios."""
