"""Snowmelt in Dagster: assets of pipes and gold, a sensor of what a service did."""
