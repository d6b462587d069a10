"""The AWS side of a target: what a project needs there, and how it comes to be."""
