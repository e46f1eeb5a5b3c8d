"""Where the connections lie."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ConnectionsTopic:
    """The topic of connections and how to reach it.

    options: keyword arguments of every aiokafka client (servers, TLS, SASL); kept out of repr, they hold a password.
    name: the topic's full name; it has one partition.
    transactional_id: the one id of all its writers; taking it fences whoever wrote before.
    turn: its writers of one process go one after another; those of several fence each other.
    """

    options: Mapping[str, Any] = field(repr=False)
    name: str
    transactional_id: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False, compare=False)
