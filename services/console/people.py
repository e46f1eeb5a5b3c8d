"""Who shows a cookie or a token: asked of the connections' topic, so that all replicas agree."""

from dataclasses import dataclass

from services.console.doors import tokens
from services.console.doors.passwords import ADMIN
from services.console.doors.principals import OWNER, Principal
from services.console.doors.sessions import Sessions
from services.console.office import Office
from shared.messages.connection_notes import PasswordSet


@dataclass(frozen=True)
class People:
    """Those whom the topic knows."""

    office: Office

    def by_cookie(self, cookie: str) -> Principal | None:
        password = self.office.now.note(PasswordSet, ADMIN)
        return Sessions(self.office.secrets).principal(cookie, password, self.office.clock()) if cookie else None

    def by_token(self, token: str) -> Principal | None:
        return tokens.principal(self.office.now, token)


@dataclass(frozen=True)
class OnlyTheOwner:
    """Behind a socket that only the owner of the data folder can open, and in the owner's own process."""

    token: str

    def by_cookie(self, _: str) -> Principal | None:
        return None

    def by_token(self, token: str) -> Principal | None:
        return OWNER if token == self.token else None
