"""One chunk: drawn, encoded once, checked, and kept under its key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.caching import Made, Stored, stored
from tasks.encoding import encoding
from tasks.keys import chunk_key
from tasks.media import ffmpeg, fonts
from tasks.media.draw import Shot, drawn_planes
from tasks.media.encoded import check_ends, check_packets
from tasks.render.chunks import Chunk, incoming_color
from tasks.render.graph import (
    ENDS_FILE,
    ENDS_SIZE_PX,
    FONT_FOLDER,
    SUBTITLE_FILE,
    chunk_arguments,
    frame_ticks,
    hash_arguments,
)
from tasks.render.plan import RenderPlan
from tasks.run import Run

CHUNK_FILE = "chunk.mp4"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chunk, and the plan that it belongs to."""

    plan: RenderPlan
    chunk: Chunk


def fed_planes(run: Run, plan: RenderPlan, chunk: Chunk) -> Iterator[memoryview]:
    """Yield a chunk's raw planes, and count its frames as they are taken."""
    shot = Shot(chunk.clips, plan.sources, chunk.zoom, chunk.broll, plan.assets)
    planes = drawn_planes(shot, plan.canvas, run.footage)
    for number, plane in enumerate(planes):
        yield plane
        if number % 3 == 2:
            run.add_frames(1)


def prepare_folder(chunk: Chunk, folder: Path) -> None:
    """Put what the chunk's graph reads into the working folder."""
    if chunk.subtitles is not None:
        (folder / SUBTITLE_FILE).write_text(chunk.subtitles, encoding="utf-8")
        shutil.copytree(fonts.FONTS_DIR, folder / FONT_FOLDER)


def draw_chunk(run: Run, plan: RenderPlan, chunk: Chunk, folder: Path) -> Path:
    """Draw and encode a chunk into a folder, and check that it holds each of its frames.

    Raises:
        EncoderFailed: a hardware encoder failed.
        ToolFailed: FFmpeg failed or stalled.
        VerificationFailed: frames are missing, or it does not show what was drawn.
    """
    prepare_folder(chunk, folder)
    color = incoming_color(plan, chunk)
    arguments = chunk_arguments(chunk, plan.canvas, color, plan.encoding, CHUNK_FILE)
    planes = fed_planes(run, plan, chunk)
    with encoding(run, plan.encoding.encoder) as cancelled:
        ffmpeg.run(arguments, folder=folder, feed=planes, cancelled=cancelled)
        last_pts = check_packets(folder / CHUNK_FILE, chunk.frames, frame_ticks(plan.canvas))
        ends = (folder / ENDS_FILE).read_bytes()
        check_ends(folder / CHUNK_FILE, ends, ENDS_SIZE_PX, last_pts)
    return folder / CHUNK_FILE


def frame_hashes(run: Run, plan: RenderPlan, chunk: Chunk, folder: Path) -> list[str]:
    """Return a hash of each frame of a chunk as it would reach the encoder."""
    prepare_folder(chunk, folder)
    color = incoming_color(plan, chunk)
    arguments = hash_arguments(chunk, plan.canvas, color, "hashes.txt")
    ffmpeg.run(arguments, folder=folder, feed=fed_planes(run, plan, chunk))
    lines = (folder / "hashes.txt").read_text().splitlines()
    return [line.rsplit(",", 1)[-1].strip() for line in lines if line and line[0] != "#"]


def _compute(run: Run, given: Drawing, work: Path) -> Made:
    """Return where a chunk's file lies, held by the run."""
    return Made(None, {"chunk": draw_chunk(run, given.plan, given.chunk, work)})


render_chunk = stored(
    Stored(
        "chunk",
        lambda _, given: chunk_key(given.plan, given.chunk),
        _compute,
        lambda _, entry: entry.blobs["chunk"],
        found=lambda run, given: run.add_frames(given.chunk.frames),
    )
)
