"""The stages, each an independent Kafka consumer. They never import each other.

What several of them need and no adapter alone can give lies beside them: `access` (a registry as of a message),
`readings` (tags in numbered pages), `scope` (what a connection's filters leave in), `units` (reports of what goes no
further), `opening` (a service's start).
"""
