"""The HTTP/1.1 server: parser, connections, requests in line, bodies on the socket."""
