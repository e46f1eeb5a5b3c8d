"""Records of `connection.changed` beside the connections: what the console's replicas must agree on.

Each kind is a class; its records' keys are KIND/<id>.
"""

from enum import StrEnum
from typing import ClassVar, Final

from pydantic import Field

from shared.messages.model import Message, Moment, Name, RegistryId


class Note(Message):
    """Base of the records that are no connections."""

    KIND: ClassVar[str]

    @classmethod
    def key(cls, identity: str) -> str:
        """Return the key of the kind's record of this identity."""
        return f"{cls.KIND}/{identity}"


class Health(StrEnum):
    """How a connection's last check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class StatusChecked(Note):
    """The last check of a registry's connection; key: the registry's id.

    stage: the first that was not well, "" where all were.  told: what it said.
    """

    KIND: ClassVar[str] = "status"

    registry: RegistryId
    revision: int
    health: Health
    stage: str = ""
    told: str = ""
    checked_at: Moment


class ScanAsked(Note):
    """The last full scan that was asked for, by hand or by the schedule; key: the registry's id.

    scan: its number.  slot: the newest due time that was taken, seconds since 1970; 0 = none yet.
    """

    KIND: ClassVar[str] = "scan"

    registry: RegistryId
    scan: int
    request: str
    slot: int = 0
    asked_at: Moment


class PasswordSet(Note):
    """The console's password; key: admin.  hash: argon2.  number: raised by every change, which ends all sessions."""

    KIND: ClassVar[str] = "password"

    hash: str = Field(repr=False)
    number: int = 1
    set_at: Moment


class Role(StrEnum):
    """What a token lets its holder do."""

    READER = "reader"
    ADMIN = "admin"


class TokenMade(Note):
    """An API token; key: its id.  hash: SHA-256 of the token, which holds 256 random bits."""

    KIND: ClassVar[str] = "token"

    id: str
    name: Name
    role: Role
    hash: str = Field(repr=False)
    made_at: Moment


class HookSecretSet(Note):
    """What a registry's webhooks are signed with; key: the registry's id.  secret: encrypted, as passwords are."""

    KIND: ClassVar[str] = "hook"

    registry: RegistryId
    secret: str = Field(repr=False)
    set_at: Moment


class LetterState(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DROPPED = "dropped"


class LetterHandled(Note):
    """A person has replayed or dropped a dead letter; key: its name.

    name: stage-partition-offset of the letter.  written_at: when it was written, ms since 1970: tells it from one that
    lay there before its topic was made anew.
    """

    KIND: ClassVar[str] = "letter"

    name: str
    written_at: int
    state: LetterState
    at: Moment


class Ticked(Note):
    """Written some time after the last change, so that the broker closes its segment and compacts it; key: tick."""

    KIND: ClassVar[str] = "tick"

    at: Moment


KINDS: Final[dict[str, type[Note]]] = {
    kind.KIND: kind for kind in (StatusChecked, ScanAsked, PasswordSet, TokenMade, HookSecretSet, LetterHandled, Ticked)
}
