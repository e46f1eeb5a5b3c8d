"""The manifest fetcher.

Consumes `tags.found`, keyed by registry and repository.
Does: finds the digest of each tag of the page, and the facts of each digest that the store does not know: kind,
platform, size, the members of an index.
Produces `images.observed`, one for each page and keyed likewise; `scan.progressed`, keyed by registry, for
repositories it leaves out.
"""
