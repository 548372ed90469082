"""Protocol doors: each turns an HTTP request into engine calls and returns an HTTP response, without I/O."""
