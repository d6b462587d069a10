"""What the histories advise: what costs runs their time, and what to change."""
