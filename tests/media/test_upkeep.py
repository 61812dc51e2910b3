"""Upkeep: what is evicted, what is found damaged, and what older scripts left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tasks.errors import BadInput
from tasks.keys import Key, step_key
from tasks.media import legacy, upkeep
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


def test_damage_is_found(store: ProcessingCache) -> None:
    filled(store)
    (record,) = [r for r in store.records() if r.key == sound(0).digest]
    path = store.blob_path(record.blobs["file"].digest)
    path.chmod(0o644)
    path.write_bytes(b"x")
    store._index.set(sound(1).digest, {"schema": "finecut/Entry.1"})

    assert set(upkeep.damage(store)) == {sound(0).digest, sound(1).digest}


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


LEFT = [
    "talkTEMP_MPY_wvf_snd.mp3",
    "temp-audio.m4a",
    "temp_cut.mp4",
    "step2_temp.mp4",
    "concat_list.txt",
    "ffmpeg2pass-0.log.mbtree",
    ".cache/faces.pkl",
    "video_cache/cache.db",
    "video_cache/1f.val",
    "cache/talk_transcript.json",
]
STAYS = [
    "talk.mp4",
    "template.mp4",
    "temperature.wav",
    "attempt.mp4",
    "notes.txt",
    "model.pkl",
    "cache/picture.jpg",
    "list.txt",
]


def test_what_older_scripts_left_is_found_and_nothing_else(
    store: ProcessingCache, tmp_path: Path
) -> None:
    filled(store)
    for name in [*LEFT, *STAYS]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("data")
    (tmp_path / "tmp_link.mp4").symlink_to(tmp_path / "talk.mp4")
    (tmp_path / "elsewhere_cache").symlink_to(tmp_path / ".cache")

    found = legacy.left_overs(tmp_path, store.folder)

    names = {str(each.path.relative_to(tmp_path.resolve())) for each in found}
    assert names == set(LEFT)
    assert legacy.remove(found) == 4 * len(names)
    assert all((tmp_path / name).exists() for name in STAYS)
    assert len(kept(store)) == 9
    with pytest.raises(BadInput, match="is no folder"):
        legacy.left_overs(tmp_path / "none", store.folder)
