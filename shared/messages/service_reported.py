"""`service.reported`: each process tells every few seconds that it runs, and which secret keys it knows."""

from shared.messages.model import Message, Moment


class ServiceReported(Message):
    """One process.

    process: random, its own.  service: what it runs, as "manifester".  keys: fingerprints, the one that encrypts first.
    stopped: its last word.
    """

    process: str
    service: str
    keys: tuple[str, ...]
    started_at: Moment
    stopped: bool = False
