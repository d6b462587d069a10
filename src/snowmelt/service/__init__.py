"""The loop, and what can be asked of it: the packages that know the whole flow."""
