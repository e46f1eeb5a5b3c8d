"""The check, stage after stage: one that fails makes those that need it skipped, each with its reason."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final

from pydantic import SecretStr

from shared.messages.connection_changed import Connection
from shared.registry.budget import Budget
from shared.registry.checkup.address import check_address
from shared.registry.checkup.certificate import check_certificate
from shared.registry.checkup.requests import FewRequests, Requests
from shared.registry.checkup.result import CheckStage, Found, Outcome, StageChecked, skipped
from shared.registry.session import Session, open_session

_NEEDS: Final[Mapping[CheckStage, tuple[CheckStage, ...]]] = {
    CheckStage.TLS: (CheckStage.ADDRESS,),
    CheckStage.CHALLENGE: (CheckStage.TLS,),
    CheckStage.CLOCK: (CheckStage.CHALLENGE,),
    CheckStage.PRODUCT: (CheckStage.CHALLENGE,),
    CheckStage.SIGN_IN: (CheckStage.CHALLENGE, CheckStage.PRODUCT),
    CheckStage.CATALOG: (CheckStage.SIGN_IN, CheckStage.PRODUCT),
    CheckStage.TAGS: (CheckStage.CATALOG, CheckStage.SIGN_IN),
    CheckStage.MANIFEST: (CheckStage.TAGS,),
}
"""What must not have failed, nor been skipped for that reason, before a stage is tried."""

_PAGES: Final = 5
_NOT_TRIED: Final = "Not tried: "


async def checked(
    connection: Connection, password: SecretStr | None, budget: Budget, now: Callable[[], datetime]
) -> AsyncIterator[StageChecked]:
    """Yield the result of each stage as it is there.

    budget: of the registry; the check uses a small part of it.  now: the time in UTC.
    """
    session = open_session(connection, password, FewRequests(budget), attempts=1, most_pages=_PAGES, chance=_CHANCE)
    try:
        async for result in _staged(connection, session, now):
            yield result
    finally:
        await session.close()


async def _staged(connection: Connection, session: Session, now: Callable[[], datetime]) -> AsyncIterator[StageChecked]:
    requests = Requests(session)

    async def clock() -> Found:
        return requests.check_clock(now())

    stages: dict[CheckStage, Callable[[], Awaitable[Found]]] = {
        CheckStage.ADDRESS: lambda: check_address(connection),
        CheckStage.TLS: lambda: check_certificate(connection, now()),
        CheckStage.CHALLENGE: requests.check_challenge,
        CheckStage.CLOCK: clock,
        CheckStage.PRODUCT: requests.check_product,
        CheckStage.SIGN_IN: requests.check_sign_in,
        CheckStage.CATALOG: requests.check_catalog,
        CheckStage.TAGS: requests.check_tags,
        CheckStage.MANIFEST: requests.check_manifest,
    }
    stopped: set[CheckStage] = set()
    for stage, look in stages.items():
        began = time.perf_counter()
        lacking = next((need for need in _NEEDS.get(stage, ()) if need in stopped), None)
        found = await look() if lacking is None else skipped(f"{_NOT_TRIED}{_LACKING[lacking]}.")
        if found.outcome is Outcome.FAILED or lacking is not None:
            stopped.add(stage)
        yield StageChecked(stage, found.outcome, found.told, round(time.perf_counter() - began, 3), found.facts)


_LACKING: Final[Mapping[CheckStage, str]] = {
    CheckStage.ADDRESS: "the host cannot be reached",
    CheckStage.TLS: "the certificate is not trusted, so nothing is asked and no password shown",
    CheckStage.CHALLENGE: "no registry answers there",
    CheckStage.SIGN_IN: "nobody is signed in",
    CheckStage.PRODUCT: "it is not known how to read it",
    CheckStage.CATALOG: "no repository is known",
    CheckStage.TAGS: "no tag is known",
}
_CHANCE: Final = random.Random()  # noqa: S311  # spreads retries; nothing to guess
