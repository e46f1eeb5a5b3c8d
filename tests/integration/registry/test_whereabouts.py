"""Whether a process beside this one has ended: real processes."""

import subprocess
import sys
import time

import pytest

from shared.registry.sharing.whereabouts import boot_seconds, has_ended, whereabouts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not tell")

_TELL = "from shared.registry.sharing.whereabouts import whereabouts; print(whereabouts(), flush=True); input()"


def test_a_process_that_runs_has_not_ended_and_one_that_was_killed_has() -> None:
    with subprocess.Popen([sys.executable, "-c", _TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        where = process.stdout.readline().decode().strip()
        assert not has_ended(where)
        process.kill()
        process.wait()
        assert has_ended(where)


def test_another_that_got_its_number_is_not_it() -> None:
    own = whereabouts()
    assert not has_ended(own)
    assert has_ended(own + "1")


@pytest.mark.parametrize("elsewhere", ["", "nonsense", "other-boot:pid:[1]:1@2", ":::@", "a:b:²@1"])
def test_of_a_process_elsewhere_nothing_is_known(elsewhere: str) -> None:
    assert not has_ended(elsewhere)


def test_the_clock_goes_on() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = boot_seconds()
    assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)
