"""Phrasing: which words stand on the screen together, on which lines, from which frame to which.

Words come in timeline frames. They are first dealt into blocks (a sentence, or what lies between
two long pauses of the speaker, cut out or not); each block is then broken by itself into cues and
lines, at the least cost, so an edit in one block moves nothing in any other. Line lengths,
characters per second and shortest times follow what broadcasters ask for (Netflix Timed Text Style
Guide, BBC Subtitle Guidelines).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, pairwise
from math import inf

from tasks.layers.cues import Cue, CueWord, TimelineWord
from tasks.layers.wording import (
    CLAUSE_END,
    LEADING_WORDS,
    ONLY_CLOSING,
    UNSPACED,
    clean_text,
    columns,
    ends_sentence,
    gap,
)
from tasks.settings import SubtitleSettings

Measure = Callable[[str], float]
"""The width in pixels of a text as it will be drawn."""

MIN_DURATION_S = 0.8
"""A cue stands at least this long where the next one leaves room (BBC asks for 0.3 s a word)."""
MAX_DURATION_S = 6.0
"""A longer cue costs (Netflix: 7 s at most)."""
LINGER_S = 0.5
"""How far a cue stays into the silence behind its last word."""
MIN_BLANK_S = 0.25
"""A shorter gap between two cues would blink, and is closed."""
PAUSE_S = 0.3
"""A pause this long is a good place to break."""
LONG_PAUSE_S = 0.7
"""A pause this long ends a block: no cue spans it."""
MAX_BLOCK_WORDS = 36
"""A longer block (speech written without punctuation) is split at its longest pauses."""
PART_REACH_WORDS = 9
"""The parts of such a block hold at least so many words, and about twice as many on average."""


def cues_from_words(  # noqa: PLR0913 - each is a fact of its own, and named at the call
    words: Sequence[TimelineWord],
    rate: Fraction,
    settings: SubtitleSettings,
    *,
    line_px: float,
    measure: Measure,
    timeline_frames: int | None = None,
    jumps: Sequence[int] = (),
) -> tuple[Cue, ...]:
    """Return the cues of a timeline in order; no two overlap, and each holds at least one frame.

    Args:
        words: in order of time; text is cleaned here, empty words are dropped.
        rate: timeline frames per second.
        line_px: the widest a line may be, in pixels.
        measure: the width of a text in pixels.
        timeline_frames: length of the timeline; nothing is shown from there on.
        jumps: timeline frames at which the picture jumps, in order; no cue goes on across one, but
            for one too short to stand alone.
    """
    tokens = _settled(_pieces(words, settings.max_chars), timeline_frames)
    end_frame = tokens[-1].end_frame + _frames(LINGER_S, rate) if tokens else 0
    end_frame = end_frame if timeline_frames is None else timeline_frames
    spoken: list[Cue] = []
    for block in _blocks(tokens, rate, jumps):
        after = tokens[block.stop].start_frame if block.stop < len(tokens) else end_frame
        inside = tokens[block.start : block.stop]
        spoken += _Breaker(inside, after, rate, settings, line_px, measure).cues()
    return tuple(_timed(_at_jumps(spoken, jumps, rate), jumps, end_frame, rate))


def _frames(duration_s: float, rate: Fraction) -> int:
    """Return a waiting time in whole frames, one at least."""
    return max(1, round(duration_s * rate))


def _pieces(words: Sequence[TimelineWord], max_chars: int) -> Iterator[TimelineWord]:
    """Yield the words cleaned; a run of an unspaced script longer than a line in pieces."""
    for word in words:
        text = clean_text(word.text)
        if not text:
            continue
        if columns(text) <= max_chars or not UNSPACED.match(text):
            yield replace(word, text=text)
            continue
        # Half a line each, and never in front of a combining mark.
        step = max(1, max_chars // 4)
        parts = re.findall(rf"(?s).{{1,{step}}}", text)
        for n in range(len(parts) - 1, 0, -1):
            if unicodedata.category(parts[n][0]).startswith("M"):
                parts[n - 1 : n + 1] = [parts[n - 1] + parts[n]]
        length = word.end_frame - word.start_frame
        at = [word.start_frame + length * n // len(parts) for n in range(len(parts) + 1)]
        for part, (start, end) in zip(parts, pairwise(at), strict=True):
            yield TimelineWord(part, start, end, word.ends_phrase and end == at[-1])


def _settled(words: Iterator[TimelineWord], limit: int | None) -> list[TimelineWord]:
    """Return words that each begin on a frame of their own, do not overlap, and end by `limit`."""
    listed = list(words)
    if not listed:
        return []
    starts = list(accumulate((w.start_frame for w in listed), lambda a, b: max(a + 1, b)))
    if limit is not None:
        room = [limit - left for left in range(len(starts), 0, -1)]
        starts = [min(start, most) for start, most in zip(starts, room, strict=True)]
    after = [*starts[1:], limit if limit is not None else inf]
    settled = (
        replace(word, start_frame=start, end_frame=int(max(start + 1, min(word.end_frame, then))))
        for word, start, then in zip(listed, starts, after, strict=True)
    )
    return [word for word in settled if word.start_frame >= 0]  # more words than frames


def _jumps_between(words: Sequence[TimelineWord], n: int, jumps: Sequence[int]) -> bool:
    """Return whether the picture jumps between word n and the one before it."""
    at = bisect_left(jumps, words[n - 1].end_frame)
    return at < len(jumps) and jumps[at] <= words[n].start_frame


def _blocks(words: Sequence[TimelineWord], rate: Fraction, jumps: Sequence[int]) -> Iterator[range]:
    """Yield index ranges that are broken into cues each by itself: sentences, runs up to a pause.

    A cut that took out more than a short pause ends one too: the picture jumps there, and text
    that goes on across a change of picture is read twice (Netflix: cues end at shot changes). A
    run too short to stand alone stays with the one that follows it.
    """
    start = 0
    for n, (word, after) in enumerate(pairwise(words), 1):
        pause_s = (after.start_frame - word.end_frame) / rate
        lasts_s = (after.start_frame - words[start].start_frame) / rate
        is_end = ends_sentence(word.text) or _jumps_between(words, n, jumps)
        if (
            pause_s >= LONG_PAUSE_S
            or (word.ends_phrase and pause_s >= PAUSE_S)
            or (is_end and lasts_s >= MIN_DURATION_S)
        ):
            yield from _parts(words, range(start, n), rate)
            start = n
    yield from _parts(words, range(start, len(words)), rate)


def _parts(words: Sequence[TimelineWord], block: range, rate: Fraction) -> Iterator[range]:
    """Yield a block, or its parts where it is too long: split at its longest pauses.

    A pause splits it that is the longest of all within `PART_REACH_WORDS`; equal ones are told
    apart by a hash of the words around them. That looks no further, so that an edit far away in
    the same block moves nothing.
    """
    start = block.start
    if len(block) > MAX_BLOCK_WORDS:
        inner = range(block.start + PART_REACH_WORDS, block.stop - PART_REACH_WORDS + 1)
        reach = range(inner.start - PART_REACH_WORDS + 1, inner.stop + PART_REACH_WORDS - 1)
        worth = {n: _split_worth(words, n, rate) for n in reach}
        for n in inner:
            near = range(n - PART_REACH_WORDS + 1, n + PART_REACH_WORDS)
            if n - start >= PART_REACH_WORDS and worth[n] == max(worth[m] for m in near):
                yield range(start, n)
                start = n
    if start < block.stop:
        yield range(start, block.stop)


def _split_worth(words: Sequence[TimelineWord], n: int, rate: Fraction) -> tuple[float, str]:
    """Return how good it is to split in front of word n: by the pause there, then by a hash."""
    before, after = words[n - 1], words[n]
    pause_s = float((after.start_frame - before.end_frame) / rate)
    text = " ".join(word.text for word in words[max(0, n - 2) : n + 2])
    return round(pause_s, 1), hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _break_cost(word: TimelineWord, after: TimelineWord, rate: Fraction) -> float:
    """Return what a cue's end between two words costs the reader; a line's end costs half."""
    pause_s = (after.start_frame - word.end_frame) / rate
    signs = (
        (ONLY_CLOSING.fullmatch(after.text), 50.0),
        (ends_sentence(word.text), 0.0),
        (CLAUSE_END.search(word.text), 1.0),
        (pause_s >= PAUSE_S, 1.5),
        (word.ends_phrase, 2.0),
        (word.text.lower() in LEADING_WORDS, 8.0),
        (after.text.lower() in LEADING_WORDS, 3.0),
    )
    return next((cost for found, cost in signs if found), 5.0)


class _Breaker:
    """Breaks one block into cues and lines at the least cost (dynamic programming over words)."""

    def __init__(
        self,
        words: Sequence[TimelineWord],
        after_frame: int,
        rate: Fraction,
        settings: SubtitleSettings,
        line_px: float,
        measure: Measure,
    ) -> None:
        self.words, self.rate, self.settings, self.line_px = words, rate, settings, line_px
        gaps = ["", *(gap(a.text, b.text) for a, b in pairwise(words))]
        # Sums up to each word, so that any run of words is a difference; a run's own first gap is
        # taken off again.
        self.gaps = [(columns(g), measure(g) if g else 0.0) for g in gaps]
        self.columns = [
            0,
            *accumulate(columns(g + w.text) for g, w in zip(gaps, words, strict=True)),
        ]
        widths = (g[1] + measure(w.text) for g, w in zip(self.gaps, words, strict=True))
        self.widths = [0.0, *accumulate(widths)]
        self.breaks = [_break_cost(a, b, rate) for a, b in pairwise(words)] + [0.0]
        self.starts = [*(w.start_frame for w in words), after_frame]
        self.cue_words = [CueWord(w.text, w.start_frame, w.end_frame) for w in words]
        self.lines = lru_cache(maxsize=None)(self._lines)

    def cues(self) -> list[Cue]:
        """Return the block's cues, each ending with its last word."""
        best: list[tuple[float, int]] = [(0.0, 0)]
        for stop in range(1, len(self.words) + 1):
            options = ((best[n][0] + self._cue_cost(n, stop), n) for n in self._starts_for(stop))
            cost, start = min(options)
            best.append((cost + self.breaks[stop - 1], start))
        found, stop = [], len(self.words)
        while stop:
            start = best[stop][1]
            found.append(self._cue(start, stop))
            stop = start
        return found[::-1]

    def _starts_for(self, stop: int) -> Iterator[int]:
        most = self.settings.max_chars * self.settings.max_lines
        for start in range(stop - 1, -1, -1):
            if start < stop - 1 and self._columns(start, stop) > most:
                return
            yield start

    def _columns(self, start: int, stop: int) -> int:
        return self.columns[stop] - self.columns[start] - self.gaps[start][0]

    def _width_px(self, start: int, stop: int) -> float:
        return self.widths[stop] - self.widths[start] - self.gaps[start][1]

    def _line_cost(self, start: int, stop: int) -> float:
        """Return how far a line is from full and whether it is a lone short word; inf: too long."""
        count, is_alone = self._columns(start, stop), stop - start == 1
        full = max(count / self.settings.max_chars, self._width_px(start, stop) / self.line_px)
        if full > 1 and not is_alone:
            return inf
        orphan = 4.0 if is_alone and len(self.words) > 1 and count <= 8 else 0.0
        return orphan + 4.0 * max(0.0, 1 - full) ** 2

    def _lines(self, start: int, stop: int, left: int) -> tuple[float, tuple[int, ...]]:
        """Return the cost and the inner breaks of the best layout in at most `left` lines."""
        whole = self._line_cost(start, stop)
        if whole < inf or left == 1:
            return whole, ()
        options: list[tuple[float, tuple[int, ...]]] = [(inf, ())]
        for at in range(start + 1, stop):
            first = self._line_cost(start, at)
            if first == inf:
                break
            rest, breaks = self.lines(at, stop, left - 1)
            options.append((first + rest + self.breaks[at - 1] / 2, (at, *breaks)))
        return min(options)

    def _cue_cost(self, start: int, stop: int) -> float:
        shown_s = float((self.starts[stop] - self.starts[start]) / self.rate)
        spoken_s = float((self.words[stop - 1].end_frame - self.starts[start]) / self.rate)
        shown_s = min(shown_s, spoken_s + LINGER_S)
        cps = self._columns(start, stop) / shown_s
        return (
            2.0
            + self.lines(start, stop, self.settings.max_lines)[0]
            + 6.0 * max(0.0, 1 - shown_s / MIN_DURATION_S)
            + 4.0 * max(0.0, cps / self.settings.max_cps - 1)
            + 3.0 * max(0.0, spoken_s - MAX_DURATION_S)
        )

    def _cue(self, start: int, stop: int) -> Cue:
        ends = [start, *self.lines(start, stop, self.settings.max_lines)[1], stop]
        widest_px = max(self._width_px(a, b) for a, b in pairwise(ends))
        return Cue(
            self.starts[start],
            self.words[stop - 1].end_frame,
            tuple(tuple(self.cue_words[a:b]) for a, b in pairwise(ends)),
            max(1, min(100, int(100 * self.line_px / max(widest_px, 1)))),
        )


