"""Connections to registries: the model, its compacted-topic store, secrets."""
