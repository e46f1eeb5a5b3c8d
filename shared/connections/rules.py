"""What a new and an edited connection is. Pure: a snapshot and the person's settings in, a connection out."""

from collections import Counter
from collections.abc import Mapping
from itertools import chain, count
from types import MappingProxyType
from typing import Any, Final, TypedDict

from pydantic import ValidationError

from shared.connections.certificates import holds_certificates
from shared.connections.hosts import default_name, same_host
from shared.connections.secrets import EncryptedSecret
from shared.connections.snapshot import ConnectionsSnapshot
from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import AuthType, FirstLoadTriggers, RegistryType


class ConnectionSettings(TypedDict, total=False):
    """What a person sets of a connection; a setting left out keeps its value, in a new connection its default."""

    name: str
    type: RegistryType
    is_active: bool
    auth_type: AuthType
    host: str
    shards: int
    max_connections: int
    max_keepalive_connections: int
    keepalive_expiry_seconds: float
    page_size: int
    connect_timeout_seconds: float
    pool_timeout_seconds: float
    read_timeout_seconds: float
    write_timeout_seconds: float
    max_rps: int
    skip_tls_verification: bool
    ca: str | None
    username: str | None
    password: EncryptedSecret | None
    load_full_images_list: bool
    load_interval_seconds: int
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    include_tags: tuple[str, ...]
    exclude_tags: tuple[str, ...]
    newest_tags: int | None
    first_load_triggers: FirstLoadTriggers
    first_load_newest: int
    repositories: tuple[str, ...]


