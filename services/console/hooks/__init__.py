"""Webhooks in: a registry says that something was pushed or deleted. A hint, never the truth: it leads to a read."""
