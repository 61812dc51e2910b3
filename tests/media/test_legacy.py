"""What older scripts left: found by name and content, and nothing else touched."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import diskcache
import pytest

from tasks.errors import BadInput
from tasks.media import legacy
from tasks.media.store import ProcessingCache

WHISPER = json.dumps({"text": "so", "segments": [{"start": 0, "end": 1, "text": "so"}]})
CONCAT = "ffconcat version 1.0\n# parts\nfile 'a.mp4'\nduration 3\n\nfile 'b.mp4'\n"
MARK = f"99999999-{platform.node()}-0123456789ab"

LEFT = {
    "talkTEMP_MPY_wvf_snd.mp3": "",
    "talk.mp4.tempTEMP_MPY_wvf_snd.mp4": "",
    "temp-audio.m4a": "",
    "__temp__.mp4": "",
    "talk_GIFTEMP0001.png": "",
    "temp_cut.mp4": "",
    "temp_sound.wav": "",
    "tmp_1.mp4": "",
    "step2_temp.mp4": "",
    "below/step3.temp.mp4": "",
    "concat_list.txt": CONCAT,
    "filelist.txt": "file 'a.mp4'",
    "ffmpeg2pass-0.log": "",
    "ffmpeg2pass-0.log.mbtree": "",
    f".part-{MARK}.mp4": "",
    ".cache/faces.pkl": "",
    "whisper_cache/talk.json": WHISPER,
}
STAYS = {
    "talk.mp4": "",
    "template.mp4": "",
    "temperature.wav": "",
    "Temp_check.mp4": "",
    "attempt.mp4": "",
    "notes.txt": "",
    "below/filelist.txt": "milk, eggs",
    "below/concat_list.txt": "",
    "model.pkl": "",
    "talk.json": WHISPER,
    "cache/picture.jpg": "",
    "cache/settings.json": "{}",
    "cache/broken.json": "{",
    "cache/cache.db": "some other program's",
    f".part-{MARK.replace('99999999', str(os.getpid()))}.mp4": "",
    ".part-1-elsewhere-0123456789ab.mp4": "",
    ".part-mine.mp4": "",
    ".git/tmp_1.mp4": "",
    ".venv/lib/cache/x.pkl": "",
    "node_modules/.cache/x.pkl": "",
    ".mypy_cache/x.pkl": "",
}


def fill(folder: Path) -> None:
    for name, text in {**LEFT, **STAYS}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def names(folder: Path, found: list[legacy.LeftOver]) -> set[str]:
    return {each.path.relative_to(folder).as_posix() for each in found}


def test_what_is_left_is_found_and_nothing_else(store: ProcessingCache, tmp_path: Path) -> None:
    old = tmp_path / "old"
    fill(old)

    found = legacy.left_overs(old, store.folder)

    assert names(old, found) == set(LEFT)
    assert all(each.why for each in found)
    assert legacy.remove(found) == (sum(map(len, LEFT.values())), [])
    assert not any((old / name).exists() for name in LEFT)
    assert all((old / name).exists() for name in STAYS)


def test_a_part_of_another_machine_is_left_over_after_a_day(
    store: ProcessingCache, tmp_path: Path
) -> None:
    part = tmp_path / ".part-1-elsewhere-0123456789ab.mp4"
    part.write_text("")
    assert legacy.left_overs(tmp_path, store.folder) == []
    os.utime(part, (1, 1))
    assert names(tmp_path, legacy.left_overs(tmp_path, store.folder)) == {part.name}


def test_a_diskcache_goes_with_its_values_and_nothing_that_lies_beside_them(
    store: ProcessingCache, tmp_path: Path
) -> None:
    for name in ("frames_cache", "deep/.cache"):
        with diskcache.Cache(str(tmp_path / name)) as cache:
            cache["small"] = {1: 2}
            cache["large"] = b"x" * 100_000
    stranger = tmp_path / "frames_cache" / "ab" / "cd" / "mine.val"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("")

    found = legacy.left_overs(tmp_path, store.folder)

    assert names(tmp_path, found) == {"frames_cache", "deep/.cache"}
    assert all(each.size_bytes > 100_000 for each in found)
    freed_bytes, stays = legacy.remove(found)
    assert (freed_bytes, stays) == (sum(each.size_bytes for each in found), [])
    assert not (tmp_path / "deep" / ".cache").exists()
    left = [p for p in (tmp_path / "frames_cache").rglob("*") if p.is_file()]
    assert left == [stranger]


def test_links_are_not_followed(store: ProcessingCache, tmp_path: Path) -> None:
    old, elsewhere = tmp_path / "old", tmp_path / "elsewhere"
    fill(elsewhere)
    old.mkdir()
    (old / "all").symlink_to(elsewhere)
    (old / ".cache").symlink_to(elsewhere / ".cache")
    (old / "tmp_link.mp4").symlink_to(elsewhere / "talk.mp4")

    assert legacy.left_overs(old, store.folder) == []


@pytest.mark.parametrize("below", ["", "index", "work"])
def test_stores_are_left_alone(store: ProcessingCache, tmp_path: Path, below: str) -> None:
    other = ProcessingCache(tmp_path / "other_cache")
    for folder in (store.folder, other.folder):
        (folder / "tmp_1.mp4").write_text("")
        (folder / "work" / "tmp_1.mp4").write_text("")
        (folder / "index" / "tmp_1.mp4").write_text("")

    assert legacy.left_overs(tmp_path, store.folder) == []
    assert legacy.left_overs(store.folder / below, store.folder) == []


def test_only_a_folder_is_searched_and_never_the_whole_disk(
    store: ProcessingCache, tmp_path: Path
) -> None:
    for folder, says in ((tmp_path / "none", "is no folder"), (Path("/"), "whole disk")):
        with pytest.raises(BadInput, match=says):
            legacy.left_overs(folder, store.folder)
