"""Moving a project that ran here to where it is deployed: rows, history, and proof."""
