"""What happens, as it happens: sinks of events."""
