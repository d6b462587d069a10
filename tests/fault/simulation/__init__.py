"""A simulated world for the real service: every edge of it is drawn from a seed."""
