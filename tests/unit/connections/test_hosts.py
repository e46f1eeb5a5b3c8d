"""When two hosts are one, and what a host is called."""

import pytest

from shared.connections.hosts import default_name, same_host
from tests.unit.connections.samples import a_connection


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://registry.example.com", "https://REGISTRY.example.com/"),
        ("https://registry.example.com", "https://registry.example.com:443"),
        ("http://registry.example.com:80/x/", "http://registry.example.com/x"),
        ("https://[::1]:5000", "https://[::1]:5000/"),
    ],
)
def test_case_default_port_and_trailing_slash_make_no_difference(one: str, other: str) -> None:
    assert same_host(one, other)


@pytest.mark.parametrize("other", ["http://host.example", "https://host.example:80", "https://host.example/A", "host"])
def test_protocol_port_and_path_do(other: str) -> None:
    assert not same_host("https://host.example", other)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("http://127.0.0.1:5000", "127.0.0.1:5000"),
        ("https://Registry.Example.com/path", "registry.example.com"),
        ("https://[2001:db8::1]:5000", "2001:db8::1-:5000"),
        ("https://реестр.example", "example"),
        ("https://" + "a" * 300, "a" * 96),
    ],
)
def test_a_default_name_is_one_that_a_connection_may_have(host: str, name: str) -> None:
    assert default_name(host) == name
    assert a_connection(name=name).name == name
