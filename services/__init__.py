"""The stages, each an independent Kafka consumer. They never import each other."""
