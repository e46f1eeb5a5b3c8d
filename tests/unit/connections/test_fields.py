"""What a person sets of a connection: each field told, each wrong value refused with its reason."""

import pytest
from pydantic import ValidationError

from shared.messages.addresses import why_refused
from shared.messages.connection_changed import Connection
from shared.messages.connection_fields import ConnectionFields, Group, cautions
from tests.unit.connections.samples import a_connection

# design.md, section 2, and what is ours beside it.
REQUIRED = {
    *("name", "type", "is_active", "auth_type", "host", "max_connections", "max_keepalive_connections"),
    *("keepalive_expiry_seconds", "page_size", "connect_timeout_seconds", "pool_timeout_seconds"),
    *("read_timeout_seconds", "write_timeout_seconds", "max_rps", "skip_tls_verification", "username", "password"),
    *("load_full_images_list", "load_interval_seconds", "ca", "include", "exclude", "repositories", "shards"),
}


def test_a_connection_has_every_field() -> None:
    assert set(Connection.model_fields) >= REQUIRED


@pytest.mark.parametrize("name", ConnectionFields.model_fields)
def test_every_field_tells_its_title_its_group_and_what_it_is(name: str) -> None:
    field = ConnectionFields.model_fields[name]
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    assert field.title
    assert field.description
    assert extra["group"] in set(Group)
    assert not name.endswith("_seconds") or extra["unit"] == "seconds"


WRONG = {
    "no protocol": ({"host": "registry.example.com"}, "starts with https://"),
    "credentials in the host": ({"host": "https://me:pw@registry.example.com"}, "no user name or password"),
    "link-local": ({"host": "http://169.254.169.254"}, "link-local"),
    "link-local IPv6": ({"host": "http://[fe80::1]"}, "link-local"),
    "mapped link-local": ({"host": "http://[::ffff:169.254.169.254]"}, "link-local"),
    "a number": ({"host": "http://2852039166"}, "link-local"),
    "a cloud's metadata": ({"host": "http://metadata.google.internal"}, "metadata service"),
    "another cloud's": ({"host": "https://100.100.100.200"}, "metadata service"),
    "a private key as CA": (
        {"ca": "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----"},
        "holds a private key",
    ),
    "GitLab with Basic": ({"type": "gitlab", "auth_type": "basic"}, "take tokens only: choose bearer"),
    "no requests": ({"max_rps": 0}, "greater than or equal to 1"),
    "an endless wait": ({"pool_timeout_seconds": 1e9}, "less than or equal to 3600"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_refused_with_the_reason(case: str) -> None:
    fields, told = WRONG[case]
    with pytest.raises(ValidationError, match=told):
        a_connection(**fields)


@pytest.mark.parametrize("host", ["10.0.0.5", "127.0.0.1", "192.168.1.1", "registry.example.com", "::1", "8.8.8.8"])
def test_private_and_public_addresses_are_registries_hosts(host: str) -> None:
    assert why_refused(host) is None


def test_a_pool_timeout_too_small_for_the_requests_and_connections_is_warned_of() -> None:
    warned = cautions(a_connection(max_rps=1, max_connections=16, pool_timeout_seconds=5))
    assert "Raise the pool timeout to 18 seconds" in warned["pool_timeout_seconds"]
    assert "pool_timeout_seconds" not in cautions(a_connection(max_rps=50))


def test_what_is_allowed_and_will_be_regretted_is_warned_of() -> None:
    warned = cautions(a_connection(host="http://registry.example.com", username="me", skip_tls_verification=True))
    assert {"host", "skip_tls_verification"} <= warned.keys()
    assert cautions(a_connection()) == {}
