"""Rows as they came, once."""
