"""Products that keep many docker repositories ("shelves") on one host, each a Registry V2 of its own.

An image is named shelf/image; a shelf's name holds no slash.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Final

from shared.errors import PermanentError, TallymanError
from shared.messages.model import Failure
from shared.registry.client import RegistryClient
from shared.registry.dialect import RepositoriesPage
from shared.registry.session import Session

SIGN_OF_LIFE: Final = 20
"""Answers after which the long reading of a shelf says that it goes on."""


class Shelves:
    """The shelves' clients.  base: shelf -> where its Registry V2 lies."""

    def __init__(self, session: Session, base: Callable[[str], str]) -> None:
        self._session: Final = session
        self._base: Final = base
        self._clients: Final[dict[str, RegistryClient]] = {}

    def client(self, shelf: str) -> RegistryClient:
        """Return the client of a shelf, always the same one."""
        if shelf not in self._clients:
            self._clients[shelf] = RegistryClient(self._session, self._base(shelf))
        return self._clients[shelf]

    def placed(self, repository: str) -> tuple[RegistryClient, str]:
        """Return the client of an image's shelf, and the image's name there."""
        shelf, _, image = repository.partition("/")
        return self.client(shelf), image


async def catalog(
    client: RegistryClient, cursor: str | None = None, shelf: str = ""
) -> AsyncGenerator[RepositoriesPage, None]:
    """Yield the catalog of one Registry V2.  shelf: whose it is; among other shelves the reading cannot be cut."""
    while True:
        page = await client.catalog(cursor)
        cursor = page.cursor
        names = tuple(f"{shelf}/{name}" if shelf else name for name in page.names)
        yield RepositoriesPage(names=names, cursor=None if shelf else cursor)
        if cursor is None:
            return


def unread(shelf: str, error: TallymanError) -> RepositoriesPage:
    """Return what is told of a shelf that could not be read; the others are read all the same."""
    return RepositoriesPage(failures=(Failure(what=shelf, reason=error.reason, detail=str(error)),))


def nothing_visible(host: str, *, signed_in: bool) -> PermanentError:
    """Return the error for a list without a docker repository: to guests and strangers a full server looks so too."""
    who = "this account" if signed_in else "guests"
    return PermanentError(
        f"{host} shows {who} no docker repository. Give the connection an account that may browse and read them.",
        reason="nothing_visible",
    )
