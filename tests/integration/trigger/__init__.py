"""The trigger service on a real broker."""
