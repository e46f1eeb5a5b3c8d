"""What a stage of the check came to."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a stage came out.  `skipped`: it was not tried, or there was nothing to try."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class CheckStage(StrEnum):
    """The stages, in their order."""

    ADDRESS = "address"
    TLS = "tls"
    CHALLENGE = "challenge"
    CLOCK = "clock"
    PRODUCT = "product"
    SIGN_IN = "sign_in"
    CATALOG = "catalog"
    TAGS = "tags"
    MANIFEST = "manifest"


TITLES = {
    CheckStage.ADDRESS: "Address and DNS",
    CheckStage.TLS: "TLS",
    CheckStage.CHALLENGE: "Registry API",
    CheckStage.CLOCK: "Clocks",
    CheckStage.PRODUCT: "Product",
    CheckStage.SIGN_IN: "Sign-in",
    CheckStage.CATALOG: "List of repositories",
    CheckStage.TAGS: "A tag list",
    CheckStage.MANIFEST: "A manifest's digest",
}


@dataclass(frozen=True)
class StageChecked:
    """One stage.

    told: what was found, a sentence or two with what to do.  seconds: that it took.
    facts: pairs of a label and a text, to be shown below.
    """

    stage: CheckStage
    outcome: Outcome
    told: str
    seconds: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        return TITLES[self.stage]


@dataclass(frozen=True)
class Found:
    """A stage's result before its time is taken."""

    outcome: Outcome
    told: str
    facts: tuple[tuple[str, str], ...] = ()


def well(told: str, *facts: tuple[str, str]) -> Found:
    return Found(Outcome.OK, told, facts)


def doubtful(told: str, *facts: tuple[str, str]) -> Found:
    return Found(Outcome.WARNING, told, facts)


def failed(told: str, *facts: tuple[str, str]) -> Found:
    return Found(Outcome.FAILED, told, facts)


def skipped(told: str) -> Found:
    return Found(Outcome.SKIPPED, told)
