"""The store: what it gives back, and that damage is a miss."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import BadInput, FinecutError
from tasks.media.files import check_writable, write_text, written_whole
from tasks.media.store import ProcessingCache, remembered_digest


def stored(store: ProcessingCache, folder: Path) -> Path:
    """Put an entry with one file into a store, and return where the file lies."""
    made = folder / "made.bin"
    made.write_bytes(b"x" * 5000)
    return store.set("key", {"a": [1, 2.5, "ü"]}, {"file": made}).blobs["file"]


def test_round_trip_across_processes(store: ProcessingCache, tmp_path: Path) -> None:
    stored(store, tmp_path)

    entry = ProcessingCache(store.folder).get("key")

    assert entry is not None
    assert entry.value == {"a": [1, 2.5, "ü"]}
    assert entry.blobs["file"].read_bytes() == b"x" * 5000
    assert not (tmp_path / "made.bin").exists()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[2500] ^= 1
    path.write_bytes(bytes(data))


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [truncate, flip, replace_by_folder, Path.unlink, lambda path: path.write_bytes(b"")]
)
def test_a_damaged_file_is_a_miss_and_is_made_again(
    store: ProcessingCache, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = stored(store, tmp_path)
    damage(path)

    assert store.get("key") is None
    if path.is_dir():
        shutil.rmtree(path)
    assert stored(store, tmp_path).read_bytes() == b"x" * 5000
    assert store.get("key") is not None


def test_a_foreign_entry_is_a_miss(store: ProcessingCache) -> None:
    store._index.set("key", {"schema": "finecut/Entry.9", "value": 1, "blobs": {}})

    assert store.get("key") is None


def test_an_entry_that_the_validator_refuses_is_a_miss(store: ProcessingCache) -> None:
    store.set("key", 1)

    assert store.get("key", lambda entry: entry.value == 2) is None


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BadInput, match="cannot be used"):
        ProcessingCache(tmp_path / "file" / "store")


def test_a_known_file_is_not_read_again(
    store: ProcessingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"abc")
    digest = remembered_digest(store, path)
    with monkeypatch.context() as patch:
        patch.setattr("tasks.media.store.file_digest", lambda path: pytest.fail("read again"))
        assert remembered_digest(store, path) == digest

    path.write_bytes(b"abcd")
    assert remembered_digest(store, path) != digest


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
