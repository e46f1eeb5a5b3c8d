"""The tag lister.

Consumes `repository.found`, keyed by registry and repository.
Does: reads the repository's tags, and cuts the reading into pages of at most 100 tags, of which one is the last.
Produces `tags.found` and, where a long list goes on, `repository.found`, both keyed likewise; `scan.progressed`,
keyed by registry, for repositories it leaves out.
"""
