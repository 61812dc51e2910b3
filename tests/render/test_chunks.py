"""Where a film is cut into chunks."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from tasks.render.chunks import chunk_borders, chunks
from tasks.timeline.model import Clip, ColorTags, Source, VideoStream
from tests.builders import render_plan

RATE = Fraction(30)


def source(transfer: str = "bt709") -> Source:
    color = ColorTags("tv", "bt709", transfer, "bt709")
    video = VideoStream(
        0, "h264", 64, 64, "yuv420p", RATE, False, 10**6, Fraction(0), Fraction(10**5), color=color
    )
    return Source(transfer.ljust(64, "0"), "talk.mp4", "mp4", 1, Fraction(10**5), video, None)


def clips_of(pairs: list[tuple[int, int]]) -> list[Clip]:
    """Return clips, each given by the gap before it and its length."""
    ends = list(accumulate(gap + length for gap, length in pairs))
    return [Clip(0, end - length, end) for end, (_, length) in zip(ends, pairs, strict=True)]


pairs = st.tuples(st.integers(1, 60), st.integers(1, 2000))


@given(st.lists(pairs, min_size=1, max_size=60).map(clips_of))
def test_chunks_tile_the_film_within_their_lengths(clips: list[Clip]) -> None:
    plan = render_plan([source()], clips)

    parts = chunks(plan)

    assert [part.start_frame for part in parts] == [
        0,
        *accumulate(part.frames for part in parts[:-1]),
    ]
    assert sum(part.frames for part in parts) == plan.timeline.frames
    assert all(part.frames <= plan.max_chunk_frames for part in parts)
    if len(parts) > 1:
        assert min(part.frames for part in parts) >= plan.min_chunk_frames // 3


@given(st.lists(pairs, min_size=1, max_size=30).map(clips_of))
def test_chunks_show_what_the_timeline_shows(clips: list[Clip]) -> None:
    plan = render_plan([source()], clips)

    shown = [(clip.source_in, clip.source_out) for part in chunks(plan) for clip in part.clips]

    joined = [list(shown[0])]
    for start, end in shown[1:]:
        if start == joined[-1][1]:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    assert joined == [[clip.source_in, clip.source_out] for clip in clips]


def test_an_uncut_hour_is_split_and_the_split_follows_the_footage() -> None:
    whole = render_plan([source()], [Clip(0, 0, 108_000)])
    late = render_plan([source()], [Clip(0, 1000, 108_000)])

    borders = chunk_borders(whole)
    moved = {border + 1000 for border in chunk_borders(late)}

    assert all(b - a <= whole.max_chunk_frames for a, b in pairwise(borders))
    assert len(moved & set(borders)) > len(borders) * 0.9


def test_hdr_and_sdr_never_share_a_chunk() -> None:
    sources = [source(), source("smpte2084")]
    plan = render_plan(sources, [Clip(0, 0, 30), Clip(1, 0, 30), Clip(0, 50, 80)])

    parts = chunks(plan)

    assert [part.is_tone_mapped for part in parts] == [False, True, False]
