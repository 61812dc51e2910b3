"""The shared tier of the store: a network folder or a bucket, by URL, that several machines use.

``entries/ab/<key>.json`` holds the records, ``blobs/ab/<digest>`` the files. What is there is
believed no more than what is on the own disk: every file is read and checked when it comes.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec

from tasks.errors import BadSettings, Missing
from tasks.media.blobs import is_whole
from tasks.media.records import is_digest

log = logging.getLogger("finecut.store")

EXTRAS = {"s3": "pip install 'finecut[s3]'"}
READ_ONLY = ("http", "https", "data", "github", "git")

OPTIONS: dict[str, dict[str, Any]] = {
    # A server that is not there must not hold up a film for minutes.
    "s3": {
        "config_kwargs": {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 2}}
    }
}

BLOCK_BYTES = 4 << 20


class SharedUnavailable(Exception):
    """The shared tier cannot be used: not reached, not allowed, or full."""


class SharedTier:
    """Records and files at a URL; safe for several threads and machines at once.

    Args:
        url: ``file:///mnt/team/finecut``, ``s3://bucket/finecut``, or what else fsspec can write
            to. Keys and the address of an S3 server come from the environment (``AWS_…``).

    Raises:
        BadSettings: the URL names no place that can be written to.
        Missing: the package for it is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        scheme, mark, rest = url.partition("://")
        if not mark or not rest.strip("/") or scheme in READ_ONLY:
            raise BadSettings(
                f"FINECUT_SHARED_CACHE is {url!r}, where nothing can be kept",
                "write file:///mnt/team/finecut or s3://bucket/finecut",
            )
        try:
            self._files, self._root = fsspec.core.url_to_fs(
                url, use_listings_cache=False, skip_instance_cache=True, **OPTIONS.get(scheme, {})
            )
        except ImportError as error:
            hint = EXTRAS.get(scheme, f"install the package that fsspec needs for {scheme}://")
            raise Missing(f"{url} needs a package that is not installed: {error}", hint) from error
        except ValueError as error:
            raise BadSettings(
                f"FINECUT_SHARED_CACHE is {url!r}: {error}",
                "write file:///mnt/team/finecut or s3://bucket/finecut",
            ) from error
        self._is_folder = scheme == "file"

    def read(self, key: str) -> dict[str, Any] | None:
        """Return a record, or none where it is absent or no JSON.

        Raises:
            SharedUnavailable: the place cannot be reached or read.
        """
        path = self._path("entries", key, ".json")
        with self._reaching():
            try:
                data = self._files.cat_file(path)
            except FileNotFoundError:
                self._check_root()
                return None
        try:
            record = json.loads(data)
        except ValueError:
            log.warning("the shared entry %s is damaged: made again", key[:12])
            return None
        return record if isinstance(record, dict) else None

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        """Write a record, whole.

        Raises:
            SharedUnavailable: it cannot be written.
        """
        data = json.dumps(dict(record)).encode()
        path = self._path("entries", key, ".json")
        with self._reaching(), self._whole(path) as part:
            self._files.pipe_file(part, data)

    def fetch(self, digest: str, target: Path) -> bool:
        """Copy a file to `target`; return whether it is there and whole.

        Raises:
            SharedUnavailable: the place cannot be reached or read.
        """
        path = self._path("blobs", digest)
        with self._reaching():
            try:
                with self._files.open(path, "rb") as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, BLOCK_BYTES)
            except FileNotFoundError:
                return False
        if is_whole(target, digest):
            return True
        log.warning("the shared file %s is damaged: made again", digest[:12])
        target.unlink(missing_ok=True)
        return False

    def keep(self, digest: str, path: Path) -> None:
        """Copy a file there, unless it is there with that size.

        Raises:
            SharedUnavailable: it cannot be written.
            OSError: the file at hand cannot be read.
        """
        target, size_bytes = self._path("blobs", digest), path.stat().st_size
        with path.open("rb") as source, self._reaching():
            try:
                if self._files.info(target)["size"] == size_bytes:
                    return
            except FileNotFoundError:
                pass
            with self._whole(target) as part, self._files.open(part, "wb") as copy:
                shutil.copyfileobj(source, copy, BLOCK_BYTES)

    def _path(self, kind: str, digest: str, suffix: str = "") -> str:
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is no digest")
        return f"{self._root}/{kind}/{digest[:2]}/{digest}{suffix}"

    def _check_root(self) -> None:
        """Tell a bucket or mount that is not there from an entry that is not there."""
        top = self._root if self._is_folder else self._root.partition("/")[0]
        if self._is_folder:
            self._files.makedirs(top, exist_ok=True)
        elif not self._files.exists(top):
            raise SharedUnavailable(f"there is no {top}")

    @contextmanager
    def _whole(self, target: str) -> Iterator[str]:
        """Give the name to write to: a bucket takes an object whole or not at all, a folder not."""
        if not self._is_folder:
            yield target
            return
        self._files.makedirs(str(Path(target).parent), exist_ok=True)
        part = f"{target}.part-{secrets.token_hex(6)}"
        try:
            yield part
            Path(part).replace(target)
        finally:
            with suppress(OSError):
                Path(part).unlink(missing_ok=True)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn whatever a backend raises into `SharedUnavailable`."""
        try:
            yield
        except SharedUnavailable:
            raise
        except Exception as error:  # every backend has errors of its own
            text = " ".join(str(error).split()) or type(error).__name__
            raise SharedUnavailable(text[:200]) from error
