"""The manifester's rules, and its handler over registries held in memory."""
