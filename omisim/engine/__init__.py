"""One call from its parameters to its result, whatever the door: dispatch, scheduler, faults, call log."""
