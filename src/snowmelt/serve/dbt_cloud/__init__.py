"""Errands in the shape of dbt Cloud's jobs, for operators that people have already."""
