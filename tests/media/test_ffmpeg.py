"""Running FFmpeg: its words in errors, and an end for what stalls or is cancelled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import Interrupted, Missing, ToolFailed
from tasks.media import ffmpeg

RAW = ["-f", "rawvideo", "-pixel_format", "gray", "-video_size", "64x64", "-framerate", "30"]


def slowly() -> Iterator[bytes]:
    """Yield a picture now and then, for a minute."""
    for _ in range(600):
        yield bytes(64 * 64)
        time.sleep(0.1)


def test_an_error_carries_what_ffmpeg_said(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="nothing-there"):
        ffmpeg.run(["-i", "nothing-there.mp4", "out.mp4"], folder=tmp_path)


def test_a_stalled_run_is_ended(tmp_path: Path) -> None:
    def one_picture_then_nothing() -> Iterator[bytes]:
        yield bytes(64 * 64)
        time.sleep(3)
        yield bytes(64 * 64)

    start_s = time.monotonic()
    with pytest.raises(ToolFailed, match="no progress"):
        ffmpeg.run(
            [*RAW, "-i", "pipe:0", "-f", "null", "-"],
            folder=tmp_path,
            feed=one_picture_then_nothing(),
            stall_s=0.5,
        )
    assert time.monotonic() - start_s < 6


def test_a_cancelled_run_ends_at_once(tmp_path: Path) -> None:
    start_s = time.monotonic()

    with pytest.raises(Interrupted):
        ffmpeg.run(
            [*RAW, "-i", "pipe:0", "-f", "null", "-"],
            folder=tmp_path,
            feed=slowly(),
            cancelled=lambda: time.monotonic() - start_s > 0.5,
        )
    assert time.monotonic() - start_s < 3


def test_another_ffmpeg_that_is_none_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINECUT_FFMPEG", "/nowhere/ffmpeg")
    ffmpeg.executable.cache_clear()
    try:
        with pytest.raises(Missing, match="FINECUT_FFMPEG"):
            ffmpeg.executable()
    finally:
        ffmpeg.executable.cache_clear()


@pytest.mark.parametrize("name", ["ass", "zscale", "tonemap", "setparams"])
def test_the_pinned_build_has_what_graphs_use(name: str) -> None:
    assert ffmpeg.has_filter(name)
    assert not ffmpeg.has_filter(name + "x")