def _at_jumps(cues: Sequence[Cue], jumps: Sequence[int], rate: Fraction) -> list[Cue]:
    """Return the cues, those a little behind a jump of the picture beginning on it.

    Args:
        cues: each from its first word to its last.
        jumps: timeline frames at which the picture jumps, in order.
        rate: timeline frames per second.
    """
    out: list[Cue] = []
    for cue in cues:
        at = bisect_right(jumps, cue.start_frame) - 1
        jump = jumps[at] if at >= 0 else -1
        is_free = not out or jump >= out[-1].end_frame
        is_near = jump >= 0 and cue.start_frame - jump <= _frames(LINGER_S, rate)
        out.append(replace(cue, start_frame=jump) if is_free and is_near else cue)
    return out


def _timed(
    cues: Sequence[Cue], jumps: Sequence[int], end_frame: int, rate: Fraction
) -> Iterator[Cue]:
    """Yield the cues, each staying into the silence behind it.

    It stays to the next one at most, and not beyond a jump of the picture.
    """
    for n, cue in enumerate(cues):
        is_last = n + 1 == len(cues)
        limit = end_frame if is_last else cues[n + 1].start_frame
        wanted = max(
            cue.end_frame + _frames(LINGER_S, rate), cue.start_frame + _frames(MIN_DURATION_S, rate)
        )
        blinks = not is_last and limit - wanted < _frames(MIN_BLANK_S, rate)
        jump = bisect_left(jumps, cue.end_frame)
        end = limit if blinks else min(limit, wanted)
        yield replace(cue, end_frame=min([end, *jumps[jump : jump + 1]]))
