"""Words put right: whole, in order, where the sound is."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.analysis.transcript import Word
from tasks.analysis.words import MIN_WORD_S, in_order, whole_words, words_against_energy
from tasks.timeline.time import Span


def _texts(language: str, *pieces: str) -> list[str]:
    segment = [Word(text, number, number + 1.0) for number, text in enumerate(pieces)]
    return [word.text for word in whole_words(segment, language)]


def test_parts_of_a_word_and_lone_punctuation_are_attached() -> None:
    assert _texts("en", " A", " well", "-known", " 10", ",000", " —", " yes", "?") == [
        "A",
        "well-known",
        "10,000—",
        "yes?",
    ]
    assert _texts("en", ' "', "Hello", " you") == ['"Hello', "you"]
    assert _texts("zh", "你", "好", "。") == ["你", "好。"]
    assert _texts("en", " ♪", " ♪") == [] and _texts("en", " ", "") == []


def test_the_last_word_of_a_segment_ends_the_phrase() -> None:
    segment = [Word(" one", 0, 1), Word(" two", 1, 2), Word(".", 2, 5)]
    one, two = whole_words(segment, "en")
    assert not one.ends_phrase and two.ends_phrase
    assert two.text == "two." and two.end_s == 2  # a full stop is not heard


def test_an_unsure_word_without_length_is_dropped_and_a_sure_one_kept() -> None:
    words = [Word("a", 1, 1, 0.9), Word("b", 1, 1, 0.1), Word("c", 1, 2, 0.1)]
    assert [word.text for word in in_order(words, 10)] == ["a", "c"]


times = st.floats(-5, 40, allow_nan=False)
given_words = st.lists(st.builds(Word, st.just("w"), times, times, st.floats(0.3, 1)), max_size=40)


def _check(words: tuple[Word, ...], duration_s: float, least_s: float) -> None:
    for word in words:
        assert 0 <= word.start_s < word.end_s <= duration_s + 1e-9
        assert word.end_s - word.start_s >= least_s - 1e-9
    for one, other in itertools.pairwise(words):
        assert one.end_s <= other.start_s + 1e-9


@given(given_words, st.floats(0.5, 35))
def test_whatever_the_times_words_end_up_in_order(words: list[Word], duration_s: float) -> None:
    out = in_order(words, duration_s)
    assert len(out) == len(words)
    _check(out, duration_s, min(MIN_WORD_S, duration_s / max(1, len(words))))


def test_words_that_are_in_order_stay_as_they_are() -> None:
    words = (Word("a", 0.5, 1.0), Word("b", 1.0, 1.4), Word("c", 2.0, 2.5))
    assert in_order(words, 3.0) == words


def _level(duration_s: float, *sounds: tuple[float, float]) -> np.ndarray:
    level_db = np.full(round(duration_s * 100), -70.0)
    for start_s, end_s in sounds:
        level_db[round(start_s * 100) : round(end_s * 100)] = -20.0
    return level_db


def _edges(words: tuple[Word, ...] | list[Word], level_db: np.ndarray, *voice: Span) -> list:
    moved = words_against_energy(words, level_db, 0.01, -45.0, voice)
    return [(round(word.start_s, 3), round(word.end_s, 3)) for word in moved]


def test_edges_in_a_pause_move_to_the_sound() -> None:
    level_db = _level(4, (0.5, 1.2), (2.0, 3.0))
    assert _edges([Word("a", 0.3, 1.6), Word("b", 1.6, 3.3)], level_db) == [(0.5, 1.2), (2.0, 3.0)]


def test_a_word_over_a_pause_keeps_the_side_with_more_sound() -> None:
    level_db = _level(4, (0.5, 1.2), (2.0, 3.0))
    words = [Word("a", 0.5, 1.1), Word("b", 1.1, 3.0)]
    assert _edges(words, level_db) == [(0.5, 1.2), (2.0, 3.0)]


def test_a_word_within_a_pause_goes_to_sound_that_nobody_has() -> None:
    level_db = _level(4, (0.5, 1.0), (1.6, 2.0), (2.6, 3.0))
    words = [Word("a", 0.5, 1.0), Word("b", 1.1, 1.5), Word("c", 2.6, 3.0)]
    assert _edges(words, level_db)[1] == (1.6, 2.0)


def test_an_edge_that_cuts_into_sound_moves_out_but_not_far() -> None:
    level_db = _level(4, (0.5, 1.2), (2.0, 3.5))
    words = [Word("a", 0.6, 1.1), Word("b", 2.1, 3.0)]
    assert _edges(words, level_db) == [(0.5, 1.2), (2.0, 3.2)]


def test_in_noise_the_voice_decides() -> None:
    level_db = np.full(400, -30.0)
    words = [Word("a", 0.5, 1.8), Word("b", 1.8, 3.0)]
    assert _edges(words, level_db, Span(0.6, 1.2), Span(2.1, 2.9)) == [(0.5, 1.3), (2.0, 3.0)]


def test_a_plosive_is_no_pause() -> None:
    level_db = _level(2, (0.5, 0.8), (0.9, 1.5))
    assert _edges([Word("Peter", 0.5, 1.5)], level_db) == [(0.5, 1.5)]


def test_without_any_sound_words_stay() -> None:
    words = [Word("a", 0.5, 1.0), Word("b", 1.2, 1.9)]
    assert _edges(words, _level(2)) == [(0.5, 1.0), (1.2, 1.9)]


@given(
    given_words,
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 60)), max_size=12),
    st.booleans(),
)
def test_words_never_overlap_vanish_or_swap(
    words: list[Word], sounds: list[tuple[int, int]], with_voice: bool
) -> None:
    named = [Word(str(number), w.start_s, w.end_s, 1.0) for number, w in enumerate(words)]
    level_db = _level(35, *((first / 10, (first + length) / 10) for first, length in sounds))
    voice = (Span(3, 8), Span(12, 30)) if with_voice else ()
    moved = words_against_energy(in_order(named, 35.0), level_db, 0.01, -45.0, voice)
    assert [word.text for word in moved] == [str(number) for number in range(len(words))]
    _check(moved, 35.0, MIN_WORD_S)
