"""Which pictures come out of a file, wherever a range starts and however the file seeks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tasks.errors import BadInput
from tasks.media import pictures as module
from tasks.media.pictures import FrameRange, pictures
from tasks.media.probe import probe
from tasks.timeline.model import Source, VideoStream
from tasks.timeline.time import FrameGrid
from tests.builders import barcode_video, read_barcode, remux

RATE = Fraction(30)
FRAMES = 400


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return barcode_video(tmp_path_factory.mktemp("pictures") / "in.mp4", RATE, FRAMES)


def numbers(path: Path, source: Source, ranges: Sequence[FrameRange]) -> list[int]:
    found = pictures(path, source, RATE, ranges)
    return [read_barcode(picture.to_ndarray(format="gray")) for picture in found]


@pytest.mark.parametrize("first", [0, 1, 46, 47, 48, 49, 200, 398, 399])
def test_a_range_starts_anywhere(made: Path, first: int) -> None:
    """Before, on and behind a key frame (every 48 pictures), and at either end."""
    end = min(FRAMES, first + 3)

    assert numbers(made, probe(made), [(first, end)]) == list(range(first, end))


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
def test_many_ranges_near_and_far(made: Path, tmp_path: Path, suffix: str) -> None:
    path = made if suffix == ".mp4" else remux(made, tmp_path / f"in{suffix}")
    edges = sorted(random.Random(2).sample(range(FRAMES), 30))
    ranges = list(zip(edges[::2], edges[1::2], strict=True))

    wanted = [number for first, end in ranges for number in range(first, end)]
    assert numbers(path, probe(path), ranges) == wanted


def test_ranges_may_go_back(made: Path) -> None:
    wanted = [*range(300, 310), *range(5, 9), *range(5, 9)]

    assert numbers(made, probe(made), [(300, 310), (5, 9), (5, 9)]) == wanted


def test_seeking_and_decoding_in_sequence_agree(made: Path) -> None:
    source = probe(made)
    assert source.video is not None
    assert source.video.seeks
    in_sequence = replace(source, video=replace(source.video, seeks=False))

    for first in (0, 95, 290):
        one = numbers(made, source, [(first, first + 10)])
        assert one == numbers(made, in_sequence, [(first, first + 10)])


def test_a_seek_that_lands_behind_is_not_believed(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = module._decoded

    def late(
        path: Path, source: Source, video: VideoStream, grid: FrameGrid, seek_s: Fraction | None
    ) -> Iterator[module.Placed]:
        for place, picture in honest(path, source, video, grid, seek_s):
            if seek_s is None or place > 205:
                yield place, picture

    monkeypatch.setattr(module, "_decoded", late)

    assert numbers(made, probe(made), [(200, 210)]) == list(range(200, 210))


def test_ends_are_held(made: Path) -> None:
    source = probe(made)

    assert numbers(made, source, [(-2, 2)]) == [0, 0, 0, 1]
    assert numbers(made, source, [(FRAMES - 1, FRAMES + 2)]) == [FRAMES - 1] * 3


def test_a_damaged_picture_is_passed_over(made: Path, tmp_path: Path) -> None:
    """The picture before it stands in; what follows keeps its place."""
    data = bytearray(made.read_bytes())
    start = data.index(b"mdat") + 8
    middle = start + (len(data) - start) // 2
    data[middle : middle + 60] = bytes(60)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(bytes(data))

    got = numbers(path, probe(path), [(0, FRAMES)])

    assert len(got) == FRAMES
    assert got[:100] == list(range(100))
    assert got[-40:] == list(range(FRAMES - 40, FRAMES))


def test_footage_without_a_picture_is_refused(made: Path) -> None:
    source = replace(probe(made), video=None)

    with pytest.raises(BadInput, match="no picture"):
        next(pictures(made, source, RATE, [(0, 1)]))
