"""Log lines: constant messages with fields, what is at work on each, and no stranger writes a line of its own."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from shared.observability.logs import at_work, configure_logs, log_of
from shared.observability.tracing import spanned

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    configure_logs("warning")


def test_a_line_is_key_value_pairs_in_one_order(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("info")
    log_of("tagger").info("page listed", tags=3, repository="a/b", cursor=None)
    (line,) = capfd.readouterr().err.splitlines()
    head, _, rest = line.partition(" ")
    assert head.startswith("timestamp=20")
    assert rest == 'level=info stage=tagger event="page listed" repository=a/b tags=3'


def test_what_is_below_the_level_is_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning")
    log_of("tagger").info("page listed")
    assert capfd.readouterr().err == ""


def test_json_lines_on_wish(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    log_of("sink").warning("batch postponed", seconds=1.5, why=ValueError("no\nway"))
    told = json.loads(capfd.readouterr().err)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"level": "warning", "stage": "sink", "event": "batch postponed", "seconds": 1.5, "why": "no\\nway"}


async def test_what_is_at_work_is_told_on_each_line_of_that_work_alone(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    carried = [("traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())]

    async def work(repository: str) -> None:
        with at_work(registry="abcdefgh", repository=repository, scan=7), spanned("tagger", [carried], {}):
            await asyncio.sleep(0)
            log_of("tagger").info(repository)

    await asyncio.gather(work("a"), work("b"))
    log_of("tagger").info("idle")
    *lines, idle = map(json.loads, capfd.readouterr().err.splitlines())
    for line in lines:
        assert (line["repository"], line["registry"], line["scan"], line["trace"]) == (
            line["event"],
            "abcdefgh",
            7,
            TRACE,
        )
    assert not {"repository", "registry", "scan", "trace"} & idle.keys()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_stranger_writes_a_line(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", form)  # type: ignore[arg-type]
    log_of("tagger").info("page listed", repository='a"\r\nlevel=error event="all is lost"\x1b[31m')
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "\r" not in err
    assert "\x1b" not in err
