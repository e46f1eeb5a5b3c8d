"""The catalog lister.

Consumes `scan.requested`, keyed by registry.
Does: reads the registry's catalog page by page, and keeps at most W of its repositories unfinished.
Produces `repository.found`, or `tags.found` where the product tells tags with the repositories, both keyed by registry
and repository; `scan.progressed` and, where a long catalog goes on, `scan.requested`, both keyed by registry.
"""
