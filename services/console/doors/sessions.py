"""Sessions: cookies that only we can make, so that every replica knows them and none has to remember them."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from pydantic import BaseModel, ValidationError

from services.console.doors.principals import Principal
from shared.connections.secrets import Secrets
from shared.messages.connection_notes import PasswordSet, Role

COOKIE: Final = "__Host-session"
LIFETIME_SECONDS: Final = 12 * 3600
_PURPOSE: Final = b"tallyman console sessions"


class _Content(BaseModel):
    password: int
    csrf: str


@dataclass(frozen=True)
class Sessions:
    """secrets: whose first key signs; another key ends all sessions, and so does another password."""

    secrets: Secrets

    def new(self, password: PasswordSet, now: datetime) -> str:
        """Return the value of a new session's cookie."""
        content = _Content(password=password.number, csrf=secrets.token_urlsafe(24))
        return self._fernet.encrypt_at_time(content.model_dump_json().encode(), int(now.timestamp())).decode()

    def principal(self, cookie: str, password: PasswordSet | None, now: datetime) -> Principal | None:
        """Return who has this cookie, None where it is none of ours, too old, or of an earlier password."""
        try:
            raw = self._fernet.decrypt_at_time(cookie.encode(), LIFETIME_SECONDS, int(now.timestamp()))
            content = _Content.model_validate_json(raw)
        except (InvalidToken, ValidationError, UnicodeError):
            return None
        if password is None or content.password != password.number:
            return None
        return Principal("admin", Role.ADMIN, content.csrf)

    @property
    def _fernet(self) -> Fernet:
        return Fernet(self.secrets.derived(_PURPOSE))
