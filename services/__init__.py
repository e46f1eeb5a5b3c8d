"""The stages, each an independent Kafka consumer. They never import each other.

What several of them need and no adapter alone can give lies beside them: `access` (a registry as of a message),
`readings` (tags in numbered pages), `units` (reports of what goes no further), `opening` (a service's start).
"""
