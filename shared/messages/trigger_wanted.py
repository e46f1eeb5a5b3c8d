"""`trigger.wanted`: an image that may have to be scanned, by digest, so that all registries' sightings meet."""

from typing import Annotated

from pydantic import StringConstraints

from shared.messages.model import Message, Moment
from shared.messages.scan_triggers import ScanTrigger, platform_name, trigger_id


class TriggerWanted(Message):
    """An image was seen, or a person asked for its scan.

    seen_at: when.  asked: random, of a person's request; empty where an event led here.
    """

    trigger: ScanTrigger
    seen_at: Moment
    asked: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{0,32}$")] = ""

    @property
    def key(self) -> bytes:
        """The record's key: the digest."""
        return self.trigger.digest.encode()

    @property
    def entry(self) -> bytes:
        """Under what the table of those triggered keeps it."""
        return f"{self.trigger.digest} {platform_name(self.trigger.platform)}".encode()

    @property
    def id(self) -> str:
        """The id of the trigger it leads to."""
        return trigger_id(self.trigger.digest, self.trigger.platform, self.asked)
