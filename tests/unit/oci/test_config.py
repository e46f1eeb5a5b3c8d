"""The config blob of an image."""

from datetime import UTC, datetime

import pytest

from shared.errors import PermanentError
from shared.oci.config import ParsedConfig, parse_config
from shared.oci.platform import Platform
from tests.unit.oci.documents import body


def test_a_config_tells_platform_and_creation_time() -> None:
    document = {
        "os": "windows",
        "architecture": "arm",
        "variant": "v7",
        "os.version": "10.0.1",
        "created": "2024-05-06T07:08:09.123456789+02:00",
        "rootfs": {"type": "layers"},
    }

    assert parse_config(body(document)) == ParsedConfig(
        Platform(os="windows", architecture="arm", variant="v7", os_version="10.0.1"),
        datetime(2024, 5, 6, 5, 8, 9, 123_456, UTC),
    )


@pytest.mark.parametrize("document", [{}, {"os": None, "architecture": None}])
def test_what_a_config_does_not_tell_is_empty(document: dict[str, None]) -> None:
    assert parse_config(body(document)) == ParsedConfig(Platform(), None)


@pytest.mark.parametrize(
    "created",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2300-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "yesterday",
        "",
        17,
        1e400,
        ["2024-01-01T00:00:00Z"],
        "2024-01-01T00:00:00+99:99",
    ],
)
def test_a_senseless_creation_time_is_none_and_refuses_no_image(created: object) -> None:
    assert parse_config(body({"os": "linux", "created": created})).created is None


def test_the_epoch_of_reproducible_builds_is_a_creation_time() -> None:
    assert parse_config(body({"created": "1970-01-01T00:00:00Z"})).created == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_time_without_zone_is_utc() -> None:
    assert parse_config(body({"created": "2024-01-01T00:00:00"})).created == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong", [b"", b"null", b"[]", b'{"os": 7}', b'{"os": "a\\nb"}', b'{"variant": "' + b"v" * 256 + b'"}', b"\xff\xfe"]
)
def test_what_is_no_config_is_a_clear_error(wrong: bytes) -> None:
    with pytest.raises(
        PermanentError, match=r"The image's config is not what the registry API promises \(.+\)\. Push"
    ) as refused:
        parse_config(wrong)
    assert refused.value.reason == "config_malformed"
