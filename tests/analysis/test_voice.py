"""Speech spans out of probabilities, and the clips that are transcribed."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.analysis.voice import speech_clips, speech_spans
from tasks.timeline.time import Span

STEP_S = 0.032


def _spans(*probabilities: float, **more: float) -> list[tuple[int, int]]:
    found = speech_spans(np.array(probabilities), min_speech_s=0, min_pause_s=0, **more)
    return [(round(span.start_s / STEP_S), round(span.end_s / STEP_S)) for span in found]


def test_speech_begins_at_a_half_and_goes_on_above_a_third() -> None:
    assert _spans(0.1, 0.4, 0.5, 0.4, 0.36, 0.34, 0.49, 0.1) == [(2, 5)]
    assert _spans(0.9, 0.9) == [(0, 2)]
    assert _spans() == [] and _spans(0.4, 0.49) == []


def test_short_pauses_are_joined_and_short_speech_dropped() -> None:
    steps = np.zeros(100)
    steps[10:20], steps[22:30], steps[60:62] = 1, 1, 1
    found = speech_spans(steps)
    assert found == (Span(10 * STEP_S, 30 * STEP_S),)


def test_padding_stays_within_the_sound_and_joins_what_it_makes_touch() -> None:
    steps = np.zeros(30)
    steps[2:10], steps[15:28] = 1, 1
    assert speech_spans(steps, pad_s=0.1) == (Span(0, 30 * STEP_S),)


@given(st.lists(st.floats(0, 1), max_size=200), st.floats(0, 0.5))
def test_spans_are_ordered_apart_and_within(probabilities: list[float], pad_s: float) -> None:
    found = speech_spans(np.array(probabilities), pad_s=pad_s)
    edges = [edge for span in found for edge in (span.start_s, span.end_s)]
    assert edges == sorted(set(edges))
    assert not found or (edges[0] >= 0 and edges[-1] <= len(probabilities) * STEP_S)


def test_a_clip_ends_before_a_long_pause_and_a_full_one_before_a_shorter() -> None:
    speech = Span(1, 4), Span(6, 12), Span(13.5, 15), Span(19, 20)
    clips = speech_clips(speech, 30)
    assert clips == (Span(0.7, 12.3), Span(13.2, 15.3), Span(18.7, 20.3))


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.floats(0.1, 40)), max_size=30),
    st.floats(0, 3),
)
def test_clips_hold_all_speech_and_share_none(
    gaps_and_lengths: list[tuple[float, float]], rest_s: float
) -> None:
    spans, at_s = [], 0.0
    for gap_s, length_s in gaps_and_lengths:
        spans.append(Span(at_s + gap_s, at_s + gap_s + length_s))
        at_s = spans[-1].end_s
    clips = speech_clips(tuple(spans), at_s + rest_s)
    for one, other in itertools.pairwise(clips):
        assert one.end_s <= other.start_s
    for span in spans:
        assert sum(c.start_s <= span.start_s and span.end_s <= c.end_s for c in clips) == 1
    for clip in clips:
        held = [s for s in spans if clip.start_s <= s.start_s < clip.end_s]
        assert clip.duration_s <= 28.0 + 1e-6 or len(held) == 1
        assert clip.start_s >= 0 and clip.end_s <= at_s + rest_s
