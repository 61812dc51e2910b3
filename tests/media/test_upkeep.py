"""Upkeep: what is evicted, what is found damaged, and what goes on request."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tasks.errors import BadInput
from tasks.keys import Key, step_key
from tasks.media import upkeep
from tasks.media.store import ProcessingCache

SIZE = 1000


def sound(number: int, footage: str = "ab") -> Key:
    inputs = {"clips": [number], "streams": {}, "rate": "25", "sound": {}}
    return step_key("sound", inputs=inputs, footage=[footage])


def audio(number: int) -> Key:
    return step_key("audio", inputs={"file": str(number), "stream": {}}, footage=["ab"])


def put(store: ProcessingCache, key: Key, data: bytes) -> None:
    path = store.work_folder() / "made"
    path.write_bytes(data)
    store.set(key, None, {"file": path}, seconds=4.0)


def filled(store: ProcessingCache) -> None:
    """Put in three permanent and six conditional results of 1000 bytes each."""
    for number in range(3):
        put(store, audio(number), bytes([100 + number]) * SIZE)
    for number in range(6):
        put(store, sound(number), bytes([number]) * SIZE)
        time.sleep(0.01)


def kept(store: ProcessingCache) -> set[str]:
    return {record.key for record in store.records()}


def test_the_least_recently_used_goes_and_what_is_permanent_stays(store: ProcessingCache) -> None:
    filled(store)
    store.get(sound(0).digest)

    freed_bytes = upkeep.evict(store, 6000)

    assert freed_bytes >= 3 * SIZE
    assert upkeep.files_bytes(store) <= 6000
    assert sound(0).digest in kept(store), "it was used last"
    assert sound(1).digest not in kept(store)
    upkeep.evict(store, 0)
    assert kept(store) == {audio(number).digest for number in range(3)}


def test_below_the_limit_nothing_goes(store: ProcessingCache) -> None:
    filled(store)

    assert upkeep.evict(store, 9000) == 0
    assert len(kept(store)) == 9


def test_a_file_that_stays_named_frees_nothing(store: ProcessingCache) -> None:
    put(store, sound(1), b"same" * 250)
    put(store, audio(1), b"same" * 250)
    records = list(store.records())

    going = upkeep.to_evict(records, store.used_s, 1)

    assert [record.step for record in going] == ["sound"]
    assert upkeep.clear(store, upkeep.Filter(step="sound"), is_dry=False).freed_bytes == 0
    assert store.get(audio(1).digest) is not None


def test_what_is_left_over_goes_once_it_is_old(store: ProcessingCache) -> None:
    filled(store)
    (record,) = [r for r in store.records() if r.key == sound(0).digest]
    store._index.delete(record.key)
    path = store.blob_path(record.blobs["file"].digest)
    assert upkeep.prune(store, 1 << 30, is_dry=False).orphans == ()
    os.utime(path, (1, 1))

    assert upkeep.prune(store, 1 << 30, is_dry=True).freed_bytes == SIZE
    assert path.exists()
    assert upkeep.prune(store, 1 << 30, is_dry=False).freed_bytes == SIZE
    assert not path.exists()


def damage(store: ProcessingCache, key: Key) -> Path:
    """Write into the file of a result, and return where that lies."""
    (record,) = [r for r in store.records() if r.key == key.digest]
    path = store.blob_path(record.blobs["file"].digest)
    path.chmod(0o644)
    path.write_bytes(b"x")
    return path


def test_damage_is_found_and_removed(store: ProcessingCache) -> None:
    filled(store)
    path = damage(store, sound(0))
    store._index.set(sound(1).digest, {**store._index.get(sound(1).digest), "value": 1})

    for is_dry in (True, False):
        found = upkeep.verify(store, is_dry=is_dry)
        assert found.whole == 7
        assert found.records == {
            sound(0).digest: ("sound", "not whole: file"),
            sound(1).digest: ("", "the record is damaged"),
        }
        assert path.exists() == is_dry
    assert upkeep.verify(store, is_dry=False).records == {}
    assert len(kept(store)) == 7


def test_records_of_another_version_are_no_damage(store: ProcessingCache) -> None:
    filled(store)
    store._index.set(sound(1).digest, {"schema": "finecut/Entry.1"})

    found = upkeep.verify(store, is_dry=False)

    assert (found.records, found.other_versions, found.whole) == ({}, (sound(1).digest,), 8)
    assert store.broken() == [sound(1).digest], "that version may still be in use"
    assert upkeep.prune(store, 1 << 30, is_dry=False).broken == (sound(1).digest,)
    assert store.broken() == []


def test_what_is_evicted_during_a_check_is_no_damage(store: ProcessingCache) -> None:
    filled(store)
    whole = store.damaged

    def gone_meanwhile(record):
        store.remove([record.key])
        return whole(record)

    store.damaged = gone_meanwhile

    assert upkeep.verify(store, is_dry=False).records == {}


def test_foreign_files_in_the_store_are_left_alone(store: ProcessingCache) -> None:
    filled(store)
    foreign = store.folder / "blobs" / "ab" / "notes.txt"
    misplaced = store.folder / "blobs" / "ab" / ("cd" * 32)
    foreign.parent.mkdir(exist_ok=True)
    for path in (foreign, misplaced):
        path.write_text("x")
        os.utime(path, (1, 1))

    assert upkeep.clear(store, upkeep.Filter(), is_dry=False).orphans == ()
    assert foreign.exists() and misplaced.exists()


def test_clearing_everything_takes_what_is_broken_and_left_over_too(store: ProcessingCache) -> None:
    filled(store)
    lost = damage(store, sound(0))
    store._index.set(sound(0).digest, "nonsense")
    os.utime(lost, (1, 1))
    dead = store.folder / "work" / store.work_folder().name.replace(str(os.getpid()), "99999999", 1)
    dead.mkdir()

    told = upkeep.clear(store, upkeep.Filter(), is_dry=True)
    assert dead.is_dir() and lost.exists() and len(kept(store)) == 8
    done = upkeep.clear(store, upkeep.Filter(), is_dry=False)

    assert done == told
    assert (len(done.records), done.orphans, done.broken) == (8, (lost.name,), (sound(0).digest,))
    assert done.work_folders == (dead.name,)
    assert (done.freed_bytes, done.left_bytes) == (8 * SIZE + 1, 0)
    assert list(store.blob_files()) == []
    assert kept(store) == set() and store.broken() == [] and not dead.exists()


def test_clearing_by_step_tier_film_and_age(store: ProcessingCache) -> None:
    filled(store)
    put(store, sound(9, footage="cd"), b"9" * SIZE)

    def cleared(**which: object) -> int:
        found = upkeep.clear(store, upkeep.Filter(**which), is_dry=True)  # type: ignore[arg-type]
        return len(found.records)

    assert cleared(step="audio") == 3
    assert cleared(tier="conditional") == 7
    assert cleared(footage="cd") == 1
    assert cleared(footage="ab", step="sound") == 6
    assert cleared(older_than_s=3600.0) == 0
    assert cleared(older_than_s=0.0) == 10
    assert len(kept(store)) == 10, "a dry run removes nothing"


def test_stats_add_up(store: ProcessingCache) -> None:
    filled(store)
    line = {"step": "sound", "key": "", "fields": None, "seconds": 0.0}
    steps = [
        {**line, "state": "hit", "saved_s": 4.0, "saved_bytes": SIZE},
        {**line, "state": "miss", "saved_s": 0.0, "saved_bytes": 0},
    ]
    store.note_run({"id": "1", "videos": [], "ok": True, "wall_s": 1.0, "steps": steps})

    found = upkeep.stats(store)

    assert found["entries"] == 9
    assert found["files_bytes"] == 9 * SIZE
    assert found["steps"]["sound"] == {"entries": 6, "bytes": 6 * SIZE}
    assert found["tiers"]["permanent"] == {"entries": 3, "bytes": 3 * SIZE}
    assert found["videos"][0]["entries"] == 9
    assert found["runs"][0]["hit_rate"] == 0.5
    assert (found["runs"][0]["saved_s"], found["runs"][0]["saved_bytes"]) == (4.0, SIZE)
    assert found["together"] == {
        "hits": 1,
        "misses": 1,
        "hit_rate": 0.5,
        "saved_s": 4.0,
        "saved_bytes": SIZE,
    }
    on_disk = sum(p.lstat().st_size for p in store.folder.rglob("*") if p.is_file())
    assert found["disk_bytes"] == on_disk > 9 * SIZE


def test_a_film_that_is_gone_is_known_by_its_path(store: ProcessingCache, tmp_path: Path) -> None:
    film = tmp_path / "talk.mp4"
    film.write_text("film")
    digest = store.digest_of(film)
    run = {"id": "1", "videos": [{"path": str(film), "digest": digest}]}
    store.note_run(run)
    film.unlink()

    assert upkeep.film_of(store, str(film)) == digest
    assert upkeep.film_of(store, digest) == digest
    with pytest.raises(BadInput, match="no such file"):
        upkeep.film_of(store, str(tmp_path / "other.mp4"))
