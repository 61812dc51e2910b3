"""What scripts that edit step by step leave in a folder: temporary films and pickled caches.

Only what is sure is named: by a name that a program gives of itself, or by name and content both.
Links are not followed, and the folders of tools (`SKIPPED`) and of finecut's stores are left alone.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BadInput
from tasks.media.files import is_left_over

PART_S = 86400.0
"""A half-written file of another machine is left over when nobody wrote to it for so long."""

JSON_BYTES = 64 << 20
"""Larger files are not read to see whether they are a transcript."""

SKIPPED = re.compile(
    r"\.git|\.hg|\.svn|\.?venv|node_modules|site-packages|__pycache__|"
    r"\.tox|\.nox|\.(mypy|pytest|ruff)_cache"
)
CACHE = re.compile(r"\.?cache|.+[-_]cache", re.IGNORECASE)
VALUES = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
"""Where diskcache puts large values."""


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A file, or a diskcache with its files, that an older script left."""

    path: Path
    size_bytes: int
    why: str
    files: tuple[Path, ...]
    """What goes: the file itself, or the files of the diskcache."""


def _always(_: Path) -> bool:
    return True


def _is_part(path: Path) -> bool:
    """Return whether whoever wrote a file is gone."""
    if is_left_over(path.name.removeprefix(".part-")):
        return True
    return time.time() - path.lstat().st_mtime > PART_S


def _is_concat(path: Path) -> bool:
    """Return whether a file is a list for FFmpeg's concat."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    words = {line.split()[0] for line in lines if not line.startswith("#")}
    return "file" in words and words <= {"file", "ffconcat", "duration", "inpoint", "outpoint"}


def _is_whisper(path: Path) -> bool:
    if path.lstat().st_size > JSON_BYTES:
        return False
    found = json.loads(path.read_text(encoding="utf-8"))
    segments = found.get("segments") if isinstance(found, dict) else None
    return isinstance(segments, list) and all(
        isinstance(each, dict) and {"start", "end", "text"} <= set(each) for each in segments
    )


Check = Callable[[Path], bool]

MEDIA = "(mp4|mov|mkv|wav|mp3|m4a|aac|ts)"

FILES: tuple[tuple[str, str, Check], ...] = (
    (r".*TEMP_MPY_.+", "moviepy's temporary sound", _always),
    (r"temp[-_]audio\.(m4a|mp3|aac|wav)", "a temporary sound, as moviepy's users name it", _always),
    (r"__temp__\.(mp4|mp3|png|gif)", "moviepy's film for a notebook", _always),
    (r".+_GIFTEMP\d{4}\.png", "moviepy's picture on the way to a GIF", _always),
    (rf".+[._](temp|tmp)\.{MEDIA}", "one step's film or sound, for the next", _always),
    (rf"(temp|tmp)_.+\.{MEDIA}", "one step's film or sound, for the next", _always),
    (r"ffmpeg2pass-\d+\.log(\.mbtree)?", "FFmpeg's log of a first pass", _always),
    (r"(concat_list|filelist)\.txt", "a list for FFmpeg's concat", _is_concat),
    (r"\.part-.+-[0-9a-f]{12}(\.\w+)?", "a half-written file of a finecut that is gone", _is_part),
)
"""Whole names, what they are, and what else has to hold. Those of moviepy are from its source."""

CACHED: tuple[tuple[str, str, Check], ...] = (
    (r".+\.(pkl|pickle|joblib|npy|npz)", "a cache, which is not read any more", _always),
    (r".+\.json", "a transcript of whisper, which is not read any more", _is_whisper),
)
"""The same, directly in a folder that is called a cache."""


def left_overs(folder: Path, present_store: Path) -> list[LeftOver]:
    """Return what older scripts left in a folder and below; follows no links.

    Args:
        folder: where to look.
        present_store: the store in use; nothing in it is named.

    Raises:
        BadInput: the folder is missing, is none, or is too much: the root of the disk.
    """
    hint = "name the folder in which the old scripts worked"
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder", hint)
    top = folder.resolve()
    if top == Path(top.anchor):
        raise BadInput(f"{folder} is the whole disk", hint)
    return sorted(_found(top, present_store.resolve()), key=lambda each: each.path)


def remove(found: Iterable[LeftOver]) -> tuple[int, list[Path]]:
    """Remove what was found, and the folders of a diskcache that are empty then.

    Returns:
        The bytes freed, and the files that could not be removed.
    """
    freed_bytes, stays = 0, []
    for each in found:
        for path in each.files:
            try:
                size_bytes = path.lstat().st_size
                path.unlink()
            except FileNotFoundError:
                continue
            except OSError:
                stays.append(path)
            else:
                freed_bytes += size_bytes
        folders = {f for path in each.files for f in path.parents if _is_in(f, each.path)}
        for folder in sorted(folders, key=lambda path: -len(path.parts)):
            with suppress(OSError):  # something else lies in it
                folder.rmdir()
    return freed_bytes, stays


def _is_in(folder: Path, top: Path) -> bool:
    return folder == top or top in folder.parents


def _found(top: Path, store: Path) -> Iterator[LeftOver]:
    if _is_in(top, store):
        return
    for name, folders, files in os.walk(top, followlinks=False):
        here = Path(name)
        if here == store or _is_store(here):
            folders.clear()
            continue
        folders[:] = [each for each in folders if not SKIPPED.fullmatch(each)]
        is_cache = bool(CACHE.fullmatch(here.name))
        if is_cache and "cache.db" in files and _is_diskcache(here / "cache.db"):
            yield _diskcache(here)
        for path in (here / each for each in files):
            why = _why(path, is_cache=is_cache)
            if why:
                with suppress(OSError):
                    yield LeftOver(path, path.lstat().st_size, why, (path,))


def _is_store(folder: Path) -> bool:
    """Return whether a folder is a store of finecut's, in use or not."""
    return all((folder / name).is_dir() for name in ("index", "blobs", "work"))


def _why(path: Path, *, is_cache: bool) -> str:
    for pattern, why, holds in (*FILES, *(CACHED if is_cache else ())):
        if re.fullmatch(pattern, path.name):
            with suppress(OSError, ValueError, RecursionError):
                if path.is_file() and not path.is_symlink() and holds(path):
                    return why
    return ""


def _is_diskcache(path: Path) -> bool:
    """Return whether a database is diskcache's, without writing a byte beside it."""
    if path.is_symlink():
        return False
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as base:
            tables = {row[0] for row in base.execute("SELECT name FROM sqlite_master")}
    except (sqlite3.Error, OSError):
        return False
    return {"Cache", "Settings"} <= tables


def _diskcache(folder: Path) -> LeftOver:
    """Return a diskcache: its database and its values, whatever else lies beside them."""
    names = [folder / f"cache.db{end}" for end in ("", "-shm", "-wal")]
    values = [
        path
        for path in sorted(folder.glob("??/??/*.val"))
        if VALUES.fullmatch(path.relative_to(folder).as_posix())
        and not path.parent.is_symlink()
        and not path.parent.parent.is_symlink()
    ]
    files = tuple(p for p in (*names, *values) if p.is_file() and not p.is_symlink())
    size_bytes = sum(path.lstat().st_size for path in files)
    return LeftOver(folder, size_bytes, "a diskcache, which is not read any more", files)
