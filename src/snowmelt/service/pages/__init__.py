"""Answers that fill a page: each is read from one snapshot."""
