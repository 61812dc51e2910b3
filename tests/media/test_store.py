"""The store: what it gives back, and that damage is a miss."""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import BadInput, BadSettings, FinecutError
from tasks.keys import step_key
from tasks.media.files import check_writable, write_text, written_whole
from tasks.media.orphans import SERVER, note_servers
from tasks.media.store import ProcessingCache, open_store

KEY = step_key("sound", inputs={"clips": [], "streams": {}, "rate": "25", "sound": {}})
VALUE = {"a": [1, 2.5, "ü"]}
DATA = b"x" * 5000


def stored(store: ProcessingCache, folder: Path) -> Path:
    """Put an entry with one file into a store, and return where the file lies."""
    made = folder / "made.bin"
    made.write_bytes(DATA)
    store.set(KEY, VALUE, {"file": made}, seconds=3.0)
    (record,) = store.records()
    return store.blob_path(record.blobs["file"].digest)


def test_round_trip_across_processes(store: ProcessingCache, tmp_path: Path) -> None:
    stored(store, tmp_path)

    entry = ProcessingCache(store.folder).get(KEY.digest)

    assert entry is not None
    assert (entry.value, entry.seconds, entry.size_bytes) == (VALUE, 3.0, 5000)
    assert entry.blobs["file"].read_bytes() == DATA
    assert not (tmp_path / "made.bin").exists()


def truncate(path: Path) -> None:
    rewrite(path, DATA[:100])


def flip(path: Path) -> None:
    rewrite(path, DATA[:2500] + b"y" + DATA[2501:])


def empty(path: Path) -> None:
    rewrite(path, b"")


def rewrite(path: Path, data: bytes) -> None:
    """Write into the file itself, as a failing disk would."""
    path.chmod(0o644)
    path.write_bytes(data)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").touch()


def replace_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def make_unreadable(path: Path) -> None:
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads everything")


FAULTS = [truncate, flip, empty, Path.unlink, replace_by_folder, replace_by_link, make_unreadable]


