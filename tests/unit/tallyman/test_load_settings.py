"""What the options of `load` and `run` mean."""

from pathlib import Path

import pytest
import typer

from tallyman.commands.load import connection_settings
from tallyman.options import given_settings, trust_settings
from tests.support.certificates import make_authority


def test_an_option_that_was_not_given_leaves_the_setting_as_it_was() -> None:
    assert connection_settings(name=None, username="reader", page_size=None) == {"username": "reader"}
    assert trust_settings(insecure=False, ca=None) == {}


def test_insecure_and_ca_undo_each_other(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    file = tmp_path / "bundle.pem"
    file.write_text("# Főtanúsítvány\n" + authority.certificate_file.read_text(), encoding="utf-8")
    given = connection_settings(**trust_settings(insecure=False, ca=file))
    assert given["skip_tls_verification"] is False
    assert given["ca"] == authority.certificate_file.read_text().strip()
    assert connection_settings(**trust_settings(insecure=True, ca=None)) == {"skip_tls_verification": True, "ca": None}


def test_insecure_and_ca_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="leave --ca out"):
        trust_settings(insecure=True, ca=make_authority(tmp_path).certificate_file)


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_ca_file_without_certificates_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(text)
    with pytest.raises(typer.BadParameter, match="not a readable file of PEM certificates"):
        trust_settings(insecure=False, ca=file)


def test_idle_connections_follow_the_most_unless_they_are_given_themselves() -> None:
    assert given_settings({"max_connections": 4}) == {"max_connections": 4, "max_keepalive_connections": 4}
    both = {"max_connections": 4, "max_keepalive_connections": 1}
    assert given_settings(both) == both


def test_an_empty_value_takes_a_setting_away() -> None:
    given = {"username": "", "include": [""], "newest_tags": 0, "ca": "", "max_rps": None}
    assert given_settings(given) == {"username": None, "include": (), "newest_tags": None, "ca": None}
