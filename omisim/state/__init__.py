"""The tables of a cloud, and the operations that read, write, undo, fork and save them."""