@pytest.mark.parametrize("damage", FAULTS, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("is_held", [True, False])
def test_a_damaged_file_is_a_miss_with_a_warning_and_is_made_again(
    store: ProcessingCache, tmp_path: Path, damage: Callable[[Path], None], is_held: bool
) -> None:
    hold = store.work_folder() if is_held else None
    damage(stored(store, tmp_path))

    assert store.get(KEY.digest, hold=hold) is None
    assert any("sound" in warning for warning in store.warnings)
    assert stored(store, tmp_path).read_bytes() == DATA
    assert store.get(KEY.digest, hold=hold) is not None


def test_a_damaged_index_is_a_miss(store: ProcessingCache, tmp_path: Path) -> None:
    stored(store, tmp_path)
    record = store._index.get(KEY.digest)
    for changes in ({"value": 1}, {"check": ""}, {"blobs": {}}, {"fields": {}}, {"tier": None}):
        store._index.set(KEY.digest, {**record, **changes})
        assert store.get(KEY.digest) is None
    store._index.set(KEY.digest, "nonsense")
    assert store.get(KEY.digest) is None
    store._index.set("f" * 64, record)
    assert store.get("f" * 64) is None, "an entry under a key that is not its own"


@pytest.mark.parametrize("seed", range(12))
def test_a_spoiled_database_costs_entries_and_nothing_else(
    store: ProcessingCache, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    stored(store, tmp_path)
    for number in range(60):
        store.note_run({"id": str(number), "steps": [chance.random() for _ in range(20)]})
    store._index._cache.close()
    database = store.folder / "index" / "cache.db"
    data = bytearray(database.read_bytes())
    if seed == 0:
        data = data[: len(data) // 2]
    elif seed == 1:
        data = bytearray(b"nonsense" * 500)
    elif seed == 2:
        data.clear()
    else:
        for _ in range(300):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    for leftover in database.parent.glob("cache.db-*"):
        leftover.unlink()
    database.write_bytes(bytes(data))

    again = ProcessingCache(store.folder)
    found = again.get(KEY.digest)
    assert found is None or found.value == VALUE
    list(again.records()), again.runs(), again.broken()
    assert stored(again, tmp_path).read_bytes() == DATA
    third = ProcessingCache(store.folder).get(KEY.digest)
    assert third is not None and third.value == VALUE


def test_a_database_that_cannot_be_written_to_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.media.index.TIMEOUT_S", 0.2)
    store = ProcessingCache(tmp_path / "store")
    other = sqlite3.connect(tmp_path / "store" / "index" / "cache.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(BadInput, match="cannot be used"):
            store.set(KEY, VALUE)
        store.note_run({"id": "done without"})
    finally:
        other.execute("ROLLBACK")
        other.close()

    store.set(KEY, VALUE)
    assert store.get(KEY.digest) is not None


def test_a_database_that_became_a_folder_is_begun_anew(
    store: ProcessingCache, tmp_path: Path
) -> None:
    store._index._cache.close()
    shutil.rmtree(store.folder / "index")
    (store.folder / "index" / "cache.db").mkdir(parents=True)

    again = ProcessingCache(store.folder)

    assert stored(again, tmp_path).read_bytes() == DATA
    assert any("begun anew" in warning for warning in again.warnings)


def test_an_entry_of_another_version_is_a_miss_without_a_word(store: ProcessingCache) -> None:
    older = {"schema": "finecut/Entry.1", "value": 1, "blobs": {}}
    for schema in ("finecut/Entry.1", "finecut/Entry.9"):
        store._index.set(KEY.digest, {**older, "schema": schema})
        assert store.get(KEY.digest) is None
    assert store.warnings == []
    assert store.broken() == [KEY.digest]


def test_an_entry_that_the_validator_refuses_is_a_miss(store: ProcessingCache) -> None:
    store.set(KEY, 1)

    assert store.get(KEY.digest, lambda entry: entry.value == 2) is None


def test_what_is_held_survives_eviction(store: ProcessingCache, tmp_path: Path) -> None:
    stored(store, tmp_path)
    entry = store.get(KEY.digest, hold=store.work_folder())
    assert entry is not None

    assert store.remove([KEY.digest]) == 5000

    assert list(store.blob_files()) == []
    assert entry.blobs["file"].read_bytes() == DATA


def test_a_file_that_two_results_name_stays_with_the_other(
    store: ProcessingCache, tmp_path: Path
) -> None:
    stored(store, tmp_path)
    other = step_key("sound", inputs={"clips": [], "streams": {}, "rate": "30", "sound": {}})
    (tmp_path / "again.bin").write_bytes(DATA)
    store.set(other, VALUE, {"file": tmp_path / "again.bin"})

    assert store.remove([KEY.digest]) == 0
    assert store.get(other.digest) is not None
    assert store.remove([other.digest]) == 5000


def test_a_full_disk_is_told_and_leaves_no_entry(
    store: ProcessingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made.bin"
    made.write_bytes(DATA)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("tasks.media.blobs.os.fsync", full)
        with pytest.raises(FinecutError, match="disk of the store is full"):
            store.set(KEY, VALUE, {"file": made})

    assert store.get(KEY.digest) is None
    assert stored(store, tmp_path).read_bytes() == DATA


def test_documents_are_found_under_their_digest(store: ProcessingCache) -> None:
    digest = store.note([["said", 0.0, 0.5]])
    store.note_film("ab", {"duration_s": 3.0})
    for number in range(3):
        store.note_run({"id": f"2026112{number}", "ok": True})

    again = ProcessingCache(store.folder)
    assert again.noted(digest) == [["said", 0.0, 0.5]]
    assert again.film("ab") == {"duration_s": 3.0}
    assert again.film("cd") is None
    assert [run["id"] for run in again.runs()] == ["20261122", "20261121", "20261120"]


def test_limits_are_sizes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FINECUT_CACHE", str(tmp_path))
    monkeypatch.setenv("FINECUT_CACHE_LIMIT", "2GB")
    assert open_store().limit_bytes == 2_000_000_000
    for wrong in ("much", "5,5GB", "-1", "5 GB or so"):
        monkeypatch.setenv("FINECUT_CACHE_LIMIT", wrong)
        with pytest.raises(BadSettings, match="FINECUT_CACHE_LIMIT"):
            open_store()


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BadInput, match="cannot be used"):
        ProcessingCache(tmp_path / "file" / "store")


def test_a_known_file_is_not_read_again(
    store: ProcessingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"abc")
    digest = store.digest_of(path)
    with monkeypatch.context() as patch:
        patch.setattr("tasks.media.notes.file_digest", lambda path: pytest.fail("read again"))
        assert store.digest_of(path) == digest

    path.write_bytes(b"abcd")
    assert store.digest_of(path) != digest


def test_work_folders_of_dead_processes_are_swept(store: ProcessingCache) -> None:
    mine = store.work_folder()
    dead = mine.parent / mine.name.replace(str(os.getpid()), "99999999", 1)
    elsewhere = mine.parent / "99999999-another machine-abc"
    dead.mkdir()
    elsewhere.mkdir()

    store.sweep()

    assert mine.is_dir()
    assert not dead.exists()
    assert elsewhere.is_dir()


def test_the_server_of_a_killed_process_is_ended(store: ProcessingCache) -> None:
    code = "import sys, time; print(sys.argv[1], flush=True); time.sleep(600)"
    server = subprocess.Popen([sys.executable, "-c", code, SERVER], stdout=subprocess.PIPE)
    assert server.stdout is not None and server.stdout.readline()
    mine = store.work_folder()
    note_servers(mine)
    store.sweep()
    assert server.poll() is None, "its process lives"

    mine.rename(mine.parent / mine.name.replace(str(os.getpid()), "99999999", 1))
    store.sweep()

    assert server.wait(timeout=10) < 0


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    target.write_text("before")

    def write_half() -> None:
        with written_whole(target) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()

    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]
    assert target.read_text() == "before"


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "ü")

    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "ü"


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FinecutError, match="cannot write"):
        check_writable(tmp_path / "file" / "below")
