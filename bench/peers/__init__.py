"""Other loaders, in an environment of their own."""
