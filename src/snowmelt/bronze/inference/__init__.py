"""From sample files to a pipe: what every value of them shows, and nothing more."""
