"""The shared tier of the store: a network folder or a bucket, by URL, that several machines use.

``entries/ab/<key>.json`` holds the records, ``blobs/ab/<digest>`` the files. What is there is
believed no more than what is on the own disk: every file is read and checked when it comes.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec

from tasks.errors import BadSettings, Missing
from tasks.media.blobs import is_whole
from tasks.media.records import is_digest

log = logging.getLogger("finecut.store")

BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
"""Schemes where an object appears whole or not at all; beside them only folders are used."""

S3 = ("s3", "s3a")
S3_TIMES_S = {"connect_timeout": 5, "read_timeout": 30}
"""A server that is not there, or does not answer, must not hold up a film for minutes."""

HINT = "write file:///mnt/team/finecut (three slashes) or s3://bucket/finecut"

BLOCK_BYTES = 4 << 20


class SharedUnavailable(Exception):
    """The shared tier cannot be used: not reached, not allowed, or full."""


class SharedTier:
    """Records and files at a URL; safe for several threads and machines at once.

    Args:
        url: ``file:///mnt/team/finecut``, ``s3://bucket/finecut``, or what else bucket fsspec
            knows. Keys and the address of an S3 server come from the environment (``AWS_…``).

    Raises:
        BadSettings: the URL names no place that can be written to.
        Missing: the package for it is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        scheme, _, rest = url.partition("://")
        self._is_folder = scheme == "file"
        is_named = bool(rest.strip("/")) and rest.startswith("/") == self._is_folder
        if not is_named or not (self._is_folder or scheme in BUCKETS):
            raise BadSettings(f"FINECUT_SHARED_CACHE is {url!r}, where nothing can be kept", HINT)
        try:
            kind = fsspec.get_filesystem_class(scheme)
        except ImportError as error:
            package = "pip install 'finecut[s3]'"
            hint = package if scheme in S3 else f"install what fsspec needs for {scheme}://"
            raise Missing(f"{url} needs a package that is not installed: {error}", hint) from error
        self._scheme = scheme
        self._root = kind._strip_protocol(url).rstrip("/")  # noqa: SLF001 - what url_to_fs does
        self._lock = threading.Lock()
        self._backend: Any = None
        self._is_root_there = False

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
        except (ValueError, RecursionError):  # the latter: thousands of brackets
            record = None
        if isinstance(record, dict):
            return record
        log.warning("the shared entry %s is damaged: made again", key[:12])
        return None

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
        """Copy a file to `target`; return whether it is there and whole. Else nothing is left.

        Raises:
            SharedUnavailable: the place cannot be reached or read.
            OSError: `target` cannot be written.
        """
        path = self._path("blobs", digest)
        with self._reaching():
            try:
                source = self._files.open(path, "rb")
            except FileNotFoundError:
                return False
        is_good = False
        try:
            with source, target.open("wb") as copy:
                for piece in self._pieces(source):
                    copy.write(piece)
            is_good = is_whole(target, digest)
        finally:
            if not is_good:
                with suppress(OSError):
                    target.unlink(missing_ok=True)
        if not is_good:
            log.warning("the shared file %s is damaged: made again", digest[:12])
        return is_good

    def keep(self, digest: str, path: Path) -> None:
        """Copy a file there, unless it is there with that size.

        Raises:
            SharedUnavailable: it cannot be written.
            OSError: the file at hand cannot be read.
        """
        if not path.is_file():
            raise FileNotFoundError(path)
        target, size_bytes = self._path("blobs", digest), path.stat().st_size
        try:
            with self._reaching():
                if self._size_bytes(target) == size_bytes:
                    return
                with self._whole(target) as part:
                    self._files.put_file(str(path), part)
        except SharedUnavailable:
            path.stat()  # evicted meanwhile: no fault of the shared tier
            raise

    # Notes, for `tasks.media.board`

    def post(self, kind: str, name: str, data: bytes) -> None:
        """Write a note, whole.

        Raises:
            SharedUnavailable: it cannot be written.
        """
        with self._reaching(), self._whole(self._note(kind, name)) as part:
            self._files.pipe_file(part, data)

    def posted(self, kind: str, name: str) -> bytes | None:
        """Return a note, or none where there is none.

        Raises:
            SharedUnavailable: the place cannot be reached or read.
        """
        with self._reaching():
            try:
                return bytes(self._files.cat_file(self._note(kind, name)))
            except FileNotFoundError:
                return None

    def drop(self, kind: str, name: str) -> None:
        """Remove a note, where it is there.

        Raises:
            SharedUnavailable: it cannot be removed.
        """
        with self._reaching(), suppress(FileNotFoundError):
            self._files.rm_file(self._note(kind, name))

    def posted_names(self, kind: str) -> list[str]:
        """Return the names of the notes of a kind.

        Raises:
            SharedUnavailable: the place cannot be reached or read.
        """
        with self._reaching():
            try:
                found = self._files.ls(f"{self._root}/notes/{kind}", detail=False)
            except FileNotFoundError:
                return []
        names = (str(path).rpartition("/")[2] for path in found)
        return [name.removesuffix(".json") for name in names if name.endswith(".json")]

    def _note(self, kind: str, name: str) -> str:
        return f"{self._root}/notes/{kind}/{name}.json"

    @property
    def _files(self) -> Any:
        """Return the backend; made when first used, as some reach for their server at once."""
        with self._lock:
            if self._backend is None:
                options: dict[str, Any] = {}
                if self._scheme in S3:
                    config = {**S3_TIMES_S, "retries": {"total_max_attempts": 2}}
                    options = {"config_kwargs": config, "max_concurrency": 1}
                self._backend, _ = fsspec.core.url_to_fs(
                    self.url, use_listings_cache=False, skip_instance_cache=True, **options
                )
                if self._scheme in S3:
                    self._backend.retries = 1  # its 5 times 5 come on top of those of botocore
            return self._backend

    def _size_bytes(self, path: str) -> int | None:
        try:
            return int(self._files.info(path)["size"])
        except FileNotFoundError:
            return None

    def _pieces(self, source: Any) -> Iterator[bytes]:
        with self._reaching():
            while piece := source.read(BLOCK_BYTES):
                yield piece

    def _path(self, kind: str, digest: str, suffix: str = "") -> str:
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is no digest")
        return f"{self._root}/{kind}/{digest[:2]}/{digest}{suffix}"

    def _check_root(self) -> None:
        """Tell a bucket or mount that is not there from an entry that is not there."""
        if self._is_root_there:
            return
        top = self._root if self._is_folder else self._root.partition("/")[0]
        if self._is_folder:
            self._files.makedirs(top, exist_ok=True)
        elif not self._files.exists(top):
            raise SharedUnavailable(f"there is no {top}")
        self._is_root_there = True

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
