"""`delivery.requested`: a trigger on its way to one receiver beside the topic. Replaying one delivers it again."""

from typing import Annotated

from pydantic import StringConstraints

from shared.messages.model import Message, Moment
from shared.messages.scan_triggers import ScanTrigger


class DeliveryRequested(Message):
    """A trigger to be handed to one receiver.

    receiver: its name, as the settings give it.  id: of the trigger.  at: when the image was seen.
    """

    receiver: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    id: str
    at: Moment
    trigger: ScanTrigger
