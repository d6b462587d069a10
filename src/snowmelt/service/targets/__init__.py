"""A target seen from here: its history in a file like that of the warehouse, and the
same commands, pages and alerts over it."""
