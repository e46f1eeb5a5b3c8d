"""The deduplicating sink.

Consumes `images.observed` and `scan.progressed`, both keyed by registry; decides each listing once, whole; ends scans.
Produces `image.events`, `scan.progressed` and, for repositories missing from a catalog, `images.observed`.
Writes state, history and outbox to the store. One transactional producer per input partition.
"""
