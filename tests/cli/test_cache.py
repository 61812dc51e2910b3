"""`finecut cache` and `finecut why`, as they are typed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from tasks.keys import probe_key, step_key
from tasks.media.store import ProcessingCache
from tasks.settings import SoundSettings
from tests.media.test_upkeep import SIZE, filled, sound


@pytest.fixture
def kept(store: ProcessingCache, monkeypatch: pytest.MonkeyPatch) -> ProcessingCache:
    """Return a store with nine results in it, which the command uses."""
    monkeypatch.setenv("FINECUT_CACHE", str(store.folder))
    filled(store)
    return store


def call(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the JSON object of a command, whose text for people works as well."""
    people = CliRunner().invoke(app, list(arguments))
    assert "Traceback" not in people.output
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_stats_and_list(kept: ProcessingCache) -> None:
    assert call("cache", "stats")["files_bytes"] == 9 * SIZE
    assert len(call("cache", "list")["entries"]) == 9
    assert len(call("cache", "list", "--step", "sound")["entries"]) == 6
    assert call("cache", "list", "--older-than", "12h")["entries"] == []
    for wrong in (["--step", "none"], ["--tier", "dynamic"], ["--older-than", "soon"]):
        assert call("cache", "list", *wrong, code=2)["ok"] is False


def test_clear_asks_what(kept: ProcessingCache) -> None:
    assert call("cache", "clear", code=2)["error"]["code"] == "bad_settings"
    assert len(call("cache", "clear", "--all", "--dry-run")["entries"]) == 9
    assert len(list(kept.records())) == 9
    CliRunner().invoke(app, ["cache", "clear", "--tier", "conditional"])
    assert len(list(kept.records())) == 3


def test_prune_goes_down_to_a_limit(kept: ProcessingCache) -> None:
    assert call("cache", "prune", "--limit", "5kB", "--dry-run")["freed_bytes"] == 4 * SIZE
    assert CliRunner().invoke(app, ["cache", "prune", "--limit", "5kB"]).exit_code == 0
    assert len(list(kept.records())) == 5


def test_verify_finds_what_is_damaged_and_removes_it(kept: ProcessingCache) -> None:
    assert call("cache", "verify")["damaged"] == []
    (record,) = [r for r in kept.records() if r.key == sound(0).digest]
    path = kept.blob_path(record.blobs["file"].digest)
    path.chmod(0o644)
    path.write_bytes(b"x")

    told = call("cache", "verify", "--dry-run", code=4)
    assert (told["ok"], told["error"]["code"]) == (False, "verification_failed")
    assert [each["key"] for each in told["damaged"]] == [sound(0).digest]
    assert CliRunner().invoke(app, ["cache", "verify"]).exit_code == 4
    assert call("cache", "verify")["entries"] == 8


def test_a_size_with_a_comma_is_refused_not_read_to_the_comma(kept: ProcessingCache) -> None:
    for wrong in ("5,5GB", "5GB or so", "-1", "much", "5 parsecs"):
        assert call("cache", "prune", "--limit", wrong, code=2)["ok"] is False
    assert len(list(kept.records())) == 9


def test_an_older_record_is_no_damage(kept: ProcessingCache) -> None:
    kept._index.set(sound(0).digest, {"schema": "finecut/Entry.1"})

    told = call("cache", "verify")

    assert (told["ok"], told["damaged"], told["other_versions"]) == (True, [], [sound(0).digest])


def test_a_list_fits_80_columns(kept: ProcessingCache, monkeypatch: pytest.MonkeyPatch) -> None:
    film = Path(kept.folder / ("a long name of a talk" * 5))
    film.write_text("film")
    path = kept.work_folder() / "made"
    path.write_text("made")
    kept.set(sound(10, footage=kept.digest_of(film)), None, {"file": path})
    monkeypatch.setenv("COLUMNS", "80")
    for command, lines in (("list", 11), ("stats", 9)):
        out = CliRunner().invoke(app, ["cache", command]).stdout.splitlines()
        assert len(out) >= lines
        assert max(map(len, out[1:])) <= 80
    listed = CliRunner().invoke(app, ["cache", "list"]).stdout.splitlines()
    assert len(listed) == 11, "a line each"
    assert all("sound " in line or "audio " in line for line in listed[1:]), "the name gives way"


