"""Dashboards: their queries, what is chosen on them, and what they show."""
