"""What a person sets of a connection: the one model behind the form, the API and the command line.

A field's title, description, unit and group are what all three show; a default here is the default everywhere.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError

from shared.messages.addresses import why_refused
from shared.messages.model import Name, Shape
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


class FirstLoadTriggers(StrEnum):
    """Which images of a registry's first load are to be scanned: they were there before, and are many."""

    NONE = "none"
    NEWEST = "newest"
    ALL = "all"


class Group(StrEnum):
    """Which fields stand together, in this order."""

    REGISTRY = "Registry"
    SIGN_IN = "Sign-in"
    LOADING = "Loading"
    FILTERS = "Filters"
    TRIGGERS = "Scan triggers"
    LIMITS = "Limits"
    TIMEOUTS = "Timeouts"
    TLS = "TLS"


SECONDS: Final = "seconds"


def _told(title: str, group: Group, description: str, unit: str = "", flag: str = "") -> dict[str, Any]:
    """Return what a field tells of itself.  flag: of the command line, where its name is not the field's."""
    extra = {"group": group.value, **({"unit": unit} if unit else {}), **({"flag": flag} if flag else {})}
    return {"title": title, "description": description, "json_schema_extra": extra}


def _host_with_protocol(host: str) -> str:
    parts = urlsplit(host)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a host starts with https:// or http://, as in https://registry.example.com")
    if parts.username or parts.password:
        raise ValueError("a host holds no user name or password; give them apart")
    if parts.query or parts.fragment:
        raise ValueError("a host holds no ? and no #")
    _ = parts.port  # raises ValueError on a bad port
    if why := why_refused(parts.hostname):
        raise ValueError(why)
    return host.rstrip("/")


def _named(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ValueError("a name has letters, digits, and . _ : - after the first; a hundred at most")
    return name


def _certificates_only(pem: str) -> str:
    if "PRIVATE KEY" in pem:
        raise ValueError("it holds a private key, which nobody needs to check a certificate: give the CERTIFICATE part")
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise ValueError("a CA starts with -----BEGIN CERTIFICATE-----")
    return pem


Host = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2048),
    AfterValidator(_host_with_protocol),
    WithJsonSchema({"type": "string", "maxLength": 2048, "pattern": r"^https?://[^\x00-\x20/@?#]+[^\x00-\x20@?#]*$"}),
]
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"
ConnectionName = Annotated[
    str, AfterValidator(_named), WithJsonSchema({"type": "string", "maxLength": 100, "pattern": _NAME})
]
CaCertificates = Annotated[
    str,
    StringConstraints(max_length=200_000),
    AfterValidator(_certificates_only),
    WithJsonSchema({"type": "string", "maxLength": 200_000, "pattern": "^-----BEGIN CERTIFICATE-----"}),
]


