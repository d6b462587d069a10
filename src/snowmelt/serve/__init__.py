"""Windows and doors: what can be asked, and the socket it is asked through."""
