"""Another key for the passwords that are kept: all are encrypted anew; the old key goes only when nobody needs it."""

from dataclasses import dataclass
from functools import partial

from services.reporting import running_services
from shared.connections.secrets import Secrets
from shared.connections.snapshot import ConnectionsSnapshot, key_of_connection
from shared.connections.topic import ConnectionsTopic
from shared.connections.writer import States, Value, write
from shared.errors import PermanentError
from shared.messages.connection_notes import HookSecretSet
from shared.messages.service_reported import ServiceReported
from shared.settings import Settings


class KeyNotKnown(PermanentError):  # says what has happened
    """A running service does not know the new key yet: it could not read what is encrypted with it."""

    def __init__(self, services: list[ServiceReported]) -> None:
        names = ", ".join(f"{report.service} ({report.process[:8]})" for report in services)
        super().__init__(
            f"Not every running service knows the new key: {names}. Give it to them (TALLYMAN_SECRET_KEY=new,old, or "
            "the key file) and start them again, then repeat this.",
            reason="key_not_known",
        )


class SecretsNotRenewed(PermanentError):  # says what has happened
    """Some passwords are still encrypted with an old key."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"Passwords of {', '.join(names)} are encrypted with an old key: tallyman secrets rotate comes first.",
            reason="secrets_not_renewed",
        )


@dataclass(frozen=True)
class Rotated:
    """renewed: names of the connections whose password was encrypted anew.  unreadable: whose was not, by any key."""

    renewed: tuple[str, ...]
    unreadable: tuple[str, ...]


async def check_all_know(settings: Settings, fingerprint: str, own_process: str) -> None:
    """Raise KeyNotKnown unless every running service reports the key first."""
    lacking = [
        report
        for report in await running_services(settings)
        if report.process != own_process and fingerprint not in report.keys
    ]
    if lacking:
        raise KeyNotKnown(lacking)


async def renew(topic: ConnectionsTopic, secrets: Secrets) -> Rotated:
    """Encrypt all passwords with the first key, in one transaction. No edit: the revisions stay."""
    renewed: list[str] = []
    unreadable: list[str] = []
    await write(topic, partial(_renewed, secrets, renewed, unreadable))
    return Rotated(tuple(renewed), tuple(unreadable))


def check_renewed(now: ConnectionsSnapshot, secrets: Secrets) -> None:
    """Raise SecretsNotRenewed unless every password is encrypted with the first key."""
    old = [c.name for c, _ in now.present() if c.password and not secrets.is_current(c.password)]
    old += [f"the hooks of {note.registry}" for note in _old_hooks(now, secrets)]
    if old:
        raise SecretsNotRenewed(old)


def _renewed(secrets: Secrets, renewed: list[str], unreadable: list[str], now: ConnectionsSnapshot) -> States:
    renewed.clear()
    unreadable.clear()
    states: dict[str, Value | None] = {}
    for connection, _ in now.present():
        if connection.password is None or secrets.is_current(connection.password):
            continue
        try:
            password = secrets.renewed(connection.password)
        except PermanentError:
            unreadable.append(connection.name)
            continue
        renewed.append(connection.name)
        states[key_of_connection(connection.registry)] = connection.model_copy(update={"password": password})
    for note in _old_hooks(now, secrets):
        states[HookSecretSet.key(note.registry)] = note.model_copy(update={"secret": secrets.renewed(note.secret)})
    return states


def _old_hooks(now: ConnectionsSnapshot, secrets: Secrets) -> list[HookSecretSet]:
    return [note for note in now.all_notes(HookSecretSet) if not secrets.is_current(note.secret)]
