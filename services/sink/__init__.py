"""The deduplicating sink.

Consumes: `images.observed`, `scan.progressed`.
Does: decides each listing once, whole; writes state, history and outbox to the store; ends scans.
Produces: `image.events`, `scan.progressed` and, for repositories missing from a catalog, `images.observed`.
Keyed by: registry id / repository, and registry id; one transactional producer per input partition.
"""
