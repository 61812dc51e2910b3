"""Files by digest: `folder/ab/<digest>`, read-only, handed out by hard link.

Whoever holds a link keeps the file, whatever is evicted meanwhile.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BadInput
from tasks.media.digest import file_digest


@dataclass(frozen=True, slots=True)
class Blob:
    """A file by what is in it."""

    digest: str
    size_bytes: int


class Blobs:
    """The files of a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest

    def keep(self, path: Path, hold: Path | None = None) -> Blob:
        """Move a file in, whole: its bytes are on the disk before it has its name.

        Args:
            path: the file.
            hold: a folder that a link to it is put into first, as `hold` would.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        blob = Blob(file_digest(path), path.stat().st_size)
        if hold is not None:
            self._link(path, hold / blob.digest)
        target = self.path(blob.digest)
        target.parent.mkdir(exist_ok=True)
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        with suppress(OSError):  # a disk without permissions keeps files all the same
            path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        if target.is_dir():
            shutil.rmtree(target)
        path.replace(target)
        return blob

    def hold(self, digest: str, folder: Path) -> Path | None:
        """Return a link to a file in `folder`, found to be whole; none where it is not.

        The link is made first and read then: what was read is what is held.
        """
        link = folder / digest
        if not link.exists():
            try:
                self._link(self.path(digest), link)
            except OSError:
                return None
        if not is_whole(link, digest):
            with suppress(OSError):
                link.unlink()
            return None
        return link

    def remove(self, digest: str) -> int:
        """Remove a file, or what lies in its place; return the bytes freed."""
        path = self.path(digest)
        try:
            size_bytes = path.lstat().st_size
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError:
            return 0
        return size_bytes

    def files(self) -> Iterator[tuple[str, Path, int]]:
        """Yield digest, path and bytes of every file."""
        for below in _entries(self.folder):
            if below.is_dir(follow_symlinks=False):
                for found in _entries(Path(below.path)):
                    with suppress(OSError):
                        size_bytes = found.stat(follow_symlinks=False).st_size
                        yield found.name, Path(found.path), size_bytes

    @staticmethod
    def _link(path: Path, link: Path) -> None:
        if path.is_symlink() or not path.is_file():
            raise FileNotFoundError(path)
        try:
            link.hardlink_to(path)
        except FileExistsError:
            return  # another thread of this run holds it already
        except FileNotFoundError:
            raise
        except OSError:  # a disk without hard links
            part = link.with_name(f"{link.name}-{os.urandom(4).hex()}")
            shutil.copyfile(path, part)
            part.replace(link)


def is_whole(path: Path, digest: str) -> bool:
    """Return whether a file's bytes are those of a digest."""
    try:
        return path.is_file() and file_digest(path) == digest
    except (BadInput, OSError):
        return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []
