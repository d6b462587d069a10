"""What is measured on a real project, with a real service that owns it."""
