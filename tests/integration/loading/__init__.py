"""The loading stages on a real broker, against a real registry."""
