"""The locks can be installed on every supported machine, by the hashes in them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.platforms import BUILT, MACHINES, ROOT, Machine, Package, Unresolvable, locked, resolve

LOCKS = ("requirements-build.lock", "requirements.lock", "requirements-dev.lock")
PROCESSES = 4

Resolved = dict[Machine, list[Package]]


@pytest.fixture(scope="module", params=LOCKS)
def lock(request: pytest.FixtureRequest) -> Path:
    return ROOT / str(request.param)


@pytest.fixture(scope="module")
def resolved(lock: Path) -> Resolved:
    """What the lock needs on each machine."""
    with ThreadPoolExecutor(PROCESSES) as threads:
        return dict(zip(MACHINES, threads.map(lambda machine: resolve(lock, machine), MACHINES), strict=True))


def test_a_lock_pins_all_that_its_packages_need_on_each_machine(lock: Path, resolved: Resolved) -> None:
    pinned = locked(lock)
    unpinned = [
        (machine, package.name, package.version)
        for machine, packages in resolved.items()
        for package in packages
        if (package.name, package.version) not in pinned
    ]
    assert unpinned == []


def test_each_package_has_a_wheel_with_a_locked_hash_or_is_the_one_that_is_built(
    lock: Path, resolved: Resolved
) -> None:
    pinned = locked(lock)
    without = [
        (machine, package.name)
        for machine, packages in resolved.items()
        for package in packages
        if not pinned[package.name, package.version] & package.wheels
        and not (package.name == BUILT and pinned[package.name, package.version] & package.source)
    ]
    assert without == []


def test_only_the_package_that_is_built_may_come_without_a_wheel() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lock = ROOT / name
        wheels = {line.split()[1] for line in lock.read_text().splitlines() if line.startswith("--only-binary ")}
        assert {package for package, _ in locked(lock)} - wheels == {BUILT}


def test_a_lock_without_a_marker_is_refused_where_the_package_has_no_wheel(tmp_path: Path) -> None:
    lock = tmp_path / "old.lock"
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lock.write_text(text.replace(" ; python_full_version < '3.14' ", " "), encoding="utf-8")
    with pytest.raises(Unresolvable, match=r"backports-zstd==\S+ has no usable wheels"):
        resolve(lock, Machine("3.14", "x86_64-manylinux_2_28"))


def test_a_lock_whose_marker_leaves_out_a_machine_misses_a_pin_there(tmp_path: Path) -> None:
    lock = tmp_path / "narrow.lock"
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lock.write_text(text.replace("; python_full_version < '3.14'", "; python_full_version < '3.12'"), encoding="utf-8")
    needed = {package.name for package in resolve(lock, Machine("3.13", "x86_64-manylinux_2_28"))}
    assert "backports-zstd" in needed
