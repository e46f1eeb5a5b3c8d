"""The catalog lister.

Consumes `scan.requested`, keyed by registry.
Does: reads the registry's catalog page by page, and keeps at most W of its repositories unfinished.
Produces `repository.found`, keyed by registry and repository; `scan.progressed` and, where a long catalog goes on,
`scan.requested`, both keyed by registry.
"""
