"""Which file goes where, when, and what became of it."""