class ConnectionInvalid(PermanentError):  # says what has happened
    """A setting is wrong, or two contradict each other.

    fields: by the field's name, what is wrong with it; "" for what is of no single field.
    """

    def __init__(self, sentence: str, fields: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(sentence, reason="connection_invalid")
        self.fields: Final = fields


class NameTaken(PermanentError):  # says what has happened
    """Another connection has the name."""

    def __init__(self, other: Connection) -> None:
        super().__init__(
            f"The name {other.name} is taken by the connection to {other.host}; choose another.", reason="name_taken"
        )


class StaleEdit(PermanentError):  # says what has happened
    """Somebody else saved the connection since it was read."""

    def __init__(self, current: Connection) -> None:
        super().__init__(
            f"The connection {current.name} was changed meanwhile (revision {current.revision}); "
            "read it again, then repeat the change.",
            reason="stale_edit",
        )


class NoSuchConnection(PermanentError):  # says what has happened
    """The connection never was, or was deleted."""

    def __init__(self, registry: str) -> None:
        super().__init__(
            f"There is no connection with the registry id {registry[:32]}; it may have been deleted.",
            reason="no_such_connection",
        )


class HostAmbiguous(PermanentError):  # says what has happened
    """Several connections lead to the host, and nothing says which is meant."""

    def __init__(self, host: str, connections: tuple[Connection, ...]) -> None:
        names = ", ".join(connection.name for connection in connections)
        super().__init__(f"Several connections lead to {host}: {names}. Say which by its name.", reason="ambiguous")


def new_connection(
    snapshot: ConnectionsSnapshot, registry: str, partitions: int, settings: ConnectionSettings
) -> Connection:
    """Return the connection to a new registry; without a name it is called after its host.

    registry: a random id.  partitions: of the chain's topics.
    Raises ConnectionInvalid, NameTaken.
    """
    slot = least_used_slot(snapshot, partitions, settings.get("shards", 1))
    draft = checked_connection({"name": "unnamed", **settings, "registry": registry, "slot": slot})
    if "name" in settings:
        _check_name(snapshot, draft)
        return draft
    return draft.model_copy(update={"name": _free_name(snapshot, draft.host)})


def edited_connection(
    snapshot: ConnectionsSnapshot, registry: str, revision: int, settings: ConnectionSettings
) -> Connection:
    """Return the connection with these settings changed and its revision raised.

    revision: the one the person saw.  A stored password is never sent to another host: a new host needs it anew.
    Raises NoSuchConnection, StaleEdit, ConnectionInvalid, NameTaken.
    """
    current = snapshot.connection(registry)
    if current is None:
        raise NoSuchConnection(registry)
    if current.revision != revision:
        raise StaleEdit(current)
    edited = checked_connection({**current.model_dump(), **settings, "revision": revision + 1})
    _check_name(snapshot, edited)
    if current.password is not None and "password" not in settings and not same_host(current.host, edited.host):
        told = "The host changes: give the password again, it is not sent to another host unasked."
        raise ConnectionInvalid(told, {"password": told})
    return edited


def ensured_connection(
    snapshot: ConnectionsSnapshot, registry: str, partitions: int, target: str, settings: ConnectionSettings
) -> Connection:
    """Return the connection that `target` means, with these settings: the one there is, else a new one.

    target: a host with its protocol, or a connection's name (a new one's, where the settings tell its host).
    registry: the id of a new one.
    Raises ConnectionInvalid, NameTaken, HostAmbiguous.
    """
    current = snapshot.named(target) or _at_host(snapshot, target, settings.get("name"))
    if current is None:
        draft: ConnectionSettings = {"name": target, **settings} if "host" in settings else {**settings, "host": target}
        return new_connection(snapshot, registry, partitions, draft)
    if all(getattr(current, name) == value for name, value in settings.items()):
        return current
    return edited_connection(snapshot, current.registry, current.revision, settings)


def with_scan_base_above(connection: Connection, highest: int) -> Connection:
    """Return the connection whose next scans have numbers above `highest`. No edit: the revision stays."""
    return connection.model_copy(update={"scan_base": max(connection.scan_base, highest + 1)})


def least_used_slot(snapshot: ConnectionsSnapshot, partitions: int, shards: int = 1) -> int:
    """Return the slot whose `shards` partitions have the fewest registries on them; the lowest of equals."""
    load = Counter(
        (connection.slot + shard) % partitions
        for connection, _ in snapshot.present()
        for shard in range(min(connection.shards, partitions))
    )
    width = min(shards, partitions)
    return min(range(partitions), key=lambda slot: sum(load[(slot + shard) % partitions] for shard in range(width)))


def _at_host(snapshot: ConnectionsSnapshot, host: str, name: str | None) -> Connection | None:
    found = snapshot.at_host(host)
    if len(found) <= 1:
        return next(iter(found), None)
    named = snapshot.named(name) if name is not None else None
    if named not in found:
        raise HostAmbiguous(host, found)
    return named


def _check_name(snapshot: ConnectionsSnapshot, connection: Connection) -> None:
    other = snapshot.named(connection.name)
    if other is not None and other.registry != connection.registry:
        raise NameTaken(other)


def _free_name(snapshot: ConnectionsSnapshot, host: str) -> str:
    name = default_name(host)
    candidates = chain([name], (f"{name}-{number}" for number in count(2)))
    return next(candidate for candidate in candidates if snapshot.named(candidate) is None)


def checked_connection(fields: Mapping[str, object]) -> Connection:
    """Return the connection with these fields. Raises ConnectionInvalid, which tells the wrong ones by name."""
    try:
        connection = Connection.model_validate(fields)
    except ValidationError as error:
        # `from None`: the library's error quotes what was given, which may hold a password
        raise invalid(error) from None
    if connection.ca and not holds_certificates(connection.ca):
        told = "there is no certificate in it that can be read; give the whole file, from BEGIN to END CERTIFICATE"
        raise ConnectionInvalid(f"Wrong connection: ca: {told}.", {"ca": told})
    return connection


def invalid(error: ValidationError) -> ConnectionInvalid:
    """Return our error for what a model of connections refused; it quotes nothing that was given."""
    problems = [_problem(problem) for problem in error.errors(include_url=False, include_input=False)]
    told = "; ".join(f"{field}: {words}" if field and not whole else words for field, words, whole in problems)
    return ConnectionInvalid(f"Wrong connection: {told}.", {field: words for field, words, _ in problems})


def _problem(problem: Any) -> tuple[str, str, bool]:
    """Return the field, what is wrong in words, and whether the words say by themselves what they are about."""
    text = problem["msg"].removeprefix("Value error, ")
    words = f"{text[0].lower()}{text[1:]}"
    if problem["loc"]:
        return str(problem["loc"][0]), words, False
    return str(problem.get("ctx", {}).get("field", "")), text, True
