"""Registry V2 as Distribution serves it: catalog, tags, manifests, a token service."""
