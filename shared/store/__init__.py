"""The ClickHouse store: rows in, state out; embedded or a server, one code."""

from shared.store.errors import NotReadOnly, StoreError, StoreUnavailable
from shared.store.state import RepositoryState
from shared.store.store import Store

__all__ = ["NotReadOnly", "RepositoryState", "Store", "StoreError", "StoreUnavailable"]
