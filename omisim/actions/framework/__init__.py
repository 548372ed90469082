"""What turns a function into an action: registration, request schema, the call, paging."""
