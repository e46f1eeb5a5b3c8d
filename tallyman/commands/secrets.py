"""`tallyman secrets …`: another key for the passwords that are kept."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from services.opening import Opened, opened
from services.reporting import REPORT_SECONDS
from services.rotation import KeyNotKnown, check_all_know, check_renewed, renew
from shared.connections.secrets import Secrets, add_key, drop_old_keys, key_file
from shared.errors import PermanentError
from shared.settings import Settings
from tallyman.door import Door
from tallyman.system import running_broker

_PATIENCE_SECONDS: Final = 3 * REPORT_SECONDS


async def rotate(settings: Settings) -> int:
    """Encrypt every password with the newest key; return 0.

    The keys of the setting are used as they stand, the first being the new one; a key file gets a new first one.
    Raises KeyNotKnown, and changes no password, while a running service lacks the key.
    """
    async with _installation(settings) as ready:
        secrets = ready.secrets
        if ready.settings.secret_key is None and _is_first_in_use(ready):
            add_key(key_file(settings))
            secrets = Secrets.of(settings)
        await _wait_until_known(ready, secrets)
        rotated = await renew(ready.topic, secrets)
    sys.stdout.write(f"Passwords encrypted anew: {len(rotated.renewed)}.\n")
    for name in rotated.unreadable:
        sys.stderr.write(f"tallyman: {name}: its password cannot be decrypted with any key; give it again.\n")
    sys.stdout.write(
        "What was encrypted with the old key leaves Kafka within an hour. Then: tallyman secrets drop-old-keys\n"
    )
    return 0


async def drop(settings: Settings) -> int:
    """Drop the old keys from the key file; return 0.

    Raises KeyNotKnown, SecretsNotRenewed while somebody needs one.
    """
    async with _installation(settings) as ready:
        await check_all_know(ready.settings, ready.secrets.fingerprints[0], ready.process)
        check_renewed(ready.connections.now(), ready.secrets)
        if ready.settings.secret_key is not None:
            sys.stdout.write("Nobody needs the old keys: leave only the first one in TALLYMAN_SECRET_KEY.\n")
            return 0
        dropped = drop_old_keys(key_file(settings))
    sys.stdout.write(f"Old keys dropped: {dropped}.\n")
    return 0


@asynccontextmanager
async def _installation(settings: Settings) -> AsyncIterator[Opened]:
    """Yield the installation, by the broker of the service that runs, or one of our own."""
    if settings.kafka is None and (door := await Door.find(settings.data)):
        settings = settings.model_copy(update={"kafka": door.kafka})
    elif settings.kafka is None and not (settings.data / "kafka").is_dir():
        raise PermanentError(
            f"There is nothing in {settings.data} to rotate; name the folder with --data.", reason="settings"
        )
    async with running_broker(settings) as reached, opened(reached, service="command") as ready:
        yield ready


def _is_first_in_use(ready: Opened) -> bool:
    """Return whether every password is encrypted with the first key: else an earlier rotation is gone on with."""
    present = ready.connections.now().present()
    return all(c.password is None or ready.secrets.is_current(c.password) for c, _ in present)


async def _wait_until_known(ready: Opened, secrets: Secrets) -> None:
    """Return once every running service reports the first key; those with a key file read it again by themselves."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    while True:
        try:
            await check_all_know(ready.settings, secrets.fingerprints[0], ready.process)
        except KeyNotKnown:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(1)
        else:
            return
