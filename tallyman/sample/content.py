"""What lies in the sample registry: 25 repositories of a shop, some 240 tags, and of every kind of thing some."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.oci.media_types import DOCKER_LIST
from shared.oci.platform import Platform
from tallyman.sample.shelf import Document, Shelf, likely_number

_AMD64: Final = Platform(os="linux", architecture="amd64")
_ARM64: Final = Platform(os="linux", architecture="arm64")
_ARMV7: Final = Platform(os="linux", architecture="arm", variant="v7")
_ARMV6: Final = Platform(os="linux", architecture="arm", variant="v6")
_S390X: Final = Platform(os="linux", architecture="s390x")
_WINDOWS_2019: Final = Platform(os="windows", architecture="amd64", os_version="10.0.17763.6659")
_WINDOWS_2022: Final = Platform(os="windows", architecture="amd64", os_version="10.0.20348.2966")

_SERVICES: Final = (
    "identity/accounts",
    "identity/sessions",
    "logistics/labels",
    "logistics/routing",
    "logistics/tracking/carrier-bridge",
    "payments/gateway",
    "payments/ledger",
    "payments/payouts",
    "platform/api-gateway",
    "platform/cron_runner",
    "platform/feature-flags",
    "storefront/cart",
    "storefront/catalog",
    "storefront/recommendations",
    "storefront/search",
    "storefront/web",
)
_SIGNED: Final = ("identity/accounts", "payments/gateway", "payments/ledger", "platform/api-gateway", "storefront/web")
_LEGACY: Final = ("legacy/billing", "legacy/crm-sync", "legacy/mail-relay")
_CHARTS: Final = ("charts/payments", "charts/storefront")
_VERSIONS: Final = 8
_FIRST_RELEASE: Final = datetime(2025, 1, 6, 9, tzinfo=UTC)
_BETWEEN_RELEASES: Final = timedelta(weeks=5)


def sample_content() -> dict[str, Shelf]:
    """Return the repositories by name, the same at every call."""
    shelves = [
        *(_service(name) for name in _SERVICES),
        *(_legacy(name) for name in _LEGACY),
        *(_chart(name) for name in _CHARTS),
        _multi_arch("edge/sensor-gateway", (_ARMV6, _ARMV7, _ARM64)),
        _multi_arch("tools/toolbox", (_AMD64, _ARM64, _ARMV7, _S390X, _WINDOWS_2022)),
        _windows("desktop/print-agent"),
        _emptied("sandbox/prototype"),
    ]
    return {shelf.name: shelf for shelf in sorted(shelves, key=lambda shelf: shelf.name)}


def _service(name: str) -> Shelf:
    """Built by BuildKit for two platforms, with provenance; the newest signed and described, in some."""
    shelf = Shelf(name)
    releases = []
    for number in range(_VERSIONS):
        images = _images(shelf, number, (_AMD64, _ARM64))
        releases.append(shelf.index([*images, *(shelf.attestation(image) for image in images)]))
    newest = _version(name, _VERSIONS - 1)
    _tag_releases(shelf, releases, "latest", newest.partition(".")[0])
    if name in _SIGNED:
        shelf.signature(releases[-1])
        shelf.sbom(releases[-1], f"{newest}-sbom")
    return shelf


def _multi_arch(name: str, platforms: Sequence[Platform]) -> Shelf:
    shelf = Shelf(name)
    _tag_releases(shelf, [shelf.index(_images(shelf, number, platforms)) for number in range(_VERSIONS)], "latest")
    return shelf


def _legacy(name: str) -> Shelf:
    """Built by an old Docker for one platform."""
    shelf = Shelf(name)
    releases = [image for number in range(_VERSIONS) for image in _images(shelf, number, (_AMD64,), docker=True)]
    _tag_releases(shelf, releases, "stable")
    return shelf


def _windows(name: str) -> Shelf:
    """Docker manifest lists of two Windows versions."""
    shelf = Shelf(name)
    platforms = (_WINDOWS_2019, _WINDOWS_2022)
    releases = [shelf.index(_images(shelf, number, platforms, docker=True), DOCKER_LIST) for number in range(_VERSIONS)]
    _tag_releases(shelf, releases)
    return shelf


def _chart(name: str) -> Shelf:
    shelf = Shelf(name)
    _tag_releases(shelf, [shelf.chart(_version(name, number)) for number in range(_VERSIONS)])
    return shelf


def _emptied(name: str) -> Shelf:
    """Its tags were deleted; registries still name such a repository in their catalog."""
    shelf = Shelf(name)
    _images(shelf, 0, (_AMD64,))
    return shelf


def _images(shelf: Shelf, number: int, platforms: Sequence[Platform], *, docker: bool = False) -> list[Document]:
    version, created = _version(shelf.name, number), _created(shelf.name, number)
    return [shelf.image(version, created, platform, docker=docker) for platform in platforms]


def _tag_releases(shelf: Shelf, releases: Sequence[Document], *newest: str) -> None:
    for number, release in enumerate(releases):
        shelf.tag(release, _version(shelf.name, number))
    shelf.tag(releases[-1], *newest)


def _version(name: str, number: int) -> str:
    major = likely_number(1, 6, name, "major")
    return f"{major}.{number}.{likely_number(0, 12, name, 'patch', str(number))}"


def _created(name: str, number: int) -> str:
    late = timedelta(minutes=likely_number(0, 20_000, name, "minutes", str(number)))
    return (_FIRST_RELEASE + number * _BETWEEN_RELEASES + late).isoformat().replace("+00:00", "Z")
