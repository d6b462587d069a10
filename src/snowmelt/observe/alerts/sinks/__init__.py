"""Where alerts go: one module each, with the keys of it and how a message is sent."""
