"""A company of five million customers: a template at full size, as whole programs."""
