"""Words as a speech model gives them, put right: whole words, in order, where the sound is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.analysis.transcript import Word
from tasks.timeline.time import Span

MIN_WORD_S = 0.06
"""No word gets shorter: the shortest that people say ("a", "I") take about this long."""
UNSURE = 0.3
"""A word without length that the model believes in less than this was not said."""
UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "yue", "km", "bo"})
"""Languages written without spaces, whose words a space does not announce."""

LONG_QUIET_S = 0.15
"""Quiet this long is a pause: the closure of a plosive is shorter."""
SHORT_SOUND_S = 0.03
"""Sound shorter than this within quiet is a click."""
MAX_EXTENSION_S = 0.2
"""How far a word may grow over the sound that goes on at its edge."""
VOICE_SLACK_S = 0.1
"""How far beyond the detected voice sound still counts: detectors miss soft ends of words."""


def whole_words(segment: Sequence[Word], language: str) -> list[Word]:
    """Return one segment's pieces as words: stripped, parts and lone punctuation attached.

    A piece that does not begin with a space goes on the word before it ("well" + "-known"), except
    in languages written without spaces. The last word ends the phrase.

    Args:
        segment: pieces as the model gives them, spaces kept.
        language: ISO 639-1 code.
    """
    words: list[Word] = []
    opening = ""
    for piece in segment:
        text = piece.text.strip()
        goes_on = piece.text[:1] != " " and language not in UNSPACED_LANGUAGES
        is_word = any(letter.isalnum() for letter in text)
        if not text:
            continue
        if words and (goes_on or not is_word):
            last = words[-1]
            words[-1] = replace(
                last,
                text=last.text + text,
                end_s=max(last.end_s, piece.end_s) if is_word else last.end_s,
                probability=min(last.probability, piece.probability),
            )
        elif not is_word:
            opening += text
        else:
            words.append(replace(piece, text=opening + text, ends_phrase=False))
            opening = ""
    if words:
        words[-1] = replace(words[-1], ends_phrase=True)
    return words


def in_order(words: Sequence[Word], duration_s: float) -> tuple[Word, ...]:
    """Return the words with times in ``[0, duration_s]``, in order, none overlapping another.

    Words without length that the model is not sure of are dropped; the others get `MIN_WORD_S`
    where there is room for all of them.
    """
    kept = [word for word in words if word.end_s - word.start_s > 0 or word.probability >= UNSURE]
    if not kept or duration_s <= 0:
        return ()
    starts, ends = _separated(
        np.array([word.start_s for word in kept]),
        np.array([word.end_s for word in kept]),
        duration_s,
    )
    return _timed(kept, starts, ends)


def _separated(
    starts: np.ndarray, ends: np.ndarray, duration_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return times with each word at least `MIN_WORD_S` long and none over the next."""
    count = len(starts)
    least_s = min(MIN_WORD_S, duration_s / count)
    steps = np.arange(count) * least_s
    # start[i] >= start[i-1] + least, then start[i] <= duration - what those behind it need
    starts = np.maximum.accumulate(np.maximum(starts, 0.0) - steps) + steps
    starts = np.minimum(starts, duration_s - least_s * np.arange(count, 0, -1))
    limits = np.append(starts[1:], duration_s)
    return starts, np.minimum(np.maximum(ends, starts + least_s), limits)


def _timed(words: Sequence[Word], starts: np.ndarray, ends: np.ndarray) -> tuple[Word, ...]:
    return tuple(
        replace(word, start_s=float(start), end_s=float(end))
        for word, start, end in zip(words, starts, ends, strict=True)
    )


def words_against_energy(
    words: Sequence[Word],
    level_db: np.ndarray,
    step_s: float,
    threshold_db: float,
    vad_spans: tuple[Span, ...] = (),
) -> tuple[Word, ...]:
    """Return the words with the edges beside pauses moved to where the sound is.

    Speech models place words well within speech and badly beside pauses: a word begins early in
    the pause before it, or lasts over the one behind it. An edge in a pause moves to the sound; a
    word that reaches over a pause keeps the side with more sound; a word that lies in a pause
    alone goes to sound beside it that no other word has. An edge that cuts into sound moves to
    its end, by `MAX_EXTENSION_S` at most and never into another word.

    Args:
        words: in order, none overlapping another.
        level_db: RMS level in dBFS, shape (steps,); step `i` covers ``[i, i + 1) * step_s``.
        threshold_db: what is quieter is no speech.
        vad_spans: where a voice was detected; empty: the level alone decides.

    Returns:
        As many words in the same order, none overlapping, none shortened below `MIN_WORD_S`.
    """
    if not words or not len(level_db):
        return tuple(words)
    sound = _Sound.of(_sounding(level_db, step_s, threshold_db, vad_spans), step_s)
    starts = [word.start_s for word in words]
    ends = [word.end_s for word in words]
    for at in range(len(words)):
        before_s = ends[at - 1] if at else 0.0
        after_s = starts[at + 1] if at + 1 < len(words) else sound.duration_s
        starts[at], ends[at] = _in_sound(sound, starts[at], ends[at], before_s, after_s)
    for at in range(len(words)):
        before_s = ends[at - 1] if at else 0.0
        after_s = starts[at + 1] if at + 1 < len(words) else sound.duration_s
        starts[at], ends[at] = _extended(sound, starts[at], ends[at], before_s, after_s)
    whole_s = max(sound.duration_s, words[-1].end_s)
    return _timed(words, *_separated(np.array(starts), np.array(ends), whole_s))


