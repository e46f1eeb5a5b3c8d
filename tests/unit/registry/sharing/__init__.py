"""How processes share a registry's budget."""
