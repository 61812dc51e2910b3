"""What scripts that edit step by step leave in a folder: temporary films and pickled caches."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BadInput

FILES = (
    (r".*TEMP_MPY_(wvf_snd|to_videofile).*", "moviepy's temporary sound or film"),
    (r"temp[-_]audio\.(m4a|mp3|wav|aac)", "a temporary sound, as moviepy's examples name it"),
    (r"__temp__\.\w+", "moviepy's temporary file"),
    (r"(temp|tmp)_[\w-]*\.(mp4|mov|mkv|wav|mp3|m4a|aac|ts|png|jpg)", "a temporary step"),
    (r"[\w-]+[._](temp|tmp)\.(mp4|mov|mkv|wav|mp3|m4a|aac|ts)", "a temporary step"),
    (r"ffmpeg2pass-\d+\.log(\.mbtree)?", "FFmpeg's log of a first pass"),
    (r"(concat|file)[-_]?list\.txt", "a list for FFmpeg's concat"),
)
"""Names, whole and whatever their case, and what they are."""

CACHES = re.compile(r"(\.?cache|[\w-]+[-_]cache|\.video_cache|__moviepy_cache__)", re.IGNORECASE)
CACHED = re.compile(
    r".*\.(pkl|pickle|joblib|npy|npz|val)|cache\.db(-shm|-wal)?"
    r"|.*(transcript|whisper|segments).*\.json",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A file that an older script left."""

    path: Path
    size_bytes: int
    why: str


def left_overs(folder: Path, present_store: Path) -> list[LeftOver]:
    """Return what older scripts left in a folder and below; follows no links.

    Args:
        folder: where to look.
        present_store: the store in use; nothing in it is named.

    Raises:
        BadInput: the folder is missing or is none.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder", "name the folder in which the old scripts worked")
    return sorted(_found(folder.resolve(), present_store.resolve()), key=lambda each: each.path)


def _found(folder: Path, store: Path) -> Iterator[LeftOver]:
    for top, folders, files in os.walk(folder, followlinks=False):
        here = Path(top)
        folders[:] = [name for name in folders if not _is_ours(here / name, store)]
        for name in files:
            path, why = here / name, _why(here, name)
            if why and not path.is_symlink():
                yield LeftOver(path, path.lstat().st_size, why)


def _is_ours(folder: Path, store: Path) -> bool:
    is_store = (folder / "index").is_dir() and (folder / "blobs").is_dir()
    return folder == store or is_store or folder.is_symlink()


def _why(folder: Path, name: str) -> str:
    for pattern, why in FILES:
        if re.fullmatch(pattern, name, re.IGNORECASE):
            return why
    is_cached = CACHES.fullmatch(folder.name) and CACHED.fullmatch(name)
    return "a cache that is not read any more" if is_cached else ""


def remove(found: list[LeftOver]) -> int:
    """Remove files, and cache folders that are empty then; return the bytes freed."""
    freed_bytes = 0
    for each in found:
        each.path.unlink(missing_ok=True)
        freed_bytes += each.size_bytes
    for folder in {each.path.parent for each in found}:
        if CACHES.fullmatch(folder.name) and folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
    return freed_bytes
