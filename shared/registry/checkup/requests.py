"""The stages that ask the registry: few requests, within the registry's own budget; the password is shown once."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from shared.errors import PermanentError, TallymanError
from shared.messages.connection_fields import RegistryType
from shared.messages.tags_found import FoundTag
from shared.registry.answer import SMALL_BYTES, Answer, host_of
from shared.registry.budget import Budget
from shared.registry.challenges import Challenge, parse_challenges
from shared.registry.checkup.result import Found, doubtful, failed, skipped, well
from shared.registry.client import RegistryClient
from shared.registry.dialect import Dialect, RepositoriesPage, module_of, open_dialect
from shared.registry.dialects.auto import Auto
from shared.registry.errors import Forbidden, RepositoryGone, SignInRejected
from shared.registry.permits import Permits
from shared.registry.redirects import origin
from shared.registry.session import Session
from shared.registry.tokens import token_service
from shared.registry.user_agent import USER_AGENT
from shared.registry.window import Slot

MOST_REQUESTS: Final = 30
"""A check stops asking after so many: some products are read only in large pieces."""

_SKEW_SECONDS: Final = 60
_LIST_SECONDS: Final = 30


class CheckedEnough(PermanentError):  # says what has happened
    """The check has asked as much as a check may."""

    def __init__(self) -> None:
        super().__init__(
            f"The list is long: it was not read further after {MOST_REQUESTS} requests.", reason="checked_enough"
        )


@dataclass
class FewRequests:
    """A budget of which no more than MOST_REQUESTS are used."""

    budget: Budget
    used: int = 0

    @property
    def permits(self) -> Permits:
        return self.budget.permits

    async def pace(self) -> None:
        self.used += 1
        if self.used > MOST_REQUESTS:
            raise CheckedEnough
        await self.budget.pace()

    async def admit(self) -> Slot:
        return await self.budget.admit()

    def written(self, slot: Slot) -> None:
        self.budget.written(slot)

    def answered(self, slot: Slot) -> None:
        self.budget.answered(slot)

    def ended(self) -> None:
        self.budget.ended()

    def heard(self, status: int, headers: Mapping[str, str], asked: float | None) -> None:
        self.budget.heard(status, headers, asked)

    def failed(self) -> None:
        self.budget.failed()

    async def is_refused(self, revision: int) -> bool:
        return False  # a check is a person's: it tries

    def refuse(self, revision: int) -> None:
        """Says nothing of the saved connection: what is checked may be a draft."""


@dataclass
class Requests:
    """What the stages learn one from another.

    root: the answer to `GET /v2/` as a guest.  repository, tag: what the stages after the list look at.
    """

    session: Session
    root: Answer | None = None
    repository: str | None = None
    tag: FoundTag | None = None
    product: RegistryType | None = None
    _dialect: Dialect | None = field(default=None, repr=False)
    _listed: RepositoriesPage | None = None

    def __post_init__(self) -> None:
        self._auto = Auto(self.session)

    @property
    def _base(self) -> httpx.URL:
        return httpx.URL(f"{self.session.connection.host}/v2/")

    async def check_challenge(self) -> Found:
        """Ask as a guest what the registry is, and how it wants to be signed in to."""
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        try:
            answer = await self.session.sender.ask("GET", self._base, headers, SMALL_BYTES)
        except TallymanError as error:
            return failed(str(error))
        host = host_of(self._base)
        self.root = answer
        if answer.is_web_page() or answer.status not in (200, 401, 403):
            if await self._is_a_product():
                return well(f"{host} is a product whose registries lie below paths of its own.")
            return failed(
                f"{host} answered {answer.status} for /v2/, not as a registry does. Check the host and its path; no "
                "sign-in page may stand before it.",
                ("Status", str(answer.status)),
            )
        challenges = parse_challenges(answer.headers.get_list("www-authenticate"))
        facts = (("Status", str(answer.status)), *(_wants(challenge) for challenge in challenges))
        if answer.status == 200:
            return well(f"{host} speaks Registry V2, and lets guests in.", *facts)
        if answer.status == 401 and not challenges:
            return doubtful(f"{host} speaks Registry V2, and does not say how it wants to be signed in to.", *facts)
        return well(f"{host} speaks Registry V2, and asks for a sign-in.", *facts)

    async def _is_a_product(self) -> bool:
        """Return whether the host shows a product's signs, though it does not speak Registry V2 at its root."""
        try:
            return (await self._auto.found()).product is not RegistryType.V2
        except TallymanError:
            return False

    def check_clock(self, now: datetime) -> Found:
        """Compare the registry's clock with ours: tokens live for minutes."""
        try:
            told = parsedate_to_datetime(self.root.headers.get("date", "") if self.root else "")
        except (TypeError, ValueError):
            return skipped("The registry does not tell its time.")
        if told.tzinfo is None:
            return skipped("The registry does not tell its time.")
        skew = round((told - now).total_seconds())
        if abs(skew) > _SKEW_SECONDS:
            way = "ahead of" if skew > 0 else "behind"
            return doubtful(
                f"The registry's clock is {abs(skew)} s {way} this machine's: tokens may look expired. Set both by NTP."
            )
        return well(f"The clocks agree within {max(1, abs(skew))} s.")

    async def check_sign_in(self) -> Found:
        """Show user name and password, once."""
        credentials = self.session.credentials
        if credentials is None:
            if self.root is not None and self.root.status == 401:
                return doubtful(
                    "The registry asks for a sign-in, and the connection has no user name: guests may still see some "
                    "of it. Give a user name and a password."
                )
            return skipped("The registry is read as a guest.")
        refusal = self._why_not_shown()
        if refusal is not None:
            return failed(refusal)
        try:
            await self._shown_once()
        except SignInRejected as error:
            return failed(str(error))
        except (TallymanError, TimeoutError):
            pass  # the stage of the list asks again, and tells what is wrong
        if credentials.accepted:
            return well(f"Signed in as {credentials.username}.")
        return doubtful("Nothing asked for the password yet: what was read so far is open to guests.")

    async def _shown_once(self) -> None:
        """Ask what a load asks first, so that the password is shown where that shows it, and nowhere else."""
        if self.session.connection.repositories:
            await RegistryClient(self.session, str(self._base)).ping()
        else:
            self._listed = await self._first_page()

    def _why_not_shown(self) -> str | None:
        """Return why the password is not shown to the token service that the registry names, None where it may be."""
        headers = self.root.headers.get_list("www-authenticate") if self.root else []
        bearer = next((one for one in parse_challenges(headers) if one.scheme == "bearer"), None)
        if bearer is None or not bearer.parameters.get("realm"):
            return None
        try:
            token_service(self._base, bearer)
        except PermanentError as error:
            return str(error)
        return None

    async def check_product(self) -> Found:
        """Find out which product it looks like, as a guest."""
        chosen = self.session.connection.type
        try:
            found = await self._auto.found()
        except TallymanError as error:
            return failed(str(error))
        self.product = found.product if chosen is RegistryType.AUTO else chosen
        name = found.product.value
        if chosen is RegistryType.AUTO or chosen is found.product:
            return well(f"It is read as {name}: {found.why}.")
        if found.product is RegistryType.V2:
            return doubtful(
                f"It is read as {chosen.value}, as the connection says; nothing it shows says so itself. If the stages "
                "below fail, choose auto."
            )
        return doubtful(f"The connection says {chosen.value}, and it looks like {name} ({found.why}): choose {name}.")

    async def check_catalog(self) -> Found:
        """Read the first page of the list of repositories, as a load would."""
        named = self.session.connection.repositories
        if named:
            self.repository = named[0]
            return well(f"Not needed: the connection names its {len(named)} repositories itself.")
        try:
            page = self._listed or await self._first_page()
        except (CheckedEnough, TimeoutError):
            return doubtful(
                "The account may list repositories; their list is long, and was not read to its first end here.",
            )
        except Forbidden as error:
            return doubtful(str(error))
        except TallymanError as error:
            return failed(str(error))
        names = [*page.names, *(listing.repository for listing in page.listings)]
        if not names and page.failures:
            return doubtful(page.failures[0].detail or page.failures[0].reason)
        if not names:
            return doubtful("The list of repositories is empty: the registry is, or this account may see none of it.")
        self.repository = names[0]
        self.tag = next((tag for listing in page.listings[:1] for tag in listing.tags), None)
        return well(f"The account may list repositories: {len(names)} on the first page.", ("First", names[0]))

    async def check_tags(self) -> Found:
        """Read one repository's tags."""
        if self.repository is None:
            return skipped("Not tried: no repository is known.")
        if self.tag is not None:
            return well(f"{self.repository} came with its tags.", ("First", self.tag.name))
        try:
            page = await self._open_dialect().tags(self.repository)
        except RepositoryGone:
            return doubtful(f"{self.repository} has no tags.")
        except TallymanError as error:
            return failed(str(error))
        if not page.tags:
            return doubtful(f"{self.repository} has no tags.")
        self.tag = page.tags[0]
        return well(f"{self.repository}: {len(page.tags)} tags on the first page.", ("First", self.tag.name))

    async def check_manifest(self) -> Found:
        """Get one tag's digest: it came with the tag where a product tells it, and else the manifest is read."""
        if self.repository is None or self.tag is None:
            return skipped("Not tried: no tag is known.")
        name = f"{self.repository}:{self.tag.name}"
        if self.tag.digest:
            return well(f"{name} was listed with its digest.", ("Digest", str(self.tag.digest)))
        try:
            answer = await self._open_dialect().manifest(self.repository, self.tag.name)
        except TallymanError as error:
            return failed(str(error))
        return well(f"{name} can be read.", ("Digest", str(answer.digest)))

    async def _first_page(self) -> RepositoriesPage:
        """Return the first page that has something on it, or the last."""
        async with aclosing(self._open_dialect().repositories(None)) as pages, asyncio.timeout(_LIST_SECONDS):
            last = RepositoriesPage()
            async for page in pages:
                if page.names or page.listings or page.failures:
                    return page
                last = page
            return last

    def _open_dialect(self) -> Dialect:
        if self._dialect is None:
            product = self.product or self.session.connection.type
            connection = self.session.connection.model_copy(update={"type": product})
            session = replace(self.session, connection=connection)
            found = self.product is not None
            self._dialect = module_of(product).dialect(session) if found else open_dialect(session)
        return self._dialect


def _wants(challenge: Challenge) -> tuple[str, str]:
    """Return what a challenge asks for: scheme, and where tokens come from."""
    realm = challenge.parameters.get("realm", "")
    if challenge.scheme == "bearer":
        try:
            url = httpx.URL(realm)
            where = f"{url.scheme}://{host_of(url)}" if origin(url) else ""
        except httpx.InvalidURL:
            where = "an address that cannot be read"
        return "Wants", f"a token of {where}"
    return "Wants", challenge.scheme.capitalize()[:20]