def test_legacy_is_dry_unless_told(kept: ProcessingCache, tmp_path: Path) -> None:
    left = tmp_path / "old" / "temp_cut.mp4"
    left.parent.mkdir()
    left.write_text("data")

    told = call("cache", "clear", "--legacy", str(left.parent))
    assert (told["dry_run"], told["freed_bytes"]) == (True, 4)
    assert left.exists()
    CliRunner().invoke(app, ["cache", "clear", "--legacy", str(left.parent), "--yes"])
    assert not left.exists()


def test_show_prints_a_film(kept: ProcessingCache, tmp_path: Path) -> None:
    film = tmp_path / "talk.mp4"
    film.write_text("film")
    kept.note_film(kept.digest_of(film), {"duration_s": 3.0})

    for arguments in ([str(film)], [str(film), "--json"]):
        result = CliRunner().invoke(app, ["cache", "show", *arguments])
        assert json.loads(result.stdout) == {"ok": True, "duration_s": 3.0}
    assert CliRunner().invoke(app, ["cache", "show", "ab" * 32]).exit_code == 2


def noted(store: ProcessingCache, run: str, at_s: float, film: Path, **lines: Any) -> None:
    """Note a run whose one step is `lines`."""
    line = {"seconds": 1.0, "saved_s": 0.0, "saved_bytes": 0, **lines}
    store.note_run(
        {
            "id": run,
            "started_s": at_s,
            "wall_s": 1.0,
            "ok": True,
            "error": "",
            "videos": [{"path": str(film), "digest": store.digest_of(film)}],
            "output": None,
            "settings": {},
            "preview": False,
            "steps": [line],
        }
    )


def test_why_compares_with_the_run_before(kept: ProcessingCache, tmp_path: Path) -> None:
    film = tmp_path / "talk.mp4"
    assert call("why", "last", code=2)["error"]["message"].startswith("nothing has been edited")
    film.write_text("film")
    for number, track in enumerate((None, 1)):
        key = probe_key(kept.digest_of(film), SoundSettings(track=track))
        line = {"step": "probe", "state": "miss", "key": key.digest, "fields": dict(key.fields)}
        noted(kept, f"run-{number}", 1000.0 + number, film, **line)

    for what in (str(film), "last", "run-1"):
        (told,) = call("why", what)["steps"]
        assert [change["text"] for change in told["why"]] == ["sound.track none → 1"]
    (told,) = call("why", "run-0")["steps"]
    assert told["note"] == "nothing earlier to go by"
    assert "no run of" in call("why", "other.mp4", code=2)["error"]["message"]
    assert "its steps: probe" in call("why", "last", "zoom", code=2)["error"]["hint"]


def test_why_looks_large_keys_up_in_the_store(kept: ProcessingCache, tmp_path: Path) -> None:
    film = tmp_path / "talk.mp4"
    film.write_text("film")
    inputs = dict.fromkeys(("clips", "videos", "canvas", "zoom", "fonts", "encoding"), 1)
    footage = [kept.digest_of(film)]
    keys = [
        step_key("chunk", inputs={**inputs, "subtitles": text}, footage=footage)
        for text in ("a\nb", "a\nc")
    ]
    kept.set(keys[0], None)
    start_s = time.time()
    time.sleep(0.01)
    kept.set(keys[1], None)
    line = {"step": "chunk", "state": "miss", "key": keys[1].digest, "fields": None}
    noted(kept, "run-1", start_s, film, **line)

    (told,) = call("why", str(film), "chunk")["steps"]

    assert [change["text"] for change in told["why"]] == ["subtitles changed (1 line)"]
