"""Dead letters as people handle them: seen, replayed, dropped. What became of one is noted, so that replicas agree."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.connections.snapshot import ConnectionsSnapshot
from shared.connections.topic import ConnectionsTopic
from shared.connections.writer import SoleWriter, as_sole_writer
from shared.errors import PermanentError
from shared.messages.connection_notes import LetterHandled, LetterState
from shared.messages.topics import CHAIN, DELIVERY_REQUESTED, IMAGE_EVENTS, TRIGGER_WANTED, WITH_DEAD_LETTERS, TopicName
from shared.pipeline.letters import Letter, letter_at, newest_letters
from shared.pipeline.topics import topic_name
from shared.settings import Settings

_NAME: Final = re.compile(r"([a-z]+)-(\d{1,6})-(\d{1,18})")
_NOTES_KEPT: Final = timedelta(days=90)
"""Longer than letters are kept: a note of one that is gone is of no use."""


class NoSuchLetter(PermanentError):  # says what has happened
    """There is no dead letter of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no dead letter {name[:80]}: it was never written, or is older than dead letters are kept. "
            "`tallyman dead-letters list` shows those there are.",
            reason="no_such_letter",
        )


class LetterNotReplayable(PermanentError):  # says what has happened
    """The letter cannot be sent again."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The dead letter {name} cannot be replayed: {why}.", reason="letter_not_replayable")


@dataclass(frozen=True)
class Handled:
    """A letter and what became of it.  at: None while it is open."""

    letter: Letter
    state: LetterState
    at: datetime | None = None


class Letters:
    """The dead letters of an installation."""

    def __init__(self, settings: Settings, topic: ConnectionsTopic) -> None:
        self._settings: Final = settings
        self._topic: Final = topic

    async def newest(
        self, now: ConnectionsSnapshot, stages: Iterable[str], states: Collection[LetterState], most: int
    ) -> list[Handled]:
        """Return letters among the newest `most`, the newest first. Raises TransientError where Kafka is down."""
        found = [_handled(now, letter) for letter in await newest_letters(self._settings, stages, most)]
        return [one for one in found if one.state in states]

    async def find(self, now: ConnectionsSnapshot, name: str) -> Handled:
        """Return the letter of that name. Raises NoSuchLetter, TransientError."""
        match = _NAME.fullmatch(name)
        letter = await letter_at(self._settings, match[1], int(match[2]), int(match[3])) if match else None
        if letter is None:
            raise NoSuchLetter(name)
        return _handled(now, letter)

    async def replay(self, letter: Letter, at: datetime) -> tuple[bool, int | None]:
        """Send the message once more, as it came, to where it lay.

        Return whether it was sent now, and the offset of the note: one that was replayed before is not sent again.
        Raises LetterNotReplayable, TransientError.
        """
        source, partition = self._target(letter)
        note = _note(letter, LetterState.REPLAYED, at)

        async def work(writer: SoleWriter) -> tuple[bool, int | None]:
            if _state(writer.now, letter) is LetterState.REPLAYED:
                return False, None
            async with writer.transaction():
                await writer.send(source, partition, letter.key or b"", letter.value)
                recorded = await writer.put(note.key(letter.name), note)
                await self._prune(writer, at)
            return True, recorded.offset

        return await as_sole_writer(self._topic, work)

    async def drop(self, letter: Letter, at: datetime) -> int | None:
        """Note that nobody needs the letter; one that was replayed stays so. Return the note's offset."""
        note = _note(letter, LetterState.DROPPED, at)

        async def work(writer: SoleWriter) -> int | None:
            if _state(writer.now, letter) is not LetterState.OPEN:
                return None
            async with writer.transaction():
                recorded = await writer.put(note.key(letter.name), note)
                await self._prune(writer, at)
            return recorded.offset

        return await as_sole_writer(self._topic, work)

    def _target(self, letter: Letter) -> tuple[str, int]:
        """Return topic and partition where the message lay; a letter that names another place is not believed."""
        topic, partition, _ = letter.source
        ours: tuple[TopicName, ...] = (*CHAIN, TRIGGER_WANTED, DELIVERY_REQUESTED)
        known = {topic_name(self._settings, one): one for one in ours}
        if topic == topic_name(self._settings, IMAGE_EVENTS):
            why = f"{topic} is public, and everybody would be told again; `tallyman trigger` asks for a scan"
            raise LetterNotReplayable(letter.name, why)
        if topic not in known:
            raise LetterNotReplayable(letter.name, "it does not say from which of our topics it came")
        if not 0 <= partition < (known[topic].partitions or self._settings.partitions):
            raise LetterNotReplayable(letter.name, f"{topic} has no partition {partition}")
        if letter.omitted is not None:
            raise LetterNotReplayable(letter.name, f"its message of {letter.omitted} bytes was too large to be kept")
        return topic, partition

    async def _prune(self, writer: SoleWriter, at: datetime) -> None:
        for note in writer.now.all_notes(LetterHandled):
            if at - note.at > _NOTES_KEPT:
                await writer.put(note.key(note.name), None)


def stages_named(stage: str | None) -> tuple[str, ...]:
    """Return the stages to be looked at: one, or all."""
    return (stage,) if stage else WITH_DEAD_LETTERS


def _note(letter: Letter, state: LetterState, at: datetime) -> LetterHandled:
    return LetterHandled(name=letter.name, written_at=letter.written_at, state=state, at=at)


def _handled(now: ConnectionsSnapshot, letter: Letter) -> Handled:
    note = now.note(LetterHandled, letter.name)
    if (
        note is None or note.written_at != letter.written_at
    ):  # of a letter that lay there before the topic was made anew
        return Handled(letter, LetterState.OPEN)
    return Handled(letter, note.state, note.at)


def _state(now: ConnectionsSnapshot, letter: Letter) -> LetterState:
    return _handled(now, letter).state
