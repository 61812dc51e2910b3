"""Encoders that do not work, from the start or in the middle: the film is made, and told of.

No hardware is needed: that h264_nvenc does not work here is real, and where it has to work for a
while, a small program in FFmpeg's place passes everything on and has x264 do its encoding.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from flows.edit import edit, render_document
from tasks.errors import BadSettings
from tasks.media import ffmpeg
from tasks.media.encoders import proof
from tasks.settings import EditSettings
from tests.builders import barcode_video, read_barcodes

NO_GPU = pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="a GPU may be able to")
FRAMES = 240

WRAPPER = """#!{python}
import os, sys
arguments = sys.argv[1:]
if "{pretended}" in arguments:
    is_chunk = "320x192" not in arguments  # the size of a proof
    if is_chunk:
        with open("{log}", "ab", buffering=0) as log:
            log.write(b".")
            if log.tell() >= {fails_at}:
                print("[{pretended} @ 0x7f0] OpenEncodeSessionEx failed: out of memory (10)",
                      file=sys.stderr)
                sys.exit(1)
    for name in ("-rc", "-tune", "-forced-idr", "-b:v"):
        at = arguments.index(name)
        del arguments[at:at + 2]
    arguments[arguments.index("-c:v") + 1] = "libx264"
    arguments[arguments.index("-cq")] = "-crf"
    arguments[arguments.index("-preset") + 1] = "ultrafast"
os.execv("{real}", ["{real}", *arguments])
"""


def forget() -> None:
    """Let the next call find out anew which FFmpeg there is and what it can."""
    for each in (ffmpeg.executable, ffmpeg.version, proof):
        each.cache_clear()


@pytest.fixture
def pretending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Return what puts a program in FFmpeg's place that pretends to have a hardware encoder."""
    real = ffmpeg.executable()

    def pretend(encoder: str = "h264_nvenc", fails_at: int = 10**9) -> Path:
        path, log = tmp_path / f"ffmpeg-{encoder}", tmp_path / "chunks.log"
        path.write_text(
            WRAPPER.format(
                python=sys.executable, pretended=encoder, log=log, fails_at=fails_at, real=real
            )
        )
        path.chmod(0o755)
        monkeypatch.setenv("FINECUT_FFMPEG", str(path))
        forget()
        return log

    yield pretend
    monkeypatch.delenv("FINECUT_FFMPEG", raising=False)
    forget()


@pytest.fixture
def clip(footage: Path) -> Path:
    return barcode_video(footage / "clip.mp4", Fraction(30), FRAMES)


def settings(**render: Any) -> EditSettings:
    """Return settings that leave the footage uncut, in chunks of at most two seconds."""
    off = {group: {"enabled": False} for group in ("silence", "transcript", "faces", "zoom")}
    chunked = {"min_chunk": 1, "max_chunk": 2, **render}
    return EditSettings.model_validate({**off, "render": chunked})


def encoder_of(report: dict[str, Any]) -> str:
    assert all(check["ok"] for check in report["checks"])
    return str(report["summary"]["encoder"])


def warned(report: dict[str, Any], *words: str) -> bool:
    return any(all(word in text for word in words) for text in report["warnings"])


def degraded(report: dict[str, Any]) -> set[str]:
    return {line["step"] for line in report["steps"] if line["state"] == "degraded"}


@NO_GPU
def test_an_encoder_that_does_not_work_here_is_replaced_and_told_of(
    clip: Path, footage: Path
) -> None:
    film, plain = footage / "film.mp4", footage / "plain.mp4"

    report = edit([clip], film, footage / "beside", settings(encoder="h264_nvenc"))

    assert encoder_of(report) == "libx264"
    assert warned(report, "h264_nvenc", "libx264", "libcuda")
    assert degraded(report) == {"encoder"}
    assert read_barcodes(film) == list(range(FRAMES))
    plan = json.loads((footage / "beside" / "plan.json").read_text())
    assert plan["encoding"]["encoder"] == "libx264"

    again = edit([clip], film, None, settings(encoder="h264_nvenc"))
    assert warned(again, "h264_nvenc")  # never silently, and never taken for what was asked for
    assert again["summary"]["chunks_rendered"] == 0

    edit([clip], plain, None, settings())
    assert plain.read_bytes() == film.read_bytes()


