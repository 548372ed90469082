"""The implementation of the pytest plugin: its fixtures and its guard, and what they import on first use."""
