"""Where tables live: the port, and one package for each backend."""
