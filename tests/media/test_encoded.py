"""A chunk that is not what was drawn is found when it is made."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tasks.errors import VerificationFailed
from tasks.media import ffmpeg
from tasks.media.encoded import check_ends, check_packets
from tasks.media.verify import fully_decoded
from tests.builders import barcode, encode

SIZE = (64, 36)
RATE = Fraction(30)
FRAMES = 100
TICKS = 512
"""Of a frame, at FFmpeg's own clock for 30 frames a second: 15360 ticks a second."""


def small(number: int) -> bytes:
    """Return the luma of a picture at the size of the ends."""
    grey = av.VideoFrame.from_ndarray(barcode(number), format="gray")
    plane = grey.reformat(*SIZE, "gray", interpolation="AREA").planes[0]
    return np.frombuffer(plane, np.uint8).reshape(36, -1)[:, :64].tobytes()


@pytest.fixture(scope="module")
def chunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chunk")
    pictures = (barcode(n) for n in range(FRAMES))
    return encode(folder / "chunk.mp4", pictures, RATE, "-crf", "28", "-preset", "medium")


def other(chunk: Path, target: Path, *options: str) -> Path:
    ffmpeg.run(["-i", str(chunk), *options, str(target)], folder=target.parent)
    return target


def test_a_whole_chunk_passes(chunk: Path) -> None:
    last = check_packets(chunk, FRAMES, TICKS)
    assert last == (FRAMES - 1) * TICKS
    check_ends(chunk, small(0) + small(FRAMES - 1), SIZE, last)
    assert fully_decoded(chunk, FRAMES).ok


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("-c", "copy", "-frames:v", "90"), "90 frames where 100"),
        (("-c", "copy", "-bsf:v", "setts=ts=TS+100*eq(N\\,50)"), "irregular times"),
    ],
)
def test_missing_frames_and_uneven_times_are_found(
    chunk: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    with pytest.raises(VerificationFailed, match=told):
        check_packets(other(chunk, tmp_path / "bad.mp4", *options), FRAMES, TICKS)


@pytest.mark.parametrize(("ends", "which"), [((60_000, 99), "first"), ((0, 60_000), "last")])
def test_other_pictures_at_the_ends_are_found(
    chunk: Path, ends: tuple[int, int], which: str
) -> None:
    drawn = b"".join(map(small, ends))
    with pytest.raises(VerificationFailed, match=f"the {which} picture"):
        check_ends(chunk, drawn, SIZE, (FRAMES - 1) * TICKS)


def test_a_coarse_encode_is_still_known(tmp_path: Path) -> None:
    pictures = (barcode(n) for n in range(FRAMES))
    coarse = encode(tmp_path / "coarse.mp4", pictures, RATE, "-crf", "51")
    check_ends(coarse, small(0) + small(FRAMES - 1), SIZE, (FRAMES - 1) * TICKS)


def test_a_last_picture_that_no_other_refers_to_is_found(chunk: Path, tmp_path: Path) -> None:
    """Passing over such pictures must not lose the last one."""
    cut = other(chunk, tmp_path / "cut.mp4", "-c", "copy", "-frames:v", "99")
    with av.open(str(cut)) as container:
        times = sorted(p.pts for p in container.demux(video=0) if p.size)
    for pts in times[-4:]:
        check_ends(cut, small(0) + small(pts // TICKS), SIZE, pts)


def test_damage_in_the_middle_is_found_by_a_full_decode(chunk: Path, tmp_path: Path) -> None:
    data = bytearray(chunk.read_bytes())
    with av.open(str(chunk)) as container:
        packets = [p for p in container.demux(video=0) if p.size > 60 and not p.is_keyframe]
    at = packets[len(packets) // 2].pos
    data[at + 8 : at + 40] = bytes(range(1, 33))
    spoiled = tmp_path / "spoiled.mp4"
    spoiled.write_bytes(bytes(data))

    check = fully_decoded(spoiled, FRAMES)

    assert not check.ok
