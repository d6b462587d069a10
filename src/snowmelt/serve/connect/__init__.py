"""Files and words that lead the tools of others to gold; none has a password."""
