"""Opening footage: local files only, in formats that hold media and point nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.error
from av.container import InputContainer

from tasks.errors import BadInput
from tasks.media.digest import unreadable

FORMATS = (
    *("mov", "mp4", "m4a", "m4v", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "flv", "asf"),
    *("mpeg", "mpegts", "mpegvideo", "mxf", "dv", "nut", "ivf", "obu", "h264", "hevc"),
    *("ogg", "wav", "mp3", "flac", "aac", "aiff", "caf"),
)
"""Demuxers that may open footage. Playlists (hls, dash, concat) and picture patterns are not among
them: a file that came from anywhere must not make finecut read other files or the network."""


def _unusable(path: Path, error: Exception) -> BadInput:
    if isinstance(error, OSError) and not isinstance(error, av.error.FFmpegError):
        return unreadable(path, error)
    return BadInput(
        f"{path} is no video that can be read: {getattr(error, 'strerror', '') or error}",
        "play it to see whether it is whole; a recording that was cut off can often be mended "
        "with the camera or a recovery tool",
    )


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading.

    Raises:
        BadInput: the file is missing, empty, or holds nothing that can be read.
    """
    try:
        size_bytes = path.stat().st_size
        if path.is_dir():
            raise IsADirectoryError
        with path.open("rb"):
            pass
    except OSError as error:
        raise unreadable(path, error) from error
    if size_bytes == 0:
        raise BadInput(f"{path} is empty (0 bytes)", "copy or record it again")
    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS)}
    try:
        # An absolute path cannot be taken for a URL, and a leading dash is no option.
        container = av.open(f"file:{path.absolute()}", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise _unusable(path, error) from error
    with container:
        yield container
