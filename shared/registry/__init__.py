"""The registry client: auth, pagination, retry and budget each a file of its own."""
