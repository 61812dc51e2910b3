"""The one place that runs FFmpeg: never through a shell, never in a session of its own.

A child stays in finecut's process group, so that whoever ends the run (Ctrl-C, a Prefect worker
that kills the group) ends it too. A run that makes no progress for `stall_s` is killed.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from tasks.errors import FinecutError, Interrupted, Missing, ToolFailed

STALL_S = 120.0
"""Longest silence of a healthy FFmpeg: a slow preset at 4K needs seconds a frame, never minutes."""

STDERR_LINES = 20
"""How much of FFmpeg's last words an error carries."""


@cache
def executable() -> str:
    """Return the path of FFmpeg: `FINECUT_FFMPEG` where set, else the pinned build.

    Raises:
        Missing: neither is there.
    """
    named = os.environ.get("FINECUT_FFMPEG")
    if named:
        if not os.access(named, os.X_OK):
            raise Missing(
                f"FINECUT_FFMPEG names {named}, which is no program",
                "mend the variable, or unset it to use the FFmpeg that comes with finecut",
            )
        return named
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise Missing(
            "no FFmpeg for this machine comes with the package imageio-ffmpeg",
            "install FFmpeg and name it in FINECUT_FFMPEG",
        ) from error


@cache
def version() -> str:
    """Return FFmpeg's version and build configuration in one line; it is part of a chunk's key."""
    try:
        out = subprocess.run(
            [executable(), "-hide_banner", "-version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(
            f"{executable()} does not run: {error}", "name a working FFmpeg in FINECUT_FFMPEG"
        ) from error
    match = re.search(r"ffmpeg version (\S+)", out)
    libraries = re.findall(r"lib(\w+)\s+(\d+\.\s*\d+\.\s*\d+)", out)
    built = " ".join(f"{name} {number.replace(' ', '')}" for name, number in libraries)
    return f"{match[1] if match else 'unknown'} ({built})"


@cache
def has_filter(name: str) -> bool:
    """Return whether this FFmpeg carries a filter."""
    out = subprocess.run(
        [executable(), "-hide_banner", "-filters"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    ).stdout
    return re.search(rf"^\s*\S+\s+{re.escape(name)}\s", out, re.MULTILINE) is not None


class _Watch:
    """Kills a child that makes no progress, or whose run was cancelled."""

    def __init__(
        self, child: subprocess.Popen[bytes], stall_s: float, cancelled: Callable[[], bool]
    ) -> None:
        self.reason = ""
        self._child = child
        self._stall_s = stall_s
        self._cancelled = cancelled
        self._alive_at_s = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def alive(self) -> None:
        self._alive_at_s = time.monotonic()

    def _run(self) -> None:
        while not self._done.wait(0.25):
            if self._cancelled():
                self.reason = "cancelled"
            elif time.monotonic() - self._alive_at_s > self._stall_s:
                self.reason = "stalled"
            if self.reason:
                self._child.kill()
                return

    def stop(self) -> None:
        self._done.set()
        self._thread.join()


def _drain(stream: IO[bytes], tail: deque[str], watch: _Watch) -> None:
    for line in stream:
        tail.append(line.decode("utf-8", "replace").rstrip())
        watch.alive()


Piece = bytes | bytearray | memoryview
"""What can be written to FFmpeg's standard input."""

PIPE_BYTES = 1 << 20
"""Room in the pipe (Linux allows 1 MiB unprivileged): fewer switches between the two programs."""


def _fed(stdin: IO[bytes], pieces: Iterable[Piece], watch: _Watch) -> None:
    """Write all pieces; a child that closes its input early is told of by its exit code."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        for piece in pieces:
            stdin.write(piece)
            watch.alive()
        stdin.close()
    except BrokenPipeError:
        pass


def run(
    arguments: Sequence[str],
    *,
    folder: Path,
    feed: Iterable[Piece] = (),
    stall_s: float = STALL_S,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Run FFmpeg in `folder` with bytes-like pieces on its standard input.

    Args:
        arguments: what follows the program's name.
        folder: the working folder; file names in `arguments` are plain names in it.
        feed: contiguous buffers, written one by one, so that memory holds one of them.
        stall_s: seconds without a piece taken or a line said after which the run is ended.
        cancelled: asked four times a second; when true, FFmpeg is killed.

    Raises:
        ToolFailed: FFmpeg failed or stalled; the message holds the end of what it said.
        Interrupted: `cancelled` became true.
    """
    command = [executable(), "-hide_banner", "-nostdin", "-loglevel", "warning", *arguments]
    child = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stderr is not None
    tail: deque[str] = deque(maxlen=STDERR_LINES)
    watch = _Watch(child, stall_s, cancelled)
    reader = threading.Thread(target=_drain, args=(child.stderr, tail, watch), daemon=True)
    reader.start()
    try:
        _fed(child.stdin, feed, watch)
        child.wait()
    finally:
        watch.stop()
        if child.poll() is None:
            child.kill()
            child.wait()
        reader.join(timeout=5)
        child.stderr.close()
    _raise_for(child.returncode, watch.reason, list(tail), stall_s)


def _raise_for(returncode: int, reason: str, tail: list[str], stall_s: float) -> None:
    if reason == "cancelled":
        raise Interrupted("the run was cancelled", "give the same command again to go on")
    said = "\n".join(tail)
    if reason == "stalled":
        raise ToolFailed(f"FFmpeg made no progress for {stall_s:g} s and was ended\n{said}")
    if returncode != 0 and "No space left on device" in said:
        raise FinecutError(
            "the disk is full: FFmpeg could not write",
            "free some space and give the same command again: finished work is kept",
        )
    if returncode != 0:
        hint = "see what FFmpeg said above"
        raise ToolFailed(f"FFmpeg failed with exit code {returncode}\n{said}", hint)
