"""What native code writes goes to the log while a block runs, and to the streams before and after."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.store.engine_output import written_to


def test_what_is_written_inside_is_in_the_log_and_nothing_else(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "engine.log"
    print("before")
    with written_to(log):
        os.write(1, b"native out\n")
        os.write(2, b"native error\n")
        subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
    print("after", file=sys.stderr)
    assert log.read_text() == "native out\nnative error\na child\n"
    assert capfd.readouterr() == ("before\n", "after\n")


def test_the_streams_are_put_back_after_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="wrong"), written_to(tmp_path / "engine.log"):
        raise ValueError("wrong")
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_a_log_grows_and_is_its_owners(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    for word in (b"first ", b"second"):
        with written_to(log):
            os.write(2, word)
    assert log.read_bytes() == b"first second"
    assert log.stat().st_mode & 0o777 == 0o600


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    def open_ones() -> set[str]:
        return set(os.listdir("/dev/fd"))

    before = open_ones()
    with written_to(tmp_path / "engine.log"):
        pass
    assert open_ones() == before


def test_a_program_without_streams_stays_without(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from shared.store.engine_output import written_to

os.close(1), os.close(2)
sys.stdout = sys.stderr = None
with written_to(Path(sys.argv[1])):
    os.write(2, b"native")
for stream in (1, 2):
    try:
        os.fstat(stream)
    except OSError:
        continue
    sys.exit(3)
"""
    log = tmp_path / "engine.log"
    assert subprocess.run([sys.executable, "-c", code, log], check=False).returncode == 0
    assert log.read_bytes() == b"native"
