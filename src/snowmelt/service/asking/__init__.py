"""Queries of people who look at pages: what they may ask, and where it runs."""
