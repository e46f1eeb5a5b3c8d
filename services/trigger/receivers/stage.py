"""The deliverer: hands triggers to their receivers, as a stage of the worker loop.

Consumes `delivery.requested`.
Does: posts each to its receiver; what may work later is tried again, what cannot is dead-lettered. A receiver that is
away holds up no other.
Produces nothing.
Keyed by digest.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Final, Protocol

from shared.errors import PermanentError
from shared.messages.delivery_requested import DeliveryRequested
from shared.messages.model import Message
from shared.messages.topics import DELIVERY_REQUESTED
from shared.pipeline.stage import Stage

NAME: Final = "deliverer"


class Receiver(Protocol):
    """Who is handed triggers."""

    @property
    def name(self) -> str: ...
    async def hand(self, delivery: DeliveryRequested) -> None: ...


def deliverer_stage(receivers: Iterable[Receiver]) -> Stage[DeliveryRequested]:
    """Return the stage that hands deliveries to these."""
    by_name = {receiver.name: receiver for receiver in receivers}

    async def handle(delivery: DeliveryRequested) -> AsyncIterator[Message]:
        receiver = by_name.get(delivery.receiver)
        if receiver is None:
            raise PermanentError(
                f"Nobody is set who is called {delivery.receiver}: TALLYMAN_WEBHOOKS or TALLYMAN_SCANNER has changed.",
                reason="receiver_unknown",
            )
        await receiver.hand(delivery)
        return
        yield  # an async iterator of nothing

    return Stage(
        name=NAME,
        source=DELIVERY_REQUESTED,
        handle=handle,
        give_up=lambda delivery, error: (),
        order=lambda delivery: (delivery.receiver, delivery.id),
        registry=lambda delivery: delivery.receiver,
    )
