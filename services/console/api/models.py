"""What the API takes and gives."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from services.console.registries import Draft
from shared.connections.rules import ConnectionSettings
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import (
    FITS_TOGETHER,
    PASSWORD,
    ConnectionFields,
    ConnectionName,
    Host,
    contradiction,
)
from shared.messages.connection_notes import Health, LetterState, Role
from shared.messages.model import Name
from shared.registry.checkup.result import CheckStage, Outcome
from shared.registry.sharing.state import Standing

T = TypeVar("T")

Password = Annotated[SecretStr, Field(max_length=10_000)]


class ConnectionDraft(ConnectionFields):
    """A connection to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=FITS_TOGETHER)

    password: Password | None = Field(None, **PASSWORD)

    @model_validator(mode="after")
    def _fits_together(self) -> "ConnectionDraft":
        if wrong := contradiction(self):
            raise wrong
        return self

    def draft(self) -> Draft:
        return _draft(self)


class ConnectionChanges(ConnectionFields):
    """What is to be changed of a connection; what is left out stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ConnectionName = Field(
        "unchanged", title="Name", description=ConnectionFields.model_fields["name"].description
    )
    host: Host = Field("http://unchanged", title="Host", description=ConnectionFields.model_fields["host"].description)
    password: Password | None = Field(None, **PASSWORD)

    def draft(self) -> Draft:
        return _draft(self)


def _draft(given: ConnectionDraft | ConnectionChanges) -> Draft:
    """Return what was set; an explicit null takes the password away."""
    fields: Any = {name: getattr(given, name) for name in given.model_fields_set if name != "password"}
    settings: ConnectionSettings = fields
    clears = "password" in given.model_fields_set and given.password is None
    return Draft(settings, given.password, clears)


class Status(BaseModel):
    """How a connection's last check came out."""

    health: Health
    stage: str = Field(description="The first stage that was not well; empty where all were.")
    told: str = Field(description="What it said.")
    checked_at: datetime
    is_current: bool = Field(description="False where the connection was edited since.")


class ScanShown(BaseModel):
    """A scan."""

    registry: str = Field(description="Name of the connection.")
    registry_id: str
    scan_id: int
    kind: str = Field(description="full, repository or tag.")
    reason: str = Field(description="manual, schedule or webhook.")
    status: str = Field(description="running, complete, partial, held, failed or cancelled.")
    started_at: datetime
    completed_at: datetime | None = None
    repositories: int
    repositories_done: int
    tags: int
    images: int
    artifacts: int
    discovered: int
    removed: int
    failed: int
    requests: int


class HeldShown(BaseModel):
    """Removals of a repository that a fuse holds back until a person confirms them."""

    repository: str
    scan_id: int = Field(description="The last scan that held them back.")
    detail: str = Field(description="How much would be removed.")
    at: datetime


class HeldConfirmed(BaseModel):
    """Which held removals are let through."""

    model_config = ConfigDict(extra="forbid")

    repositories: list[Name] | None = Field(
        None, min_length=1, max_length=1000, description="Only those of these repositories; null = all that wait."
    )


class ConnectionShown(ConnectionFields):
    """A connection. Passwords are never shown."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="The registry's id: random, never used again.")
    revision: int = Field(description="Raised by every edit; also the ETag.")
    has_password: bool
    cautions: dict[str, str] = Field({}, description="By field, what is allowed and will most likely be regretted.")
    status: Status | None = Field(None, description="Of the last check; null where there was none.")
    last_scan: ScanShown | None = None


class BudgetShown(BaseModel):
    """How a registry stands with all processes that ask it."""

    standing: Standing = Field(
        description="idle; full: as its connection allows; lowered, paused: as it asked for; broken: it does not "
        "answer; refused: it rejected the sign-in."
    )
    told: str = Field(description="The same in words.")
    max_rps: int = Field(description="Requests that all together may send in a second now.")
    max_connections: int = Field(description="Connections that all together may have open now.")
    processes: int = Field(description="How many processes want something of it.")


class CheckedStage(BaseModel):
    """One stage of a check."""

    stage: CheckStage
    title: str
    outcome: Outcome
    told: str
    seconds: float
    facts: list[tuple[str, str]] = []


class CheckReport(BaseModel):
    """A check: its stages in order, and the worst outcome of them."""

    health: Health
    stages: list[CheckedStage]


class ScanWanted(BaseModel):
    """What is to be scanned: all, or one repository."""

    model_config = ConfigDict(extra="forbid")

    repository: Name | None = Field(None, description="Only this one; left out: the whole registry.")
    confirmed: bool = Field(
        False, strict=True, description="Believe it when most tags or repositories are gone: the fuses are off."
    )


class HookSecret(BaseModel):
    """What a registry's webhooks are signed with; shown this once."""

    secret: str


