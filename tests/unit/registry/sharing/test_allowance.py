"""What a worker may use: who comes, who goes, who falls silent, who is alone, and how long a share takes to move."""

from collections.abc import Callable
from itertools import pairwise

from shared.messages.budget_claimed import Beat, Claim, Gone, Silent
from shared.registry.sharing.allowance import CONNECTIONS_TTL, REQUESTS_TTL, Allowance
from shared.registry.sharing.division import Part
from shared.registry.sharing.ledger import TURN_MS, Ledger, Record, Share
from tests.unit.registry.sharing.model import BEAT, REGISTRY

A, B, C, D = "worker0a", "worker0b", "worker0c", "worker0d"


def claim(
    want: int, limit: int, stage: int = 0, connections: int = 1000, max_connections: int = 100, sent: int = 0
) -> Claim:
    return Claim(
        registry=REGISTRY,
        stage=stage,
        requests=want,
        sent=sent,
        connections=connections,
        max_rps=limit,
        max_connections=max_connections,
    )


class Log:
    """Workers that read at once, and a clock.  sends: those that send all that they may, at each of their beats."""

    def __init__(self, *names: str, limit: int = 100) -> None:
        self.now, self.position, self.limit = 0.0, -1, limit
        self.wants = dict.fromkeys(names, 1000)
        self.sends = set(names)
        self._sent: dict[str, list[tuple[float, int]]] = {}
        self.numbers: dict[str, int] = dict.fromkeys(names, 0)
        self.by_name = {name: Allowance(name, self._clock()) for name in names}
        self.records: list[Record] = []

    def _clock(self) -> Callable[[], float]:
        return lambda: self.now

    def join(self, name: str) -> None:
        """Let a worker come: it reads what is in the log."""
        self.wants[name], self.numbers[name] = 1000, 0
        self.sends.add(name)
        self.by_name[name] = Allowance(name, self._clock())
        for position, record in enumerate(self.records):
            self.by_name[name].read(position, record)

    def beat(self, seconds: float = BEAT) -> None:
        """Let all send and beat once, and so much time pass."""
        for name in list(self.by_name):
            self.beat_of(name)
        self.now += seconds

    def beat_of(self, name: str) -> None:
        """Let one send what it may send, and beat."""
        allowance, sent = self.by_name[name], self.sent(name)
        more = allowance.requests(REGISTRY) - sent
        if name in self.sends and self.wants[name] and more > 0:
            self._sent.setdefault(name, []).append((self.now, more))
        sent = self.sent(name)
        self.numbers[name] += 1
        allowance.sending(self.numbers[name])
        seen, settled = allowance.complied({REGISTRY: sent}, {})
        claims = (claim(self.wants[name], self.limit, sent=sent),) if self.wants[name] or sent else ()
        self.put(Beat(worker=name, number=self.numbers[name], seen=seen, settled=settled, claims=claims))

    def sent(self, name: str) -> int:
        """Return what it has sent in the last second."""
        return sum(many for at, many in self._sent.get(name, ()) if at >= self.now - 1.0)

    def put(self, record: Record) -> None:
        self.position += 1
        self.records.append(record)
        for allowance in self.by_name.values():
            allowance.read(self.position, record)

    def usable(self) -> dict[str, int]:
        return {name: allowance.requests(REGISTRY) for name, allowance in self.by_name.items()}

    def connections(self) -> dict[str, int]:
        return {name: allowance.connections(REGISTRY) for name, allowance in self.by_name.items()}

    def seconds_until(self, wanted: Callable[[dict[str, int]], bool], most: float = 20.0) -> float:
        begun = self.now
        while not wanted(self.usable()):
            self.beat()
            assert self.now - begun < most
        return self.now - begun


def shared(*names: str) -> Log:
    log = Log(*names)
    log.seconds_until(lambda usable: sum(usable.values()) == log.limit)
    return log


def test_who_works_alone_has_everything_once_its_beat_is_read_back() -> None:
    log = Log(A)
    log.beat(0.0)
    assert log.usable() == {A: 100}
    assert log.connections() == {A: 100}


def test_who_begins_work_that_nobody_else_has_need_not_wait_for_the_others() -> None:
    log = Log(A, B)
    log.wants = {A: 0, B: 0}
    for _ in range(10):
        log.beat()
    log.wants[A] = 1000
    log.beat(0.0)
    assert log.usable() == {A: 100, B: 0}


def test_who_comes_waits_until_all_have_told_to_know_it() -> None:
    log = shared(A, B)
    log.join(C)
    log.beat()
    assert log.usable()[C] == 0
    assert 1.0 <= log.seconds_until(lambda usable: usable == {A: 34, B: 33, C: 33}) <= 2.0


def test_what_one_does_not_want_any_more_another_has_within_two_seconds() -> None:
    log = shared(A, B)
    log.wants[A] = 0
    assert log.seconds_until(lambda usable: usable == {A: 0, B: 100}) <= 2.0


def test_what_was_not_sent_moves_at_once() -> None:
    log = shared(A, B)
    log.sends.discard(A)
    for _ in range(3):
        log.beat()
    log.wants[A] = 0
    for _ in range(3):
        log.beat(0.0)
    assert log.usable() == {A: 0, B: 100}


