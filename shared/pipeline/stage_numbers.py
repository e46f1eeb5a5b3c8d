"""What the stages of this process have done, as metrics: read off their own counts when somebody asks."""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.observability.metrics import NUMBERS
from shared.pipeline.stage import StageStats

_OUTCOMES: Final = ("received", "succeeded", "given_up", "retried", "suspected")
_HELD: Final = ("working", "waiting")


class StageNumbers(Collector):
    """The stages that were told to `watch`; of two of one name the later."""

    def __init__(self) -> None:
        self._stats: Final[dict[str, StageStats]] = {}

    def watch(self, stage: str, stats: StageStats) -> None:
        self._stats[stage] = stats

    def collect(self) -> Iterator[Metric]:
        messages = CounterMetricFamily(
            "tallyman_stage_messages", "Messages of a stage, by what became of them.", labels=["stage", "outcome"]
        )
        held = GaugeMetricFamily(
            "tallyman_stage_held", "Messages of a stage at work, and waiting in memory.", labels=["stage", "state"]
        )
        seconds = CounterMetricFamily(
            "tallyman_stage_handler_seconds", "Time that handlers of a stage took, waiting included.", labels=["stage"]
        )
        for stage, stats in list(self._stats.items()):
            for outcome in _OUTCOMES:
                messages.add_metric([stage, outcome], getattr(stats, outcome))
            for state in _HELD:
                held.add_metric([stage, state], getattr(stats, state))
            seconds.add_metric([stage], stats.handler_seconds)
        yield from (messages, held, seconds)


STAGE_NUMBERS: Final = StageNumbers()
NUMBERS.register(STAGE_NUMBERS)
