"""Runs of a project on a target: dbt builds there, and is watched from here."""
