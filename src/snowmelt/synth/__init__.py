"""Believable data, clean or dirty, at any size."""
