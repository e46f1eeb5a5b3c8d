"""The bundled sample registry: what `make run` loads when no registry is named.

A Registry V2 server on loopback with the images of a shop that never was, made anew, and alike, at each start.
"""

from tallyman.sample.server import sample_registry

__all__ = ["sample_registry"]
