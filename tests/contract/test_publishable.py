"""Nothing that is committed names a machine, a download address or a secret's place."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.contract.source_tree import CODE, ROOT, tracked_files

# Written in pieces, so that this file does not hold what it looks for.
ADDRESSES = [
    "pypi" + ".org",
    "python" + "hosted",
    "npm" + "js",
    "maven" + ".org",
    "repo.maven" + ".apache",
    "proxy.golang" + ".org",
    "crates" + ".io",
    "debian" + ".org",
    "--index" + "-url",
    "--find" + "-links",
]
FORBIDDEN = re.compile(
    "|".join([*(re.escape(address) for address in ADDRESSES), r"(?<![\w.~-])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me)/"])
)
LOCKS = [path for path in tracked_files() if path.suffix == ".lock"]


def test_no_tracked_file_names_a_registry_of_packages_or_a_path_of_a_machine() -> None:
    named = [
        f"{path}:{number}: {found.group()}"
        for path in tracked_files()
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if (found := FORBIDDEN.search(line))
    ]
    assert named == []


def test_locks_are_there_for_packages_and_for_jars() -> None:
    assert {path.name for path in LOCKS} >= {
        "requirements-build.lock",
        "requirements.lock",
        "requirements-dev.lock",
        "jars.lock",
    }


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_a_lock_pins_by_hash_and_carries_no_address(lock: Path) -> None:
    text = _text(lock)
    assert "://" not in text
    assert re.search(r"[0-9a-f]{64}", text)


def test_the_packages_of_the_tests_agree_with_those_of_the_product() -> None:
    ours, tests = _pins("requirements.lock"), _pins("requirements-dev.lock")
    assert {name: tests.get(name) for name in ours} == ours


def test_the_packages_of_the_build_agree_with_those_of_the_product() -> None:
    build, ours = _pins("requirements-build.lock"), _pins("requirements.lock")
    assert {name: ours[name] for name in build if name in ours} == {name: build[name] for name in build if name in ours}


def test_every_package_that_the_product_asks_for_is_pinned() -> None:
    project = tomllib.loads(_text(Path("pyproject.toml")))["project"]
    asked = {re.split(r"[^\w-]", need)[0].lower() for need in project["dependencies"]}
    assert asked - _pins("requirements.lock").keys() == set()


def test_every_data_file_of_the_code_is_packed_with_it() -> None:
    packed = tomllib.loads(_text(Path("pyproject.toml")))["tool"]["setuptools"]["package-data"]["*"]
    data = [path for path in tracked_files() if path.parts[0] in CODE and path.suffix != ".py"]
    assert [path for path in data if not any(path.match(pattern) for pattern in packed)] == []


def _pins(lock: str) -> dict[str, str]:
    """Return each package's version and marker."""
    return dict(re.findall(r"^([\w.-]+)==(.+?) \\$", _text(Path(lock)), re.MULTILINE))


def _text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")
