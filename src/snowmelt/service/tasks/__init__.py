"""Running tasks: a scheduler that the loop turns, and what each kind of task does."""
