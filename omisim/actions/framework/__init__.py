"""The framework that turns a function into an API action: registration, request schema, call, paging."""
