"""The console: REST API and web pages.

Consumes nothing; follows `connection.changed`, and reads the store.
Does: connects registries, tests connections, asks for scans and cancels them, shows the inventory.
Produces `connection.changed`, `scan.requested` and, where a scan is cancelled, `scan.progressed`, keyed by registry.

application  the ASGI application: routes, doors, static files
registries   what can be done with connections and scans, whoever asks
doors/       who may: host, origin, password, session, tokens
api/         /api/v1
inventory/   the questions to the store
pages/       the web pages
"""
