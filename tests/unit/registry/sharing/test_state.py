"""How a registry stands, by what is claimed of it."""

import pytest

from shared.messages.budget_claimed import Claim
from shared.messages.connection_changed import Connection
from shared.registry.sharing.state import Standing, state_of

CONNECTION = Connection(
    registry="a1b2c3d4", slot=0, name="test", host="http://r.example", max_rps=50, max_connections=16, revision=3
)


def claim(**fields: object) -> Claim:
    whole = {"registry": "a1b2c3d4", "stage": 0, "requests": 1, "connections": 1, "max_rps": 50, "max_connections": 16}
    return Claim.model_validate({**whole, **fields})


@pytest.mark.parametrize(
    ("claims", "standing"),
    [
        ([], Standing.IDLE),
        ([claim()], Standing.FULL),
        ([claim(), claim(max_rps=20)], Standing.LOWERED),
        ([claim(max_connections=3)], Standing.LOWERED),
        ([claim(max_rps=0), claim()], Standing.PAUSED),
        ([claim(is_broken=True, max_rps=0)], Standing.BROKEN),
        ([claim(is_broken=True), claim(refused=3)], Standing.REFUSED),
        ([claim(refused=2)], Standing.FULL),
    ],
)
def test_the_worst_that_anybody_tells_counts(claims: list[Claim], standing: Standing) -> None:
    state = state_of(CONNECTION, claims)
    assert state.standing is standing
    assert state.processes == len(claims)
    assert state.told.endswith(".")
