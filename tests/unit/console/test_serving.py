"""Where the console listens, by which names it is reached, and where it refuses to."""

from pathlib import Path

import pytest

from services.console.serving import address_of
from shared.errors import SettingsError
from shared.settings import Settings


def test_on_loopback_it_is_reached_by_the_names_of_this_machine() -> None:
    address = address_of(Settings(console="127.0.0.1:8321"))
    assert address.url == "http://127.0.0.1:8321/"
    assert set(address.hosts) == {"127.0.0.1:8321", "localhost:8321", "[::1]:8321"}
    assert "tallyman.example.com" in address_of(Settings(console_hosts="tallyman.example.com, x:1")).hosts
    assert address_of(Settings(console="[::1]:8321")).url == "http://[::1]:8321/"


@pytest.mark.parametrize("console", ["0.0.0.0:8321", "192.168.1.5:8321", "tallyman.example.com:8321", "[::]:8321"])
def test_off_loopback_it_listens_only_with_tls_or_behind_a_proxy(console: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TALLYMAN_CONSOLE_TLS_CERTIFICATE"):
        address_of(Settings(console=console))
    address_of(Settings(console=console, console_trusted_proxy="10.0.0.1"))
    file = tmp_path / "pem"
    file.touch()
    with_tls = Settings(console=console, console_tls_certificate=file, console_tls_key=file)
    assert address_of(with_tls).url.startswith("https://")


@pytest.mark.parametrize("console", ["8321", ":8321", "a b:1", "host:port"])
def test_what_is_no_address_is_refused(console: str) -> None:
    with pytest.raises(ValueError, match="console"):
        Settings(console=console)


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="there is no port"):
        address_of(Settings(console="127.0.0.1:65536"))
