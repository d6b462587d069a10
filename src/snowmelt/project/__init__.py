"""A directory somebody owns: its settings, its pipes, its dbt project."""
