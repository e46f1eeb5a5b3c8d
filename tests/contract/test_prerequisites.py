"""What the tests need and lack is told by name, with what to type; it is never a reason to skip."""

import re

from tests.contract.source_tree import ROOT
from tests.support.prerequisites import PARTS, Part, missing, told

HERE = Part("make", "starting things", "apt-get install make", present=lambda: True)
LACKING = Part("anvil", "forging things", "apt-get install anvil", present=lambda: False)


def test_only_what_is_not_here_is_missing() -> None:
    assert missing([HERE, LACKING]) == [LACKING]


def test_a_missing_part_is_told_with_its_use_and_its_installation() -> None:
    sentence = told([LACKING])
    assert [word for word in ("anvil", "forging things", "apt-get install anvil") if word not in sentence] == []


def test_continuous_integration_installs_every_part() -> None:
    packages = dict(re.findall(r"^    \[([\w-]+)\]=([\w-]+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE))
    assert {part.name for part in PARTS} <= packages.keys()
    assert [part.name for part in PARTS if not part.install.endswith(packages[part.name])] == []


def test_no_test_is_skipped() -> None:
    marks = re.compile(r"pytest\.(skip|importorskip|mark\.xfail|mark\.skip(?!if\(sys\.platform))")
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.name != "test_prerequisites.py"]
    assert [path.name for path in tests if marks.search(path.read_text(encoding="utf-8"))] == []
