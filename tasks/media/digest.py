"""What a file is: BLAKE2b-256 of its bytes, streaming."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tasks.errors import BadInput

DIGEST_BYTES = 32


def bytes_digest(data: bytes) -> str:
    """Return the BLAKE2b-256 digest of some bytes, as hexadecimal."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def file_digest(path: Path) -> str:
    """Return the BLAKE2b-256 digest of a file's bytes, as hexadecimal; memory stays constant.

    Raises:
        BadInput: the file is missing, a folder, or cannot be read.
    """
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(
                handle, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)
            ).hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> BadInput:
    """Return the error for a footage file that cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return BadInput(f"no such file: {path}", "check the path")
    if isinstance(error, IsADirectoryError):
        return BadInput(f"{path} is a folder", "name the video files in it, in order")
    return BadInput(f"cannot read {path}: {error.strerror or error}", "check its permissions")
