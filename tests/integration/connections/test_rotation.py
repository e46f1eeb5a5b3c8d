"""Another key: refused while a running service lacks it, all passwords anew at once, and the old one dropped last."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.opening import connections_topic
from services.reporting import reporting, running_services
from services.rotation import KeyNotKnown, SecretsNotRenewed, check_all_know, check_renewed, renew
from shared.connections.reader import reading
from shared.connections.secrets import Secrets
from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.writer import ensure_connection, write
from shared.messages.connection_notes import HookSecretSet
from shared.pipeline.topics import ensure_topics
from shared.settings import Settings
from tests.support.broker import PARTITIONS, STAGES


def a_key() -> SecretStr:
    return SecretStr(Fernet.generate_key().decode())


OLD, NEW = a_key(), a_key()
BEFORE, BOTH, AFTER = Secrets([OLD]), Secrets([NEW, OLD]), Secrets([NEW])


@pytest_asyncio.fixture
async def settings(kafka_settings: Settings) -> AsyncIterator[Settings]:
    await ensure_topics(kafka_settings, STAGES)
    yield kafka_settings


async def now(settings: Settings) -> ConnectionsSnapshot:
    async with reading(connections_topic(settings)) as reader:
        return await reader.read_to_end()


async def test_a_service_is_heard_while_it_runs_and_not_after(settings: Settings) -> None:
    async with reporting(settings, "tagger", lambda: BEFORE.fingerprints) as process:
        (report,) = await running_services(settings)
        assert (report.process, report.service, report.keys) == (process, "tagger", BEFORE.fingerprints)
    assert await running_services(settings) == ()


async def test_a_key_that_a_running_service_lacks_is_refused_by_name(settings: Settings) -> None:
    async with (
        reporting(settings, "manifester", lambda: BEFORE.fingerprints),
        reporting(settings, "command", lambda: BOTH.fingerprints) as own,
    ):
        with pytest.raises(KeyNotKnown, match="manifester"):
            await check_all_know(settings, BOTH.fingerprints[0], own)
    async with reporting(settings, "manifester", lambda: BOTH.fingerprints):
        await check_all_know(settings, BOTH.fingerprints[0], "")


async def test_all_passwords_are_encrypted_anew_without_an_edit(settings: Settings) -> None:
    topic = connections_topic(settings)
    for number in range(3):
        password = BEFORE.encrypt(SecretStr(f"hunter{number}"))
        wanted = {"name": f"r{number}", "password": password}
        await ensure_connection(topic, f"https://r{number}.example.com", wanted, PARTITIONS)  # type: ignore[arg-type]
    stranger = Secrets([a_key()]).encrypt(SecretStr("x"))
    await ensure_connection(topic, "https://s.example.com", {"name": "stranger", "password": stranger}, PARTITIONS)
    with pytest.raises(SecretsNotRenewed, match="r0, r1, r2"):
        check_renewed(await now(settings), BOTH)
    hook = HookSecretSet(registry="registry1", secret=BEFORE.encrypt(SecretStr("hook")), set_at=datetime.now(UTC))
    await write(topic, lambda _: {HookSecretSet.key("registry1"): hook})
    with pytest.raises(SecretsNotRenewed, match="the hooks of registry1"):
        check_renewed(await now(settings), BOTH)
    rotated = await renew(topic, BOTH)
    assert (sorted(rotated.renewed), rotated.unreadable) == (["r0", "r1", "r2"], ("stranger",))
    for connection, _ in (await now(settings)).present():
        assert connection.revision == 1
        if connection.name != "stranger":
            assert connection.password is not None
            assert AFTER.decrypt(connection.password).get_secret_value() == f"hunter{connection.name[1]}"
    renewed_hook = (await now(settings)).note(HookSecretSet, "registry1")
    assert renewed_hook is not None
    assert AFTER.decrypt(renewed_hook.secret).get_secret_value() == "hook"
    assert (await renew(topic, BOTH)).renewed == ()