class ScanAskedFor(BaseModel):
    """A scan that was asked for."""

    registry: str
    registry_id: str
    scan_id: int


class FailureShown(BaseModel):
    """Something a scan could not read."""

    repository: str
    what: str
    reason: str
    detail: str
    at: datetime


class ImageShown(BaseModel):
    """An image that is present."""

    registry: str
    registry_id: str
    repository: str
    digest: str = Field(description="sha256:…, with registry and repository it identifies the image.")
    reference: str = Field(description="What to pull, by digest.")
    media_type: str
    os: str
    architecture: str
    variant: str
    os_version: str
    size_bytes: int | None
    created: datetime | None
    first_seen: datetime
    tags: list[str]


class TagShown(BaseModel):
    """A tag that is present."""

    registry: str
    registry_id: str
    repository: str
    tag: str
    digest: str
    kind: str = Field(description="image, index or artifact.")
    changed_at: datetime


class Page(BaseModel, Generic[T]):
    """Part of a list.  next: the cursor of the page after it; null on the last."""

    items: list[T]
    next: str | None = Field(None, description="Give it as `cursor` for the page after this one; null on the last.")


class RegistryNumbers(BaseModel):
    """How much there is of one registry."""

    registry: str
    registry_id: str
    repositories: int
    tags: int
    images: int


class Summary(BaseModel):
    """The estate in numbers."""

    registries: int
    repositories: int
    tags: int
    images: int
    new_this_week: int
    removed_this_week: int
    running_scans: int
    by_architecture: dict[str, int]
    by_registry: list[RegistryNumbers]


class TokenWanted(BaseModel):
    """An API token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    role: Role = Role.READER


class TokenShown(BaseModel):
    """An API token, without its secret."""

    id: str
    name: str
    role: Role
    made_at: datetime


class TokenOnce(TokenShown):
    """A token that was just made: it is shown this once."""

    token: str


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


def connection_shown(
    connection: Connection, cautions: dict[str, str], status: Status | None, last_scan: ScanShown | None
) -> ConnectionShown:
    """Return a connection as the API shows it."""
    fields = {name: getattr(connection, name) for name in ConnectionFields.model_fields}
    return ConnectionShown(
        **fields,
        id=connection.registry,
        revision=connection.revision,
        has_password=connection.password is not None,
        cautions=cautions,
        status=status,
        last_scan=last_scan,
    )


class LetterShown(BaseModel):
    """A dead letter, without its message."""

    name: str = Field(description="stage-partition-offset of the letter itself.")
    state: LetterState
    stage: str = Field(description="The stage that gave its message up.")
    reason: str = Field(description="A short constant that says why.")
    error: str = Field(description="A sentence that says what was wrong, or the name of an unexpected error.")
    topic: str = Field(description="Where the message lay.")
    partition: int
    offset: int
    written_at: datetime | None = Field(description="When it was given up.")
    first_seen: datetime | None = Field(description="When the message was sent.")
    size_bytes: int
    handled_at: datetime | None = Field(description="When it was replayed or dropped.")


class LetterWhole(LetterShown):
    """A dead letter with its message."""

    key: str | None = Field(description="The message's key, base64; null where it has none.")
    value: str | None = Field(description="The message's bytes, base64; null where it has none, or was too large.")
    text: str | None = Field(description="The message as text, where it is UTF-8.")
    traceback: str = Field(description="Of an unexpected error: where it was raised.")


class ImageWanted(BaseModel):
    """Which image is to be scanned."""

    model_config = ConfigDict(extra="forbid")

    digest: str = Field(description="Of an image or an index.", pattern=r"^sha256:[0-9a-f]{64}$")


class TriggerAsked(BaseModel):
    """A scan trigger that was asked for."""

    id: str = Field(description="The trigger's id, as scan.triggers will tell it.")
    digest: str
    platform: str = Field(description="os/architecture[/variant].")
    reference: str = Field(description="How to pull it, by digest.")


class LetterReplayed(BaseModel):
    """How a replay went."""

    sent: bool = Field(description="False where it had been replayed before: it is not sent again.")
