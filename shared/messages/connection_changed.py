"""`connection.changed`: a registry's connection, as every service follows it. A null value is a tombstone."""

from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.messages.model import Message, Name, RegistryId
from shared.messages.patterns import Pattern


class RegistryType(StrEnum):
    """The product at the other end: the table of dialects, in the order in which `auto` looks for their signs.

    Each row's value is the name of its module in `shared.registry.dialects` and of its server in `tests.fakes`.
    """

    AUTO = "auto"
    HARBOR = "harbor"
    NEXUS = "nexus"
    ARTIFACTORY = "artifactory"
    GITLAB = "gitlab"
    GITFLIC = "gitflic"
    V2 = "v2"


BEARER_ONLY: Final = frozenset({RegistryType.GITLAB})
"""Products that take tokens only."""


class AuthType(StrEnum):
    """How to sign in. `bearer`: user name and password are shown to the token service the registry names."""

    BASIC = "basic"
    BEARER = "bearer"


def _host_with_protocol(host: str) -> str:
    parts = urlsplit(host)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a host starts with https:// or http://, as in https://registry.example.com")
    if parts.username or parts.password:
        raise ValueError("a host holds no user name or password; give them apart")
    if parts.query or parts.fragment:
        raise ValueError("a host holds no ? and no #")
    _ = parts.port  # raises ValueError on a bad port
    return host.rstrip("/")


Host = Annotated[str, AfterValidator(_host_with_protocol)]
ConnectionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]


class Connection(Message):
    """A connection to one registry.

    registry: its random id.  revision: raised by every edit.  slot, shards: where its messages lie, fixed.
    scan_base: what a scan's number starts from.  password: encrypted, never in the clear.
    """

    registry: RegistryId
    revision: int = Field(1, ge=1)
    slot: int = Field(ge=0)
    shards: int = Field(1, ge=1)
    scan_base: int = Field(1, ge=1)

    name: ConnectionName
    type: RegistryType = Field(RegistryType.AUTO, description="The product; auto finds out by what it shows.")
    is_active: bool = True
    auth_type: AuthType = AuthType.BASIC
    host: Host
    max_connections: int = Field(16, ge=1, le=1000, description="Connections open at once.")
    max_keepalive_connections: int = Field(16, ge=0, le=1000, description="Idle connections kept open.")
    keepalive_expiry_seconds: float = Field(15.0, ge=0, le=3600)
    page_size: int = Field(100, ge=1, le=10000, description="Entries asked of a catalog or tag page.")
    connect_timeout_seconds: float = Field(10.0, gt=0, le=600)
    pool_timeout_seconds: float = Field(60.0, gt=0, le=3600)
    read_timeout_seconds: float = Field(60.0, gt=0, le=3600)
    write_timeout_seconds: float = Field(30.0, gt=0, le=3600)
    max_rps: int = Field(50, ge=1, le=100_000, description="The most requests in any one second.")
    skip_tls_verification: bool = False
    ca: str | None = Field(None, description="PEM of the CA to trust for this registry.")
    username: Name | None = None
    password: str | None = Field(None, description="Encrypted; see shared.connections.secrets.")
    load_full_images_list: bool = False
    load_interval_seconds: int = Field(86_400, ge=60)
    include: tuple[Pattern, ...] = Field((), description="Repositories to load, all where empty.")
    exclude: tuple[Pattern, ...] = Field((), description="Repositories to leave out.")
    include_tags: tuple[Pattern, ...] = Field((), description="Tags to load, all where empty.")
    exclude_tags: tuple[Pattern, ...] = Field((), description="Tags to leave out.")
    newest_tags: int | None = Field(None, ge=1, le=100_000, description="Tags of a repository to load, by date.")
    repositories: tuple[Name, ...] = Field((), description="Repositories to load instead of the catalog's.")

    @model_validator(mode="after")
    def _fits_together(self) -> "Connection":
        if self.skip_tls_verification and self.ca:
            raise ValueError("a CA is of no use where TLS verification is skipped; choose one")
        if self.type in BEARER_ONLY and self.auth_type is not AuthType.BEARER:
            raise ValueError(f"registries of type {self.type} take tokens only: choose bearer as the auth type")
        return self
