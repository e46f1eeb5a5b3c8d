"""The user of a ClickHouse server that may read the public views and nothing else.

A view runs with the rights of whoever made it (SQL SECURITY DEFINER), so the reader needs none on the tables. The
server is told a hash of the password: no statement, and no log of statements, holds it.
"""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Final

from shared.errors import SettingsError
from shared.settings import Settings
from shared.store.engine import Engine
from shared.store.errors import StoreError

_LIMITS: Final = "readonly = 1 CONST, max_memory_usage = 2000000000 CONST, max_execution_time = 300 CONST"


async def keep_reader(engine: Engine, settings: Settings) -> None:
    """Make the reader, or give it today's password and the views there are today; nothing where no password is set.

    Raises SettingsError where the server refuses.
    """
    if settings.reader_password is None:
        return
    views = await public_views(engine)
    (database,) = (await engine.query("SELECT currentDatabase()")).rows[0]
    password = settings.reader_password.get_secret_value()
    try:
        for statement in reader_statements(settings.reader_username, password, str(database), views):
            await engine.command(statement)
    except StoreError as error:
        raise SettingsError(
            f"TALLYMAN_READER_PASSWORD: the ClickHouse server does not let us make {settings.reader_username}. Let the "
            "user of TALLYMAN_CLICKHOUSE_USERNAME manage access (CREATE USER, ALTER USER, and SELECT on the database "
            f"WITH GRANT OPTION), or leave the password unset. It said: {error}"
        ) from error


async def public_views(engine: Engine) -> list[str]:
    """Return the names of the public views: those that say what they are."""
    found = await engine.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' AND comment != '' "
        "ORDER BY name"
    )
    return [str(name) for (name,) in found.rows]


def reader_statements(user: str, password: str, database: str, views: Iterable[str]) -> list[str]:
    """Return the statements that make the reader; all can be run again."""
    salt = secrets.token_hex(16)
    hashed = hashlib.sha256((password + salt).encode()).hexdigest()
    known = f"`{user}` IDENTIFIED WITH sha256_hash BY '{hashed}' SALT '{salt}' SETTINGS {_LIMITS}"
    names = list(views)
    return [
        f"CREATE USER IF NOT EXISTS {known}",
        f"ALTER USER {known}",
        *(f"ALTER TABLE `{view}` MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER" for view in names),
        f"REVOKE ALL ON `{database}`.* FROM `{user}`",
        *(f"GRANT SELECT ON `{database}`.`{view}` TO `{user}`" for view in names),
    ]
