"""The HTTP/1.1 server: parser, connections, requests and their answers, bodies on the socket."""
