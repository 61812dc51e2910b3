"""The shared tier: the same laws for a folder and for a bucket on a real S3 server."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tasks.errors import BadSettings, Missing
from tasks.keys import Key, footage_key, step_key
from tasks.media.digest import file_digest
from tasks.media.shared import S3_TIMES_S, SharedTier, SharedUnavailable
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


def test_what_one_writes_another_reads_at_once(url: str, tmp_path: Path) -> None:
    one, other = SharedTier(url), SharedTier(url)
    path = a_file(tmp_path)
    digest = file_digest(path)
    assert other.read(digest) is None
    assert not other.fetch(digest, tmp_path / "copy") and not (tmp_path / "copy").exists()

    for record in ({"a": [1, "ü"]}, {"a": 2}):
        one.write(digest, record)
        assert other.read(digest) == record
    one.keep(digest, path)

    assert other.fetch(digest, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


def test_damage_is_told_and_leaves_nothing(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tier = SharedTier(url)
    path = a_file(tmp_path)
    digest = file_digest(path)
    tier.write(digest, {})
    tier.keep(digest, path)
    caplog.set_level(logging.WARNING, "finecut.store")
    for data in (b"", b"{", b"[]", b"\xff\xfe", b"[" * 200_000):
        tier._files.pipe_file(tier._path("entries", digest, ".json"), data)
        assert tier.read(digest) is None
    assert caplog.text.count("the shared entry") == 5
    for data in (b"", b"x" * 100, b"y" * 3_000_000):
        tier._files.pipe_file(tier._path("blobs", digest), data)
        assert not tier.fetch(digest, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
    assert caplog.text.count("the shared file") == 3


def test_a_file_of_another_size_is_replaced(url: str, tmp_path: Path) -> None:
    tier = SharedTier(url)
    path = a_file(tmp_path)
    digest = file_digest(path)
    tier.keep(digest, path)
    tier._files.pipe_file(tier._path("blobs", digest), b"x" * 100)

    tier.keep(digest, path)

    assert tier.fetch(digest, tmp_path / "copy")


def test_many_threads_use_one_tier(url: str, tmp_path: Path) -> None:
    tier = SharedTier(url)
    paths = [a_file(tmp_path, bytes([n]) * 500_000) for n in range(6)] * 3

    def use(number: int) -> bool:
        path, copy = paths[number], tmp_path / f"copy {number}"
        digest = file_digest(path)
        tier.keep(digest, path)
        tier.write(digest, {"n": path.name})
        is_same = tier.fetch(digest, copy) and copy.read_bytes() == path.read_bytes()
        return is_same and tier.read(digest) == {"n": path.name}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(len(paths))))


def test_names_that_are_no_digests_are_refused(url: str, tmp_path: Path) -> None:
    tier = SharedTier(url)
    path = a_file(tmp_path)
    for name in ("../../etc/passwd", "", "AB" * 32, "a" * 63, "a" * 64 + "\n", "a" * 63 + "/"):
        for use in (
            lambda name=name: tier.read(name),
            lambda name=name: tier.write(name, {}),
            lambda name=name: tier.fetch(name, tmp_path / "copy"),
            lambda name=name: tier.keep(name, path),
        ):
            with pytest.raises(ValueError, match="no digest"):
                use()


def test_a_file_that_is_gone_is_not_blamed_on_the_tier(url: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("gone", "folder"):
        with pytest.raises(FileNotFoundError):
            SharedTier(url).keep("ab" * 32, tmp_path / name)


@contextmanager
def small_disk(size_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk would."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_leaves_no_half_file(tmp_path: Path) -> None:
    tier = SharedTier((tmp_path / "shared").as_uri())
    path = a_file(tmp_path)
    with small_disk(1_000_000):
        with pytest.raises(SharedUnavailable, match="too large"):
            tier.keep(file_digest(path), path)
        with pytest.raises(SharedUnavailable, match="too large"):
            tier.write("ab" * 32, {"a": "x" * 3_000_000})
    assert [p for p in (tmp_path / "shared").rglob("*") if p.is_file()] == []

    tier.keep(file_digest(path), path)

    (left,) = (p for p in (tmp_path / "shared").rglob("*") if p.is_file())
    assert left.name == file_digest(path)


def test_a_full_disk_here_is_not_blamed_on_the_tier(url: str, tmp_path: Path) -> None:
    tier = SharedTier(url)
    path = a_file(tmp_path)
    tier.keep(file_digest(path), path)

    with small_disk(1_000_000), pytest.raises(OSError, match="too large"):
        tier.fetch(file_digest(path), tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


@contextmanager
def cut_after(address: str, size_bytes: int) -> Iterator[str]:
    """Stand before a server, and cut each connection after that many bytes in either direction."""
    host, _, port = address.removeprefix("http://").partition(":")
    front = socket.create_server(("127.0.0.1", 0))

    def carry(source: socket.socket, sink: socket.socket) -> None:
        left = size_bytes
        with suppress(OSError):
            while left > 0 and (data := source.recv(min(65536, left))):
                sink.sendall(data)
                left -= len(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = front.accept()
                far = socket.create_connection((host, int(port)))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{front.getsockname()[1]}"
    front.close()


def test_a_line_that_is_cut_leaves_no_half_file(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    speak_to(server, monkeypatch)
    bucket = f"bucket-{os.urandom(4).hex()}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
    whole = SharedTier(f"s3://{bucket}/finecut")
    up, down = a_file(tmp_path, b"u" * 3_000_000), a_file(tmp_path, b"d" * 3_000_000)
    whole.keep(file_digest(down), down)
    with cut_after(server, 1_000_000) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        cut = SharedTier(whole.url)
        with pytest.raises(SharedUnavailable):
            cut.keep(file_digest(up), up)
        with pytest.raises(SharedUnavailable):
            cut.fetch(file_digest(down), tmp_path / "copy")

    assert not whole.fetch(file_digest(up), tmp_path / "copy")
    assert whole._size_bytes(whole._path("blobs", file_digest(up))) is None
    assert not (tmp_path / "copy").exists()


def test_a_server_that_never_answers_does_not_hold_up_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    monkeypatch.setitem(S3_TIMES_S, "read_timeout", 1)
    path = a_file(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        speak_to(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        tier = SharedTier("s3://bucket/finecut")
        for use in (lambda: tier.read("ab" * 32), lambda: tier.keep("ab" * 32, path)):
            start_s = time.monotonic()
            with pytest.raises(SharedUnavailable):
                use()
            assert 1 <= time.monotonic() - start_s < 6, "two tries of a second each"


def test_a_server_that_is_not_there_is_told_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        speak_to(f"http://127.0.0.1:{closed.getsockname()[1]}", monkeypatch)
        tier = SharedTier("s3://bucket/finecut")
        path = a_file(tmp_path)
        for use in (
            lambda: tier.read("ab" * 32),
            lambda: tier.write("ab" * 32, {}),
            lambda: tier.fetch("ab" * 32, tmp_path / "copy"),
            lambda: tier.keep("ab" * 32, path),
        ):
            start_s = time.monotonic()
            with pytest.raises(SharedUnavailable, match=r"connect"):
                use()
            assert time.monotonic() - start_s < 15


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
    with pytest.raises(SharedUnavailable, match="there is no no-such-bucket"):
        SharedTier("s3://no-such-bucket/finecut").read(KEY.digest)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "folder",
        "/folder",
        "nonsense://x",
        "s3://",
        "s3:///x",
        "file://",
        "file:///",
        "file://mnt/x",
        "http://host/x",
        "https://host/x",
        "simplecache::http://host/x",
        "simplecache::s3://bucket/x",
        "memory://x",
        "zip://x",
        "ftp://127.0.0.1:1/x",
    ],
)
def test_a_place_where_nothing_can_be_kept_is_refused(url: str) -> None:
    with pytest.raises(BadSettings) as refused:
        SharedTier(url)
    assert "file:///mnt/team/finecut" in refused.value.hint


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    known = sys.modules["fsspec.registry"]._registry  # `fsspec.registry` is a view of it
    monkeypatch.delitem(known, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(Missing) as missing:
        SharedTier("s3://bucket/finecut")
    assert missing.value.hint == "pip install 'finecut[s3]'"


def test_notes_pass_between_machines_and_are_taken_down(url: str, tmp_path: Path) -> None:
    here, there = (ProcessingCache(tmp_path / name, shared=SharedTier(url)) for name in "ab")
    assert there.board.read("beats", "one") is None
    assert there.board.names("beats") == []

    here.board.post("beats", "one", {"count": 1})
    here.board.post("beats", "two", {"count": 5})
    assert there.board.read("beats", "one") == {"count": 1}
    here.board.post("beats", "one", {"count": 2})
    assert there.board.read("beats", "one") == {"count": 2}
    assert there.board.names("beats") == here.board.names("beats") == ["one", "two"]
    assert there.board.names("cards") == []

    here.board.drop("beats", "one")
    here.board.drop("beats", "one")
    assert there.board.read("beats", "one") is None
    assert here.board.names("beats") == ["two"]


def test_what_is_no_name_has_no_note_and_what_is_no_digest_no_entry(
    url: str, tmp_path: Path
) -> None:
    store = ProcessingCache(tmp_path / "a", shared=SharedTier(url))

    for name in ("../../beat", "", "a/b", "a:b"):
        store.board.post("beats", name, {"count": 1})
        assert store.board.read("beats", name) is None
        store.board.drop("beats", name)
    assert store.board.names("beats") == []
    assert not list(tmp_path.rglob("beat*.json"))

    for key in ("", "../../secret", "AB" * 32, "used:x"):
        assert store.get(key) is None
    assert store.is_shared


def test_notes_do_without_a_shared_tier_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = ProcessingCache(
        tmp_path / "a", shared=SharedTier((tmp_path / "file" / "below").as_uri())
    )

    store.board.post("beats", "one", {"count": 1})

    assert store.board.read("beats", "one") == {"count": 1}
    assert store.board.read("beats", "two") is None
    assert store.board.names("beats") == ["one"]
    assert store.is_shared  # notes alone do not leave it out


def test_a_file_is_offered_from_where_it_lies(url: str, tmp_path: Path) -> None:
    here, there = (ProcessingCache(tmp_path / name, shared=SharedTier(url)) for name in "ab")
    film = tmp_path / "talk.mp4"
    film.write_bytes(bytes(range(256)) * 50)
    digest = file_digest(film)

    assert here.offer(footage_key(digest), "footage", digest, film)

    assert film.exists()
    assert not list(here.blob_files())
    entry = there.get(footage_key(digest).digest)
    assert entry is not None
    assert entry.blobs["footage"].read_bytes() == film.read_bytes()
