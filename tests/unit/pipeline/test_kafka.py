"""How clients of ours are told to connect."""

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.errors import SettingsError
from shared.messages.topics import SCAN_REQUESTED
from shared.pipeline.kafka import client_options
from shared.pipeline.topics import group_name, topic_name, transaction_name
from shared.settings import Settings


def settings(**changes: object) -> Settings:
    return Settings().model_copy(update={"kafka": "kafka-1:9092,kafka-2:9092", **changes})


def test_a_plain_cluster_needs_its_address_alone() -> None:
    assert client_options(settings()) == {
        "bootstrap_servers": "kafka-1:9092,kafka-2:9092",
        "security_protocol": "PLAINTEXT",
    }


def test_sasl_signs_in_by_user_name_and_password_and_tls_checks_the_broker() -> None:
    options = client_options(
        settings(kafka_security="SASL_SSL", kafka_username="tally", kafka_password=SecretStr("secret"))
    )
    assert (options["sasl_mechanism"], options["sasl_plain_username"], options["sasl_plain_password"]) == (
        "SCRAM-SHA-512",
        "tally",
        "secret",
    )
    assert options["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert options["ssl_context"].check_hostname


def test_no_broker_is_told_in_a_sentence() -> None:
    with pytest.raises(SettingsError, match="set TALLYMAN_KAFKA, or start the embedded broker first"):
        client_options(Settings().model_copy(update={"kafka": None}))


def test_a_ca_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("not a certificate")
    with pytest.raises(SettingsError, match=rf"TALLYMAN_KAFKA_CA names {ca}, which holds no readable PEM certificate"):
        client_options(settings(kafka_security="SSL", kafka_ca=ca))


def test_a_prefix_stands_before_every_name_on_the_cluster() -> None:
    own = settings(topic_prefix="team-a.")
    assert topic_name(own, SCAN_REQUESTED) == "team-a.scan.requested"
    assert group_name(own, "lister") == "team-a.lister"
    assert transaction_name(own, "connections") == "team-a.connections"
