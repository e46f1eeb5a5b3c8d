"""A backup: a folder with what Kafka and the store hold for good, packed, and a list of it that proves it whole."""
