"""Where the console listens, when the system chooses the port."""

from services.console.serving import address_of
from shared.settings import Settings


def test_port_0_is_a_free_one() -> None:
    assert address_of(Settings(console="127.0.0.1:0")).port > 0
