"""Where a figure comes from, and what a file became."""
