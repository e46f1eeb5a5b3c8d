"""What one process tells of its registries, and what it says of others."""

import asyncio
from dataclasses import dataclass

from shared.messages.budget_claimed import Beat, Gone, Silent
from shared.messages.connection_changed import Connection
from shared.registry.pool import Pool
from shared.registry.sharing.allowance import CONNECTIONS_TTL, REQUESTS_TTL
from shared.registry.sharing.ledger import Record
from shared.registry.sharing.member import Member

CONNECTION = Connection(
    registry="a1b2c3d4", slot=0, name="test", host="http://r.example", max_rps=50, max_connections=16, revision=3
)
OTHER = "0therw0rker"


class Session:
    """What a line leads to."""

    def close(self) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@dataclass
class Log:
    """A member alone with its log, and a clock.  ended: whereabouts of processes that are gone."""

    now: float = 100.0
    position: int = -1
    ended: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.member = Member(2, lambda: self.now, "here", lambda process: process in self.ended)

    def put(self, record: Record) -> None:
        self.position += 1
        self.member.read(self.position, record, 0)

    def beat(self) -> Beat:
        beat = self.member.beat()
        self.put(beat)
        return beat


def other(number: int, **fields: object) -> Beat:
    return Beat.model_validate({"worker": OTHER, "number": number, "seen": -1, "settled": -1, **fields})


async def test_who_wants_nothing_claims_nothing() -> None:
    log = Log()
    log.member.of(CONNECTION)
    assert log.beat().claims == ()


async def test_what_waits_is_claimed_at_once_and_granted_once_it_is_read_back() -> None:
    log = Log()
    budget = log.member.of(CONNECTION)
    log.beat()
    waiting = asyncio.create_task(budget.pace())
    await asyncio.sleep(0.05)
    assert log.member.urgent.is_set()
    (claim,) = log.beat().claims
    assert (claim.stage, claim.requests, claim.max_rps, claim.max_connections) == (2, 50, 50, 16)
    await asyncio.wait_for(waiting, 1)


async def test_what_the_registry_asked_for_is_told_though_nothing_is_wanted() -> None:
    log = Log()
    budget = log.member.of(CONNECTION)
    budget.heard(429, {}, 30.0)
    assert log.member.urgent.is_set()
    (claim,) = log.beat().claims
    assert (claim.requests, claim.max_rps) == (0, 0)
    budget.refuse(CONNECTION.revision)
    assert log.beat().claims[0].refused == CONNECTION.revision


async def test_a_rejected_sign_in_that_another_tells_is_known_until_the_connection_is_saved_again() -> None:
    log = Log()
    claim = {"registry": "a1b2c3d4", "stage": 0, "requests": 0, "connections": 0, "max_rps": 50, "max_connections": 16}
    log.put(other(1, claims=[{**claim, "refused": 3}]))
    log.member.listening.set()
    budget = log.member.of(CONNECTION)
    assert await budget.is_refused(3)
    assert not await log.member.of(CONNECTION.model_copy(update={"revision": 4})).is_refused(4)


async def test_an_older_revision_does_not_change_the_limits() -> None:
    log = Log()
    budget = log.member.of(CONNECTION)
    log.member.of(CONNECTION.model_copy(update={"revision": 2, "max_rps": 999}))
    assert budget.max_rps == 50


async def test_it_tells_to_have_settled_only_once_it_has_no_more_open_than_it_may() -> None:
    log = Log()
    budget = log.member.of(CONNECTION)
    waiting = asyncio.create_task(budget.pace())
    await asyncio.sleep(0)
    log.beat()
    await waiting
    line = await Pool(budget.permits, 4, 60, Session).enter()
    log.beat()
    before = log.position
    claim = {"registry": "a1b2c3d4", "stage": 0, "requests": 9, "connections": 9, "max_rps": 50, "max_connections": 0}
    log.put(other(1, claims=[claim]))
    assert [log.beat().settled for _ in range(3)] == [before] * 3
    line.leave()
    await asyncio.sleep(0.01)
    assert log.beat().settled == log.position - 1


def farewells(log: Log) -> list[Silent | Gone]:
    log.beat()
    return log.member.farewells()


async def test_who_was_not_heard_of_is_silent_and_much_later_gone() -> None:
    log = Log()
    log.beat()
    log.put(other(4))
    silent = None
    for _ in range(round((CONNECTIONS_TTL + 3) / 0.4)):
        log.now += 0.4
        told = farewells(log)
        if log.now < 100 + REQUESTS_TTL:
            assert told == []
        for one in told:
            log.put(one)
        if silent is None and told:
            silent = told
    assert silent == [Silent(worker=OTHER, number=4)]
    assert told == []
    assert log.member.state(CONNECTION).processes == 0


async def test_who_is_seen_to_have_ended_is_gone_at_once() -> None:
    log = Log(ended=frozenset({"beside"}))
    log.beat()
    log.put(other(4, process="beside"))
    for _ in range(3):
        log.now += 0.4
        told = farewells(log)
    assert told == [Gone(worker=OTHER, number=4)]


async def test_another_log_is_begun_as_another_worker() -> None:
    log = Log()
    before = log.beat().worker
    log.member.begin_anew()
    assert log.member.position == -1
    beat = log.member.beat()
    assert (beat.number, beat.worker != before) == (1, True)