class ConnectionFields(Shape):
    """Every field of a connection but its password, each checked alone; `contradiction` checks them together."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_text_for_numbers(cls, value: object, info: ValidationInfo) -> object:
        """Refuse texts and yes or no where a number is wanted: what looks like one is mostly a mistake."""
        field = ConnectionFields.model_fields.get(info.field_name or "")
        if field is not None and field.annotation in (int, float, int | None) and isinstance(value, str | bool):
            raise ValueError("a number is needed here")
        return value

    name: ConnectionName = Field(
        **_told("Name", Group.REGISTRY, "What to call it; no other connection has the name. Letters, digits, . _ : -")
    )
    type: RegistryType = Field(
        RegistryType.AUTO, **_told("Type", Group.REGISTRY, "The product; auto finds out by what the registry shows.")
    )
    host: Host = Field(
        **_told("Host", Group.REGISTRY, "With its protocol, as https://registry.example.com; a path where it has one.")
    )
    is_active: bool = Field(
        True,
        strict=True,
        **_told(
            "Active",
            Group.REGISTRY,
            "An inactive registry is never asked anything and keeps what was last known of it.",
            flag="active/--inactive",
        ),
    )
    auth_type: AuthType = Field(
        AuthType.BASIC,
        **_told(
            "Auth type",
            Group.SIGN_IN,
            "basic shows user name and password to the registry; bearer shows them to its token service. "
            "GitLab takes bearer only.",
            flag="auth",
        ),
    )
    username: Name | None = Field(
        None, **_told("User name", Group.SIGN_IN, "Left out: the registry is read as a guest.")
    )
    load_full_images_list: bool = Field(
        False,
        strict=True,
        **_told("Load full images list", Group.LOADING, "Load the whole registry again and again by itself."),
    )
    load_interval_seconds: int = Field(
        86_400,
        ge=60,
        le=31_536_000,
        **_told("Load interval", Group.LOADING, "Time from one such load to the next: 86400 is a day.", SECONDS),
    )
    page_size: int = Field(
        100,
        ge=1,
        le=10_000,
        **_told("Page size", Group.LOADING, "Entries asked of a catalog or tag page; a registry may give fewer."),
    )
    shards: int = Field(
        1,
        ge=1,
        le=1000,
        **_told(
            "Shards", Group.LOADING, "Partitions that its repositories are spread over; raise it for a giant registry."
        ),
    )
    repositories: tuple[Name, ...] = Field(
        (),
        **_told(
            "Repositories",
            Group.FILTERS,
            "Load these instead of the catalog's; for accounts that may not list it.",
            flag="repository",
        ),
    )
    include: tuple[Pattern, ...] = Field(
        (),
        **_told(
            "Include repositories", Group.FILTERS, "Only these: shell patterns, or re: and an expression. Empty: all."
        ),
    )
    exclude: tuple[Pattern, ...] = Field(
        (), **_told("Exclude repositories", Group.FILTERS, "Not these; wins over those included.")
    )
    include_tags: tuple[Pattern, ...] = Field(
        (), **_told("Include tags", Group.FILTERS, "Only tags like these. Empty: all.", flag="include-tag")
    )
    exclude_tags: tuple[Pattern, ...] = Field(
        (), **_told("Exclude tags", Group.FILTERS, "No tags like these; wins over those included.", flag="exclude-tag")
    )
    newest_tags: int | None = Field(
        None,
        ge=1,
        le=100_000,
        **_told(
            "Newest tags",
            Group.FILTERS,
            "So many tags of a repository, by date, where the product tells dates. Empty: all.",
        ),
    )
    first_load_triggers: FirstLoadTriggers = Field(
        FirstLoadTriggers.NONE,
        **_told(
            "Scans of the first load",
            Group.TRIGGERS,
            "Which images of the registry's first load are sent to be scanned: none, the newest of each repository, or "
            "all. What comes after it is always sent.",
        ),
    )
    first_load_newest: int = Field(
        10,
        ge=1,
        le=100_000,
        **_told(
            "Newest of the first load",
            Group.TRIGGERS,
            "Where the newest are sent: so many tags of each repository, by when their images were built.",
        ),
    )
    max_rps: int = Field(
        50,
        ge=1,
        le=100_000,
        **_told(
            "Max RPS",
            Group.LIMITS,
            "The most requests in any one second, sign-ins and retries included.",
            "requests per second",
        ),
    )
    max_connections: int = Field(
        16,
        ge=1,
        le=1000,
        **_told("Max concurrent connections", Group.LIMITS, "Connections open at once, at most."),
    )
    max_keepalive_connections: int = Field(
        16,
        ge=0,
        le=1000,
        **_told("Max keepalive connections", Group.LIMITS, "Idle connections kept open for the next request."),
    )
    keepalive_expiry_seconds: float = Field(
        15.0,
        ge=0,
        le=3600,
        **_told("Keepalive expiry", Group.LIMITS, "An idle connection is closed after so long.", SECONDS),
    )
    connect_timeout_seconds: float = Field(
        10.0, gt=0, le=600, **_told("Connect timeout", Group.TIMEOUTS, "For DNS, TCP and TLS together.", SECONDS)
    )
    pool_timeout_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        **_told("Pool timeout", Group.TIMEOUTS, "The longest wait for one of the connections to become free.", SECONDS),
    )
    read_timeout_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        **_told("Read timeout", Group.TIMEOUTS, "The longest silence while an answer is awaited or read.", SECONDS),
    )
    write_timeout_seconds: float = Field(
        30.0, gt=0, le=3600, **_told("Write timeout", Group.TIMEOUTS, "For the registry to take a request.", SECONDS)
    )
    skip_tls_verification: bool = Field(
        False,
        strict=True,
        **_told(
            "Skip TLS verification",
            Group.TLS,
            "Trust any certificate: whoever sits in between can read the password. A custom CA is safer.",
            flag="insecure/--verify",
        ),
    )
    ca: CaCertificates | None = Field(
        None,
        **_told("Custom CA", Group.TLS, "PEM certificate of the CA to trust for this registry, beside the system's."),
    )


PASSWORD: Final = _told(
    "Password",
    Group.SIGN_IN,
    "Password or access token. Kept encrypted and never shown again; left empty, the one that is kept stays.",
)
"""What the password's field tells, in each model that has one."""


def contradiction(fields: ConnectionFields) -> PydanticCustomError | None:
    """Return what of these settings cannot go together, None where all can. Its context names the `field`."""
    if fields.skip_tls_verification and fields.ca:
        return _wrong("ca", "a CA is of no use where TLS verification is skipped; choose one")
    if fields.type in BEARER_ONLY and fields.auth_type is not AuthType.BEARER:
        return _wrong(
            "auth_type",
            f"registries of type {fields.type.value} take tokens only: choose bearer as the auth type",
        )
    return None


FITS_TOGETHER: Final[dict[str, Any]] = {
    "allOf": [
        {
            "if": {"properties": {"type": {"enum": sorted(BEARER_ONLY)}}, "required": ["type"]},
            "then": {"properties": {"auth_type": {"const": AuthType.BEARER.value}}, "required": ["auth_type"]},
        },
        {
            "if": {"properties": {"skip_tls_verification": {"const": True}}, "required": ["skip_tls_verification"]},
            "then": {"properties": {"ca": {"type": "null"}}},
        },
    ]
}
"""`contradiction` in the words of JSON Schema, for the API's document."""


def cautions(fields: ConnectionFields) -> dict[str, str]:
    """Return, by field, a sentence for each setting that is allowed and will most likely be regretted."""
    found: dict[str, str] = {}
    longest_turn = fields.max_connections / fields.max_rps
    if fields.pool_timeout_seconds < longest_turn + 1:
        found["pool_timeout_seconds"] = (
            f"Too small for {fields.max_rps} requests a second and {fields.max_connections} connections: all of them "
            f"may wait {longest_turn:.0f} s for their turn, and what waits for one gives up before. Raise the pool "
            f"timeout to {longest_turn + 2:.0f} seconds, or lower max concurrent connections."
        )
    if fields.skip_tls_verification:
        found["skip_tls_verification"] = "Whoever sits in between can read the password. A custom CA is safer."
    if fields.host.startswith("http://") and fields.username:
        found["host"] = "Over http:// anybody on the way can read the password. Use https:// where the registry has it."
    if fields.max_keepalive_connections > fields.max_connections:
        found["max_keepalive_connections"] = (
            "More than max concurrent connections are never open: the rest is of no use."
        )
    return found


def _wrong(field: str, told: str) -> PydanticCustomError:
    return PydanticCustomError("connection", "{told}", {"field": field, "told": told})