@NO_GPU
@pytest.mark.parametrize(
    ("asked", "gets"), [("hevc_nvenc", "libx265"), ("av1_nvenc", "libsvtav1"), ("auto", "libx264")]
)
def test_the_plan_names_what_will_encode(clip: Path, footage: Path, asked: str, gets: str) -> None:
    asking = settings(encoder=asked, quality="draft")

    report = edit([clip], None, None, asking, plan=footage / "plan.json")

    assert json.loads((footage / "plan.json").read_text())["encoding"]["encoder"] == gets
    assert warned(report, asked, gets) == (asked != "auto")


@NO_GPU
def test_a_plan_made_elsewhere_is_rendered_with_what_works_here(
    clip: Path, footage: Path, pretending: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretending()
    edit([clip], None, None, settings(encoder="auto"), plan=footage / "plan.json")
    plan = json.loads((footage / "plan.json").read_text())
    assert (plan["encoding"]["encoder"], plan["encoding"]["preset"]) == ("h264_nvenc", "p5")
    monkeypatch.delenv("FINECUT_FFMPEG")
    forget()

    report = render_document(plan, [footage], footage / "film.mp4")

    assert encoder_of(report) == "libx264"
    assert report["summary"]["preset"] == "medium"
    assert warned(report, "h264_nvenc", "libcuda")
    assert read_barcodes(footage / "film.mp4") == list(range(FRAMES))


def test_what_works_is_used(clip: Path, footage: Path, pretending: Callable[..., Path]) -> None:
    log = pretending()

    report = edit([clip], footage / "film.mp4", None, settings(encoder="auto"))

    assert encoder_of(report) == "h264_nvenc"
    assert report["warnings"] == ["no sound: nothing counts as silent, and nothing is transcribed"]
    assert degraded(report) == set()
    assert len(log.read_bytes()) == report["summary"]["chunks"] > 3
    assert read_barcodes(footage / "film.mp4") == list(range(FRAMES))


@pytest.mark.parametrize("fails_at", [3])
def test_an_encoder_that_fails_in_the_middle_takes_no_part_in_the_film(
    clip: Path, footage: Path, pretending: Callable[..., Path], fails_at: int
) -> None:
    log = pretending(fails_at=fails_at)
    film, plain = footage / "film.mp4", footage / "plain.mp4"

    report = edit([clip], film, footage / "beside", settings(encoder="h264_nvenc"))

    assert encoder_of(report) == "libx264"
    assert warned(report, "h264_nvenc", "libx264", "out of memory")
    assert degraded(report) == {"encoder"}
    # What the first encoder has finished before is no part of the film.
    assert report["summary"]["chunks_rendered"] == report["summary"]["chunks"]
    assert len(log.read_bytes()) >= fails_at
    assert read_barcodes(film) == list(range(FRAMES))
    plan = json.loads((footage / "beside" / "plan.json").read_text())
    assert plan["encoding"]["encoder"] == "libx264"

    edit([clip], plain, None, settings())
    assert plain.read_bytes() == film.read_bytes()

    tried = len(log.read_bytes())
    again = edit([clip], film, None, settings(encoder="h264_nvenc"))
    assert len(log.read_bytes()) > tried  # the next run tries again
    assert encoder_of(again) == "libx264"
    assert again["summary"]["chunks_rendered"] == 0
    assert film.read_bytes() == plain.read_bytes()


def test_av1_into_mov_is_refused_before_any_work(clip: Path, footage: Path) -> None:
    with pytest.raises(BadSettings, match=r"\.mov"):
        edit([clip], footage / "film.mov", None, settings(encoder="svtav1"))

    edit([clip], None, None, settings(encoder="svtav1"), plan=footage / "plan.json")
    plan = json.loads((footage / "plan.json").read_text())
    with pytest.raises(BadSettings, match=r"\.mov"):
        render_document(plan, [footage], footage / "film.mov")
    assert not (footage / "film.mov").exists()
