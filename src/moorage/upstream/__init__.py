"""What is fetched from other servers. Whoever names the server may want to lead us to another one: see `addresses`."""
