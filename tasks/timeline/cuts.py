"""From silences in source time to clips on the frame grid, and a record of what was taken out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b
from math import ceil, floor

from tasks.settings import SilenceSettings
from tasks.timeline.model import Clip, Cut, Source, Timeline
from tasks.timeline.time import FrameGrid, Span, merged

Range = tuple[int, int]
"""Frames ``[in, out)`` on a source's grid."""


def timeline_from_silence(
    sources: Sequence[Source],
    silences: Sequence[tuple[Span, ...] | None],
    rate: Fraction,
    settings: SilenceSettings,
    thresholds_db: Sequence[float | None] = (),
) -> tuple[Timeline, tuple[Cut, ...]]:
    """Return what stays of all sources, one after the other, and what was taken out.

    ::

        source    |--silence--|  said  |-silence-|    said    |
        timeline              |  said  |    said    |

    What stays is rounded outward to whole frames, once, so no cut enters what is said. A clip
    shorter than ``settings.min_clip`` is joined to its nearer neighbour. A source that is silent
    all through goes, unless that would leave nothing at all: then everything stays.

    Args:
        silences: what may go of each source, in source time; none: all of it stays.
        rate: the output's frame rate.
        thresholds_db: below which level each source counted as silent, for the cuts' details.
    """
    wholes = [(0, frame_count(source, rate)) for source in sources]
    kept = [
        _kept(whole, spans or (), source, rate, settings)
        for source, spans, whole in zip(sources, silences, wholes, strict=True)
    ]
    if not any(kept):
        kept = [[whole] for whole in wholes]
    clips = [Clip(index, *span) for index, spans in enumerate(kept) for span in spans]
    cuts: list[Cut] = []
    for index, (source, spans, whole) in enumerate(zip(sources, kept, wholes, strict=True)):
        below = f" below {db:.0f} dB" if (db := _at(thresholds_db, index)) is not None else ""
        cuts += _cuts(index, source, _removed(whole, spans), whole, (source.grid(rate), below))
    return Timeline(rate, tuple(clips)), tuple(cuts)


def frame_count(source: Source, rate: Fraction) -> int:
    """Return how many frames of its grid a source fills, from frame 0 to its last picture."""
    end_s = source.video.end_s if source.video else source.duration_s
    return max(1, source.grid(rate).frame_at(end_s))


def _kept(
    whole: Range,
    silences: tuple[Span, ...],
    source: Source,
    rate: Fraction,
    settings: SilenceSettings,
) -> list[Range]:
    """Return the frames that stay: every frame that is not wholly within a silence."""
    grid = source.grid(rate)
    gaps = []
    for span in merged(silences):
        first = ceil((Fraction(span.start_s) - grid.origin_s) * grid.rate)
        after = floor((Fraction(span.end_s) - grid.origin_s) * grid.rate)
        # At either end of the file nothing is said beyond, so the part of a frame goes too.
        first = whole[0] if span.start_s <= 0 else max(first, whole[0])
        after = whole[1] if span.end_s >= float(source.duration_s) else min(after, whole[1])
        if first < after:
            gaps.append((first, after))
    shortest = ceil(Fraction(settings.min_clip) * grid.rate)
    return _joined(_removed(whole, gaps), shortest)


def _joined(ranges: list[Range], shortest: int) -> list[Range]:
    """Return the ranges, each that is too short joined to a neighbour across the smaller gap.

    It is joined, not dropped: a single short word is one. Of equal gaps the earlier is closed.
    """
    out = list(ranges)
    while len(out) > 1:
        short = next((i for i, (start, end) in enumerate(out) if end - start < shortest), None)
        if short is None:
            break
        before = out[short][0] - out[short - 1][1] if short else None
        after = out[short + 1][0] - out[short][1] if short + 1 < len(out) else None
        left = short - 1 if after is None or (before is not None and before <= after) else short
        out[left : left + 2] = [(out[left][0], out[left + 1][1])]
    return out


def _removed(whole: Range, kept: Sequence[Range]) -> list[Range]:
    """Return what of the whole the ranges (in order, apart) leave."""
    edges = [whole[0], *(edge for span in kept for edge in span), whole[1]]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(start, end) for start, end in pairs if start < end]


def _cuts(
    index: int, source: Source, gaps: list[Range], whole: Range, how: tuple[FrameGrid, str]
) -> list[Cut]:
    grid, below = how
    cuts = []
    for start, end in gaps:
        start_s, end_s = max(Fraction(0), grid.time_of(start)), grid.time_of(end)
        reason = "silence"
        if end == whole[1]:
            reason = "trailing silence"
        if start == whole[0]:
            reason = "leading silence"
        cuts.append(
            Cut(
                id=cut_id(source, start_s, end_s),
                source=index,
                start_s=float(start_s),
                end_s=float(end_s),
                reason=reason,
                detail=f"{float(end_s - start_s):.2f} s{below}",
            )
        )
    return cuts


def cut_id(source: Source, start_s: Fraction, end_s: Fraction) -> str:
    """Return the name of a range of footage, the same in every run: 10 hexadecimal digits."""
    text = f"{source.digest} {round(start_s * 1000)} {round(end_s * 1000)}"
    return blake2b(text.encode(), digest_size=5).hexdigest()


def _at(values: Sequence[float | None], index: int) -> float | None:
    return values[index] if index < len(values) else None
