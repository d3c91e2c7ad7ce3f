"""Settings, addressing, the composition root and the HTTP server."""
