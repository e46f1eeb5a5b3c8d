"""The README says nothing that is not so."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

from shared.settings import Settings
from tests.contract.source_tree import ROOT, tracked_files
from tests.contract.test_commands import HELPED
from tests.support.settings_table import README, settings_table, variable, written_table

TEXT = README.read_text(encoding="utf-8")


def test_the_settings_table_is_the_settings() -> None:
    assert written_table(TEXT) == settings_table(), "run: make settings-table"


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_variable_it_names_is_a_setting() -> None:
    named = set(re.findall(r"TALLYMAN_[A-Z_]*[A-Z]", TEXT))
    assert named <= {variable(field) for field in Settings.model_fields}


def test_every_make_command_it_names_exists() -> None:
    named = set(re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", TEXT, re.MULTILINE))
    assert {first or second for first, second in named} <= HELPED.keys()
    assert {"run", "test"} <= {first or second for first, second in named}


def test_every_command_of_the_command_line_it_names_exists() -> None:
    named = set(re.findall(r"(?:`|^    |bin/)tallyman ([a-z-]+)|run --rm cli ([a-z-]+)", TEXT, re.MULTILINE))
    tallyman = Path(sys.executable).with_name("tallyman")
    told = subprocess.run([tallyman, "--help"], check=True, capture_output=True, text=True).stdout
    assert {first or second for first, second in named} <= set(re.findall(r"[a-z-]+", told))


def test_every_file_it_links_to_exists() -> None:
    linked = {target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", TEXT) if "://" not in target}
    assert [target for target in linked if target and not (ROOT / target).exists()] == []


def test_every_module_it_starts_exists() -> None:
    named = set(re.findall(r"python -m ((?:services|shared|tallyman)[\w.]*)", TEXT))
    files = {str(path) for path in tracked_files()}
    places = {name: name.replace(".", "/") for name in named}
    assert [name for name, at in places.items() if not {f"{at}.py", f"{at}/__main__.py"} & files] == []


def test_every_heading_it_links_to_exists() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in re.findall(r"^#+ (.+)$", TEXT, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings


def test_every_alarm_is_explained() -> None:
    told = re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"), re.MULTILINE)
    alarms = yaml.safe_load((ROOT / "docs" / "monitoring" / "alerts.yml").read_text(encoding="utf-8"))
    assert told == [rule["alert"] for rule in alarms["groups"][0]["rules"]]
