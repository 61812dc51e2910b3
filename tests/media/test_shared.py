"""The shared tier: the same laws for a folder and for a bucket on a real S3 server."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import BadSettings
from tasks.keys import Key, step_key
from tasks.media.digest import file_digest
from tasks.media.shared import SharedTier, SharedUnavailable
from tasks.media.store import ProcessingCache

KEY = step_key("sound", inputs={"clips": [], "streams": {}, "rate": "25", "sound": {}})


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the address of an S3 server on loopback."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


def speak_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("AWS_ENDPOINT_URL", address),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["folder", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return (tmp_path / "shared").as_uri()
    speak_to(request.getfixturevalue("server"), monkeypatch)
    import s3fs

    bucket = f"bucket-{os.urandom(4).hex()}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
    return f"s3://{bucket}/finecut"


def a_file(folder: Path, data: bytes = b"x" * 3_000_000) -> Path:
    path = folder / f"made-{os.urandom(3).hex()}"
    path.write_bytes(data)
    return path


def machine(folder: Path, name: str, url: str) -> ProcessingCache:
    return ProcessingCache(folder / name, shared=SharedTier(url))


def put(store: ProcessingCache, folder: Path, key: Key = KEY) -> None:
    store.set(key, {"a": 1}, {"file": a_file(folder)}, seconds=2.0)


def test_what_one_machine_makes_another_finds(url: str, tmp_path: Path) -> None:
    one, other = machine(tmp_path, "one", url), machine(tmp_path, "other", url)
    assert other.get(KEY.digest) is None
    put(one, tmp_path)

    entry = other.get(KEY.digest, hold=other.work_folder())

    assert entry is not None and entry.value == {"a": 1} and entry.seconds == 2.0
    assert entry.blobs["file"].read_bytes() == b"x" * 3_000_000
    assert ProcessingCache(other.folder).get(KEY.digest) is not None, "and keeps it"
    assert one.warnings == other.warnings == []


def test_a_damaged_file_there_is_a_miss(url: str, tmp_path: Path) -> None:
    one = machine(tmp_path, "one", url)
    put(one, tmp_path)
    tier = SharedTier(url)
    (record,) = one.records()
    digest = record.blobs["file"].digest
    for data in (b"x" * 100, b"y" * 3_000_000, b""):
        tier._files.pipe_file(tier._path("blobs", digest), data)
        assert machine(tmp_path, f"other {len(data)}", url).get(KEY.digest) is None
    tier._files.rm_file(tier._path("blobs", digest))
    assert machine(tmp_path, "other", url).get(KEY.digest) is None


def test_a_damaged_record_there_is_a_miss(url: str, tmp_path: Path) -> None:
    put(machine(tmp_path, "one", url), tmp_path)
    tier = SharedTier(url)
    for number, data in enumerate((b"{", b"[]", b'{"schema": "finecut/Entry.2"}')):
        tier._files.pipe_file(tier._path("entries", KEY.digest, ".json"), data)
        assert machine(tmp_path, f"other {number}", url).get(KEY.digest) is None


def test_the_same_file_goes_up_once(url: str, tmp_path: Path) -> None:
    path = a_file(tmp_path)
    tier = SharedTier(url)
    tier.keep(file_digest(path), path)
    target = tier._path("blobs", file_digest(path))
    before = tier._files.modified(target)
    time.sleep(1.1)

    tier.keep(file_digest(path), path)

    assert tier._files.modified(target) == before


def test_whole_edits_are_not_shared(url: str, tmp_path: Path) -> None:
    from tasks.keys import edit_key
    from tasks.settings import EditSettings

    key = edit_key(["ab"], EditSettings(), container=".mp4", tools={})
    machine(tmp_path, "one", url).set(key, {"film": "here"})

    assert machine(tmp_path, "other", url).get(key.digest) is None


def test_names_that_are_no_digests_are_refused(url: str) -> None:
    for name in ("../../etc/passwd", "", "AB" * 32, "a" * 63):
        with pytest.raises(ValueError, match="no digest"):
            SharedTier(url).read(name)


def test_a_write_that_fails_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tier = SharedTier((tmp_path / "shared").as_uri())
    path = a_file(tmp_path)

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tasks.media.shared.shutil.copyfileobj", broken)
    with pytest.raises(SharedUnavailable, match="No space"):
        tier.keep(file_digest(path), path)

    assert [p for p in (tmp_path / "shared").rglob("*") if p.is_file()] == []


def test_a_server_that_is_not_there_is_left_out_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        speak_to(f"http://127.0.0.1:{closed.getsockname()[1]}", monkeypatch)
        store = machine(tmp_path, "one", "s3://bucket/finecut")
        start_s = time.monotonic()

        put(store, tmp_path)
        assert store.get("ab" * 32) is None

    assert time.monotonic() - start_s < 15
    assert store.get(KEY.digest) is not None
    assert len(store.warnings) == 1 and "is left out" in store.warnings[0]


def test_a_bucket_that_is_not_there_is_told(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_to(server, monkeypatch)
    store = machine(tmp_path, "one", "s3://no-such-bucket/finecut")
    put(store, tmp_path)

    assert len(store.warnings) == 1


@pytest.mark.parametrize("url", ["", "folder", "http://host/x", "nonsense://x", "s3://", "file://"])
def test_a_place_where_nothing_can_be_kept_is_refused(url: str) -> None:
    with pytest.raises(BadSettings):
        SharedTier(url)
