"""The health check tells a beating process from a silent, a missing and a lying one."""

import asyncio
from pathlib import Path

import pytest

from shared.observability import heartbeat


def test_a_process_that_beat_a_moment_ago_is_well(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    heartbeat.write_beat(file, now=1000.0)
    assert heartbeat.what_is_wrong(file, now=1000.0 + heartbeat.BEAT_SECONDS) is None


@pytest.mark.parametrize("later", [heartbeat.SILENT_SECONDS, 10_000.0, -1.0])
def test_a_silent_process_and_a_beat_of_before_a_reboot_are_not_well(tmp_path: Path, later: float) -> None:
    file = tmp_path / "alive"
    heartbeat.write_beat(file, now=1000.0)
    assert "last heartbeat" in str(heartbeat.what_is_wrong(file, now=1000.0 + later))


def test_a_process_that_never_beat_is_not_well(tmp_path: Path) -> None:
    assert "has not started" in str(heartbeat.what_is_wrong(tmp_path / "alive", now=1.0))


@pytest.mark.parametrize("content", [b"", b"soon", b"nan", b"\xff\xfe"])
def test_a_file_that_holds_no_beat_is_not_well(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "alive"
    file.write_bytes(content)
    assert heartbeat.what_is_wrong(file, now=1.0)


def _names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def test_beating_starts_with_the_block_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    async with heartbeat.beating(file):
        assert _names(tmp_path) == [file.name]
    assert _names(tmp_path) == []


async def test_without_a_file_nothing_beats() -> None:
    before = asyncio.all_tasks()
    async with heartbeat.beating(None):
        assert asyncio.all_tasks() == before


def test_the_check_reads_the_file_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "alive"
    monkeypatch.setenv("TALLYMAN_HEARTBEAT", str(file))
    assert heartbeat.main() == 1
    assert str(file) in capsys.readouterr().err
    heartbeat.write_beat(file, now=1000.0)
    assert heartbeat.main(lambda: 1000.0) == 0


def test_the_check_says_which_setting_is_missing_or_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TALLYMAN_HEARTBEAT", raising=False)
    assert heartbeat.main() == 1
    assert "TALLYMAN_HEARTBEAT" in capsys.readouterr().err
    monkeypatch.setenv("TALLYMAN_PARTITIONS", "none")
    assert heartbeat.main() == 1
    assert "TALLYMAN_PARTITIONS" in capsys.readouterr().err
