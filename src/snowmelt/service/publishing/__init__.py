"""Publishing gold into other places: when, how it went, and what is tried again."""
