"""What was said: words with their times in source time."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.timeline.time import Span


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word."""

    text: str
    """As it is written, punctuation attached, without spaces around it."""
    start_s: float
    """Source time, in seconds."""
    end_s: float
    probability: float = 1.0
    """How sure the model is, 0 to 1."""
    ends_phrase: bool = False
    """Whether the model closed a segment behind this word: a good place for a line break."""

    @property
    def span(self) -> Span:
        return Span(self.start_s, self.end_s)


@dataclass(frozen=True, slots=True)
class Transcript:
    """All words of one source, in order; no two overlap."""

    language: str
    """ISO 639-1 code, ``""`` where nothing was said."""
    words: tuple[Word, ...]
    engine: str = ""
    """What made it: program, model, device and arithmetic."""

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)
