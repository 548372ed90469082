"""Execution of calls, independent of the protocol: dispatch, scheduler, faults and call log."""
