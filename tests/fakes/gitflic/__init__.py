"""GitFlic's container registry: Registry V2 with names of its own."""