def test_what_was_sent_moves_as_its_second_ends_and_not_before() -> None:
    log = Log(A, B)
    log.wants[B] = 0
    log.beat(0.0)
    log.beat(0.1)
    assert log.sent(A) == 100
    log.wants = {A: 1000, B: 1000}
    for _ in range(8):
        log.beat(0.1)
        assert log.usable() == {A: 50, B: 0}
    for _ in range(4):
        log.beat(0.1)
    assert log.usable() == {A: 50, B: 50}


def test_who_falls_silent_uses_nothing_and_only_then_others_have_its_share() -> None:
    log = shared(A, B)
    silent = log.by_name.pop(A)
    begun = log.now
    while not (unheard := log.by_name[B].unheard(REQUESTS_TTL)):
        log.beat(0.1)
        assert log.usable() == {B: 50}
    assert log.now - begun >= REQUESTS_TTL - BEAT
    assert silent.requests(REGISTRY) == 0
    assert [last.worker for last in unheard] == [A]
    log.put(Silent(worker=A, number=log.numbers[A]))
    assert log.seconds_until(lambda usable: usable == {B: 100}) <= 2.0
    assert log.connections() == {B: 50}  # it may hold its connections open


def test_the_connections_of_who_is_gone_are_free() -> None:
    log = shared(A, B)
    del log.by_name[A]
    log.put(Gone(worker=A, number=log.numbers[A]))
    log.seconds_until(lambda usable: usable == {B: 100})
    assert log.connections() == {B: 100}


def test_who_listens_only_since_a_moment_takes_nobody_for_silent() -> None:
    """After a broker was away nobody has heard of anybody for long."""
    log = shared(A, B)
    log.now += CONNECTIONS_TTL
    assert log.by_name[A].unheard(REQUESTS_TTL) == []
    log.numbers[A] += 1
    log.by_name[A].sending(log.numbers[A])
    log.put(Beat(worker=A, number=log.numbers[A], seen=log.position, settled=log.position))
    assert log.by_name[A].unheard(REQUESTS_TTL) == []
    log.now += 1.0
    assert log.by_name[A].unheard(REQUESTS_TTL) == []


def test_a_farewell_to_one_who_was_heard_since_is_void_and_one_that_counts_makes_it_come_again() -> None:
    log = shared(A, B)
    log.put(Gone(worker=A, number=log.numbers[A] - 1))
    assert log.usable() == {A: 50, B: 50}
    log.put(Gone(worker=A, number=log.numbers[A]))
    assert log.usable()[A] == 0
    assert log.seconds_until(lambda usable: usable == {A: 50, B: 50}) >= 1.0


def test_a_machine_that_slept_uses_nothing_when_it_wakes() -> None:
    log = shared(A)
    log.now += 3600
    assert (log.usable(), log.connections()) == ({A: 0}, {A: 0})


def test_a_lowered_limit_holds_once_one_knows_it_and_a_raised_one_once_all_do() -> None:
    ledger = Ledger()
    for position, (worker, number, limit) in enumerate([(A, 1, 100), (B, 1, 100), (A, 2, 40), (B, 2, 40), (A, 3, 80)]):
        ledger.read(position, Beat(worker=worker, number=number, seen=0, settled=0, claims=(claim(500, limit),)))
        told = sum(share.requests.holds for share in ledger.shares(REGISTRY).values())
        assert told == (100 if position < 2 else 40)


def test_who_may_have_no_connection_gets_no_requests_either() -> None:
    ledger = Ledger()
    for position, worker in enumerate([A, B, C]):
        claims = (claim(500, 90, connections=5, max_connections=2),)
        ledger.read(position, Beat(worker=worker, number=1, seen=0, settled=0, claims=claims))
    assert ledger.shares(REGISTRY) == {A: Share(Part(45, 45), Part(1, 1)), B: Share(Part(45, 45), Part(1, 1))}


def test_one_request_a_second_goes_round_by_turns_of_the_logs_time() -> None:
    ledger, holders = Ledger(), []
    for number in range(1, 400):
        for index, worker in enumerate((A, B, C)):
            beat = Beat(worker=worker, number=number, seen=0, settled=0, claims=(claim(9, 1, 1),))
            ledger.read(3 * number + index, beat, at_ms=TURN_MS * number // 100)
        (holder,) = (name for name, share in ledger.shares(REGISTRY).items() if share.requests.holds)
        holders.append(holder)
    changes = [after for before, after in pairwise(holders) if before != after]
    assert changes[:3] == [B, C, A]
    assert holders.count(B) == 100


def test_shares_of_a_registry_that_is_never_asked_are_not_remembered_for_ever() -> None:
    """A console hears all beats and asks nothing."""
    log = Log(A, B)
    for number in range(2000):
        log.wants = {A: 1000, B: number % 2}
        log.beat()
    history = log.by_name[A]._connections._histories[REGISTRY]
    assert len(history.entries) < 2.1 * CONNECTIONS_TTL / BEAT
