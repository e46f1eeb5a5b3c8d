"""What the tests need and is missing is brought, or named with what to type; it is never a reason to skip."""

import re
import shutil
from pathlib import Path

from tests.contract.source_tree import ROOT
from tests.support.prerequisites import PARTS, Part, bring, how_to_install, missing


def _part(program: str, downloaded: Path | None = None) -> Part:
    """Return a part that Debian does not package.  downloaded: the file that its download writes; None = it fails."""

    def download() -> bool:
        if downloaded:
            downloaded.write_text(program)
        return downloaded is not None

    return Part(program, "forging things", None, f"usr/bin/{program}", download, f"install {program}", False)


def test_only_what_is_not_here_is_missing() -> None:
    lacking = _part("anvil-of-tallyman")
    assert missing([_part("git"), lacking]) == [lacking]


def test_what_no_package_has_is_downloaded(tmp_path: Path) -> None:
    bring([_part("anvil-of-tallyman", tmp_path / "anvil"), _part("hammer-of-tallyman")])
    assert (tmp_path / "anvil").read_text() == "anvil-of-tallyman"


def test_all_that_is_missing_is_named_with_its_use_and_one_command_where_there_is_apt() -> None:
    message = how_to_install(PARTS)
    assert [part.name for part in PARTS if f"  {part.name}: {part.used_for}\n" not in message] == []
    if shutil.which("apt-get"):
        assert message.endswith("  sudo apt-get install docker-registry chromium")
    else:
        assert [part.name for part in PARTS if part.otherwise not in message] == []


def test_what_debian_does_not_package_is_named_with_its_own_command() -> None:
    assert how_to_install([_part("anvil-of-tallyman")]).endswith("start over:\n  install anvil-of-tallyman")


def test_no_test_is_skipped() -> None:
    marks = re.compile(r"pytest\.(skip|importorskip|mark\.xfail|mark\.skip(?!if\(sys\.platform))")
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "test_prerequisites.py"]
    assert [path.name for path in tests if marks.search(path.read_text(encoding="utf-8"))] == []
