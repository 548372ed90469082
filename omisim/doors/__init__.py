"""The wires: bytes in, bytes out, without I/O."""
