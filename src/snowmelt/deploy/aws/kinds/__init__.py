"""One module for each kind of thing on AWS: how it is found, settled and dropped."""
