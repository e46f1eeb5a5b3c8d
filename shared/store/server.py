"""A ClickHouse server over HTTP."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.external import ExternalData

from shared.errors import SettingsError
from shared.settings import Settings
from shared.store.engine import Setting
from shared.store.errors import StoreUnavailable, innermost
from shared.store.keys import FORMAT, KEYS, Keys

_SIGN_IN: Final = (192, 193, 516)  # unknown user, wrong password, either
_UNKNOWN_DATABASE: Final = 81
_PORTS: Final = {"http": 8123, "https": 8443}


class Server:
    """The way in. A client keeps no session, so that a lost answer locks nothing."""

    def __init__(self, settings: Settings) -> None:
        if settings.clickhouse is None:
            raise SettingsError("TALLYMAN_CLICKHOUSE: no server is set.")
        url = urlsplit(settings.clickhouse)
        password = settings.clickhouse_password
        self.where: Final = f"The store at {url.netloc}"
        self.threads: Final = 8
        self._options: Final[dict[str, Any]] = {
            "interface": url.scheme,
            "host": url.hostname,
            "port": url.port or _PORTS[url.scheme],
            "database": url.path.removeprefix("/") or None,
            "username": settings.clickhouse_username,
            "password": password.get_secret_value() if password else "",
            "ca_cert": str(settings.clickhouse_ca) if settings.clickhouse_ca else None,
        }

    def connect(self, settings: Mapping[str, Setting]) -> Client:
        return clickhouse_connect.get_client(
            **self._options, settings=dict(settings), autogenerate_session_id=False, tz_mode="aware"
        )

    @contextmanager
    def with_keys(self, client: Client, keys: Keys) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """External data: sent beside the query."""
        data = ExternalData(file_name=KEYS, data=keys.body(), fmt=FORMAT, structure=keys.structure)
        yield keys.selected(), {"external_data": data}

    def setting_to_blame(self, error: StoreUnavailable) -> SettingsError | None:
        """Return what setting keeps us out at a start, None where it is the server's own trouble."""
        if error.code in _SIGN_IN:
            return SettingsError(
                f"TALLYMAN_CLICKHOUSE_USERNAME, TALLYMAN_CLICKHOUSE_PASSWORD: {self.where} does not know this user "
                "with this password."
            )
        if error.code == _UNKNOWN_DATABASE:
            database = self._options["database"]
            return SettingsError(
                f"TALLYMAN_CLICKHOUSE: {self.where} has no database {database}; create it with CREATE DATABASE "
                f"{database}, or name another."
            )
        cause = innermost(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SettingsError(
                f"TALLYMAN_CLICKHOUSE_CA: the certificate of {self.where[0].lower()}{self.where[1:]} is not trusted: "
                f"{cause.verify_message}; name the PEM file of the CA that signed it."
            )
        return None
