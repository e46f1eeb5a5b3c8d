"""OCI names and shapes: digest, platform, media types, manifest and config parsing. No I/O."""
