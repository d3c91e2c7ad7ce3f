"""The HTTP/1.1 server: connections, parser, exchanges, bodies on the socket."""
