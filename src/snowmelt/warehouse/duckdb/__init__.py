"""The embedded backend: the one door to the duckdb driver."""
