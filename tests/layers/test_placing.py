"""Where words end up on the timeline."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tasks.analysis.transcript import Word
from tasks.layers.placing import timeline_words
from tasks.timeline.model import Clip, Source, Timeline, VideoStream

RATE = Fraction(30)
VIDEO = VideoStream(0, "h264", 64, 64, "yuv420p", RATE, False, 3000, Fraction(0), Fraction(100))
SOURCE = Source("d" * 64, "talk.mp4", "mp4", 1, Fraction(100), VIDEO, None)


def test_words_move_with_their_clip() -> None:
    words = [Word("one", 1.0, 1.5), Word("two", 3.0, 3.5), Word("three", 6.0, 6.2)]
    timeline = Timeline(RATE, (Clip(0, 30, 60), Clip(0, 75, 120), Clip(0, 180, 200)))

    placed = timeline_words([words], timeline, [SOURCE])

    assert [(w.text, w.start_frame, w.end_frame) for w in placed] == [
        ("one", 0, 15),
        ("two", 45, 60),
        ("three", 75, 81),
    ]


def test_a_word_that_went_is_gone_and_a_cut_one_appears_once() -> None:
    words = [Word("gone", 1.0, 1.5), Word("halved", 2.0, 3.0)]
    timeline = Timeline(RATE, (Clip(0, 66, 70), Clip(0, 72, 120)))

    placed = timeline_words([words], timeline, [SOURCE])

    assert [(w.text, w.start_frame, w.end_frame) for w in placed] == [("halved", 4, 22)]


@given(
    starts=st.lists(st.integers(0, 950), min_size=1, max_size=40, unique=True),
    edges=st.lists(st.integers(0, 3000), min_size=2, max_size=20, unique=True),
)
def test_placed_words_are_in_order_inside_the_film(starts: list[int], edges: list[int]) -> None:
    words = [Word(str(n), n / 10, n / 10 + 0.09) for n in sorted(starts)]
    pairs = sorted(edges)[: len(edges) // 2 * 2]
    clips = tuple(Clip(0, a, b) for a, b in zip(pairs[::2], pairs[1::2], strict=True))
    timeline = Timeline(RATE, clips)

    placed = timeline_words([words], timeline, [SOURCE])

    assert len({word.text for word in placed}) == len(placed)
    assert [int(word.text) for word in placed] == sorted(int(word.text) for word in placed)
    assert all(0 <= w.start_frame < w.end_frame <= timeline.frames for w in placed)
