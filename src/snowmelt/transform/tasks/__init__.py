"""Tasks of a project: what `tasks:` says, and when each of them runs."""
