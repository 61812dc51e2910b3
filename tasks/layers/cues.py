"""Cues: words that stand on the screen together, in timeline frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.layers.wording import gap


@dataclass(frozen=True, slots=True)
class TimelineWord:
    """A spoken word that stays, in timeline frames ``[start_frame, end_frame)``."""

    text: str
    start_frame: int
    end_frame: int
    ends_phrase: bool = False
    """Whether the speech model closed a segment behind this word."""


@dataclass(frozen=True, slots=True)
class CueWord:
    """A word on the screen; spoken over the timeline frames ``[start_frame, end_frame)``."""

    text: str
    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text that stand on the screen over timeline frames ``[start_frame, end_frame)``."""

    start_frame: int
    end_frame: int
    lines: tuple[tuple[CueWord, ...], ...]
    scale_percent: int = 100
    """Below 100 where a single word is wider than the line: the cue is drawn that much smaller."""

    @property
    def words(self) -> tuple[CueWord, ...]:
        return tuple(word for line in self.lines for word in line)


def spaced(words: Sequence[CueWord]) -> Iterator[tuple[str, CueWord]]:
    """Yield each word of a line with what stands before it: a space or nothing."""
    before = ""
    for word in words:
        yield (gap(before, word.text) if before else ""), word
        before = word.text


def line_text(words: Sequence[CueWord]) -> str:
    """Return a line as it reads: spaces between words, none where the script has none."""
    return "".join(space + word.text for space, word in spaced(words))
