"""From silences to clips: nothing is lost twice, nothing said is cut."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tasks.settings import SilenceSettings
from tasks.timeline.cuts import frame_count, timeline_from_silence
from tasks.timeline.model import Source, VideoStream
from tasks.timeline.time import Span, complement, merged

RATES = [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25), Fraction(60)]


def source(end_s: Fraction = Fraction(60), start_s: Fraction = Fraction(0)) -> Source:
    video = VideoStream(0, "h264", 640, 360, "yuv420p", Fraction(25), False, 1, start_s, end_s)
    return Source("ab" * 32, "a.mp4", "mov", 1, end_s, video, None)


def span_lists(end_s: float) -> st.SearchStrategy[tuple[Span, ...]]:
    pairs = st.tuples(st.floats(0, end_s), st.floats(0, end_s))
    return st.lists(pairs.map(lambda p: Span(min(p), max(p))), max_size=25).map(merged)


@given(
    spans=span_lists(60.0),
    rate=st.sampled_from(RATES),
    start_s=st.fractions(0, 2, max_denominator=1001),
    min_clip=st.floats(0, 2),
)
def test_kept_and_removed_make_the_whole(
    spans: tuple[Span, ...], rate: Fraction, start_s: Fraction, min_clip: float
) -> None:
    footage = source(start_s=start_s)
    timeline, cuts = timeline_from_silence(
        [footage], [spans], rate, SilenceSettings(min_clip=min_clip)
    )
    grid = footage.grid(rate)
    ends = [(clip.source_in, clip.source_out) for clip in timeline.clips]
    # A cut at the start is told from 0 on, which may lie half a frame behind the grid's first.
    ends += [
        (grid.frame_at(cut.start_s) if cut.start_s else 0, grid.frame_at(cut.end_s)) for cut in cuts
    ]
    at = 0
    for start, end in sorted(ends):
        assert start == at < end
        at = end
    assert at == frame_count(footage, rate)
    assert len({cut.id for cut in cuts}) == len(cuts)


@given(spans=span_lists(60.0), rate=st.sampled_from(RATES))
def test_what_is_no_silence_stays(spans: tuple[Span, ...], rate: Fraction) -> None:
    footage = source()
    _, cuts = timeline_from_silence([footage], [spans], rate, SilenceSettings())
    for said in complement(spans, Span(0.0, 60.0)):
        for cut in cuts:
            overlap_s = min(said.end_s, cut.end_s) - max(said.start_s, cut.start_s)
            assert overlap_s < 1e-9


def test_a_cut_says_what_and_why() -> None:
    spans = (Span(0.0, 1.0), Span(4.01, 5.99), Span(58.0, 60.0))
    _, cuts = timeline_from_silence([source()], [spans], Fraction(25), SilenceSettings(), [-47.2])
    assert [(c.start_s, c.end_s, c.reason, c.detail) for c in cuts] == [
        (0.0, 1.0, "leading silence", "1.00 s below -47 dB"),
        (4.04, 5.96, "silence", "1.92 s below -47 dB"),
        (58.0, 60.0, "trailing silence", "2.00 s below -47 dB"),
    ]


def test_a_short_clip_is_joined_across_the_smaller_gap() -> None:
    spans = (Span(1.0, 2.0), Span(2.08, 2.6))
    timeline, cuts = timeline_from_silence([source()], [spans], Fraction(25), SilenceSettings())
    assert [(c.source_in, c.source_out) for c in timeline.clips] == [(0, 25), (50, 1500)]
    assert len(cuts) == 1


def test_a_silent_source_goes_and_a_silent_edit_stays() -> None:
    whole = (Span(0.0, 60.0),)
    timeline, cuts = timeline_from_silence(
        [source(), source()], [whole, None], Fraction(25), SilenceSettings()
    )
    assert [clip.source for clip in timeline.clips] == [1]
    assert [cut.source for cut in cuts] == [0]
    timeline, cuts = timeline_from_silence([source()], [whole], Fraction(25), SilenceSettings())
    assert timeline.frames == 1500
    assert cuts == ()


def test_no_frame_remains_of_trailing_silence() -> None:
    """The sound ends 14 ms before a frame does; the rest of the frame goes with it."""
    footage = source(Fraction(10001, 1000))
    timeline, _ = timeline_from_silence(
        [footage], [(Span(5.0, 10.001),)], Fraction(25), SilenceSettings()
    )
    assert [(c.source_in, c.source_out) for c in timeline.clips] == [(0, 125)]
