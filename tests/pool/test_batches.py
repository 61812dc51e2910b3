"""Dealing: every chunk once, sizes that do not grow, a floor; and when a batch is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.render.batches import Patience, Verdict, deal, floor_frames, verdict
from tasks.timeline.model import Canvas, ColorTags

LENGTHS = st.lists(st.integers(1, 2000), max_size=120)


@given(LENGTHS, st.integers(1, 12), st.integers(1, 20_000))
def test_every_chunk_is_dealt_once_and_sizes_do_not_grow(
    frames: list[int], workers: int, floor: int
) -> None:
    batches = deal(frames, workers, floor)

    assert sorted(n for batch in batches for n in batch) == list(range(len(frames)))
    assert all(batch == tuple(sorted(batch)) and batch for batch in batches)
    sizes = [sum(frames[n] for n in batch) for batch in batches]
    assert sizes == sorted(sizes, reverse=True)


@given(st.integers(1, 300), st.integers(1, 12), st.integers(1, 20_000))
def test_equal_chunks_make_few_batches_and_a_fair_first_one(
    count: int, workers: int, floor: int
) -> None:
    frames, total = [100] * count, 100 * count
    batches = deal(frames, workers, floor)
    sizes = [100 * len(batch) for batch in batches]

    # The first batch is no more than an even share and a chunk: all who are there have some.
    assert sizes[0] < -(-total // workers) + 100
    # Where there is less to do than a worthy batch for each, nobody starts twice.
    if floor * workers >= total + 100 * workers:
        assert len(batches) <= workers
    # All but the last are worth their start.
    assert all(size + 100 > min(floor, total // workers) for size in sizes[:-1])


def test_nothing_to_deal_is_no_batch() -> None:
    assert deal([], 3, 100) == ()


def test_later_batches_are_smaller() -> None:
    sizes = [len(batch) for batch in deal([100] * 120, 3, 400)]

    assert sizes == [20, 16, 14, 11, 9, 8, 7, 5, 5, 4, 4, 4, 4, 4, 4, 1]


def test_the_floor_is_less_work_for_larger_pictures() -> None:
    color = ColorTags("tv", "bt709", "bt709", "bt709")
    small, large = (
        floor_frames(Canvas(width, height, 30, color))  # type: ignore[arg-type]
        for width, height in ((1280, 720), (3840, 2160))
    )

    assert small == 9 * large > 1500


@pytest.mark.parametrize(
    ("state", "quiet_s", "found"),
    [
        ("SCHEDULED", 10_000, Verdict.WAITS),  # its turn has not come
        ("PENDING", 59, Verdict.WAITS),
        ("PENDING", 61, Verdict.LOST),
        ("RUNNING", 29, Verdict.WAITS),
        ("RUNNING", 31, Verdict.LOST),
        ("CANCELLING", 31, Verdict.LOST),
        ("COMPLETED", 0, Verdict.OVER),
        ("FAILED", 0, Verdict.OVER),
        ("CRASHED", 10_000, Verdict.OVER),
    ],
)
def test_a_batch_that_gives_no_sign_is_lost(state: str, quiet_s: float, found: Verdict) -> None:
    assert verdict(state, quiet_s, Patience()) is found
