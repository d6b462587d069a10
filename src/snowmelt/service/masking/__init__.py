"""What viewers do not see: which columns are about persons, and masks over them."""