def _sounding(
    level_db: np.ndarray, step_s: float, threshold_db: float, vad_spans: tuple[Span, ...]
) -> np.ndarray:
    """Return for each step whether there is speech sound, short gaps filled, clicks taken out."""
    sounding = np.asarray(level_db) >= threshold_db
    if vad_spans:
        voice = np.zeros(len(sounding), bool)
        for span in vad_spans:
            first = max(0, round((span.start_s - VOICE_SLACK_S) / step_s))
            voice[first : round((span.end_s + VOICE_SLACK_S) / step_s)] = True
        sounding &= voice
    for value, limit_s in ((True, SHORT_SOUND_S), (False, LONG_QUIET_S)):
        for first, last in _runs(sounding, value=value):
            at_border = first == 0 or last == len(sounding)
            if (last - first) * step_s < limit_s and (value or not at_border):
                sounding[first:last] = not value
    return sounding


def _runs(flags: np.ndarray, *, value: bool) -> list[tuple[int, int]]:
    """Return the runs ``[first, last)`` of a value."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags == value, [0])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


@dataclass(frozen=True, slots=True)
class _Sound:
    """Runs of sound, in order, in seconds."""

    starts_s: np.ndarray
    ends_s: np.ndarray
    duration_s: float

    @classmethod
    def of(cls, sounding: np.ndarray, step_s: float) -> _Sound:
        runs = np.array(_runs(sounding, value=True), float).reshape(-1, 2) * step_s
        return cls(runs[:, 0], runs[:, 1], len(sounding) * step_s)

    def within(self, start_s: float, end_s: float) -> list[tuple[float, float]]:
        """Return the parts of the runs that lie in a range, those of some length."""
        first = int(np.searchsorted(self.ends_s, start_s, "right"))
        last = int(np.searchsorted(self.starts_s, end_s, "left"))
        parts = [
            (max(start_s, float(self.starts_s[run])), min(end_s, float(self.ends_s[run])))
            for run in range(first, last)
        ]
        return [part for part in parts if part[1] > part[0]]


def _in_sound(
    sound: _Sound, start_s: float, end_s: float, before_s: float, after_s: float
) -> tuple[float, float]:
    """Return a word's times without the pauses it reaches into."""
    parts = sound.within(start_s, end_s)
    if parts:
        first, last = max(parts, key=lambda part: part[1] - part[0])
        if last - first >= MIN_WORD_S:
            return first, last
        return start_s, end_s
    length_s = end_s - start_s
    later = [part for part in sound.within(end_s, after_s) if part[1] - part[0] >= MIN_WORD_S]
    if later and later[0][0] - end_s <= length_s + MAX_EXTENSION_S:
        first, last = later[0]
        return first, min(last, first + length_s)
    earlier = [part for part in sound.within(before_s, start_s) if part[1] - part[0] >= MIN_WORD_S]
    if earlier and start_s - earlier[-1][1] <= length_s + MAX_EXTENSION_S:
        first, last = earlier[-1]
        return max(first, last - length_s), last
    return start_s, end_s


def _extended(
    sound: _Sound, start_s: float, end_s: float, before_s: float, after_s: float
) -> tuple[float, float]:
    """Return a word's times grown over the sound that goes on at its edges."""
    run = int(np.searchsorted(sound.ends_s, start_s, "right"))
    if run < len(sound.ends_s) and sound.starts_s[run] < start_s:
        start_s = max(float(sound.starts_s[run]), before_s, start_s - MAX_EXTENSION_S)
    run = int(np.searchsorted(sound.starts_s, end_s, "left")) - 1
    if run >= 0 and sound.ends_s[run] > end_s:
        end_s = min(float(sound.ends_s[run]), after_s, end_s + MAX_EXTENSION_S)
    return start_s, end_s
