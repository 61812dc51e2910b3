"""Which samples the output's sound is made of."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tasks.render.sound import sound_segments
from tasks.timeline.model import AudioStream, Clip, Source, Timeline, VideoStream

RATES = [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25), Fraction(30), Fraction(50)]
SAMPLE_RATE_HZ = 48_000


def source(start_s: Fraction = Fraction(0)) -> Source:
    end_s = start_s + 4000
    video = VideoStream(
        0, "h264", 640, 360, "yuv420p", Fraction(25), False, 100_000, start_s, end_s
    )
    audio = AudioStream(1, "aac", SAMPLE_RATE_HZ, 2, Fraction(0), end_s)
    return Source("00", "a.mp4", "mov", 1, end_s, video, audio)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    pieces = draw(
        st.lists(
            st.tuples(st.integers(0, 1), st.integers(0, 90_000), st.integers(1, 300)),
            min_size=1,
            max_size=40,
        )
    )
    clips = tuple(Clip(index, start, start + frames) for index, start, frames in pieces)
    return Timeline(draw(st.sampled_from(RATES)), clips)


@given(timelines(), st.floats(0, 0.1))
def test_segments_tile_the_timeline_and_fades_fit(timeline: Timeline, crossfade_s: float) -> None:
    found = sound_segments(timeline, [source(), source()], SAMPLE_RATE_HZ, crossfade_s)
    assert found[0].start_samples == 0
    assert found[-1].end_samples == timeline.grid.sample_at(timeline.frames, SAMPLE_RATE_HZ)
    assert found[0].fade_in_samples == found[-1].fade_out_samples == 0
    for before, after in pairwise(found):
        assert before.end_samples == after.start_samples
        assert before.fade_out_samples == after.fade_in_samples
    for segment in found:
        assert segment.fade_in_samples % 2 == segment.fade_out_samples % 2 == 0
        fades = (segment.fade_in_samples + segment.fade_out_samples) // 2
        assert fades <= segment.samples


@given(timelines(), st.fractions(0, 2, max_denominator=1001))
def test_sound_never_drifts_from_the_picture(timeline: Timeline, start_s: Fraction) -> None:
    """Each segment plays, within a sample, what its source frame shows, however many cuts."""
    sources = [source(start_s), source()]
    starts = dict(zip(timeline.clip_starts(), timeline.clips, strict=False))
    frame_of = {timeline.grid.sample_at(frame, SAMPLE_RATE_HZ): frame for frame in starts}
    for segment in sound_segments(timeline, sources, SAMPLE_RATE_HZ, 0.005):
        clip = starts[frame_of[segment.start_samples]]
        grid = sources[clip.source].grid(timeline.rate)
        due = grid.time_of(clip.source_in) * SAMPLE_RATE_HZ
        assert abs(segment.source_start_samples - due) <= Fraction(1, 2)


def test_clips_that_go_on_are_one_segment() -> None:
    whole = Timeline(RATES[0], (Clip(0, 7, 500),))
    split = Timeline(RATES[0], (Clip(0, 7, 100), Clip(0, 100, 101), Clip(0, 101, 500)))
    assert sound_segments(split, [source()], SAMPLE_RATE_HZ, 0.005) == sound_segments(
        whole, [source()], SAMPLE_RATE_HZ, 0.005
    )


def test_the_same_frame_of_another_source_is_a_cut() -> None:
    timeline = Timeline(Fraction(25), (Clip(0, 0, 10), Clip(1, 10, 20)))
    found = sound_segments(timeline, [source(), source()], SAMPLE_RATE_HZ, 0.005)
    assert [(s.source, s.fade_in_samples, s.fade_out_samples) for s in found] == [
        (0, 0, 240),
        (1, 240, 0),
    ]
