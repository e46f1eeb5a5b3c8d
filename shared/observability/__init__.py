"""Logs: constant messages in "thing happened" form, data as fields."""
