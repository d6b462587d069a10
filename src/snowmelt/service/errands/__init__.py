"""What programs ask the service to do: on record, one at a time each, to its end."""
