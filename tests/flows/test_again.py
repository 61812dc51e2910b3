"""Edits given again: what runs, what Prefect shows, and that the film is the same either way."""

from __future__ import annotations

import contextlib
import hashlib
import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

from deployments.cli.recompute import recompute
from flows.edit import edit
from tasks.errors import BadInput, Missing
from tasks.keys import Key
from tasks.media import upkeep
from tasks.media.store import ProcessingCache, open_store
from tasks.settings import EditSettings
from tests.builders import sample
from tests.flows.test_edit import FAST
from tests.media.test_store import FAULTS

ANALYSIS = {"probe", "audio", "voice", "transcript", "faces"}


def steps(report: dict[str, Any], *states: str) -> set[str]:
    return {line["step"] for line in report["steps"] if line["state"] in states}


def changed(settings: EditSettings, **groups: dict[str, Any]) -> EditSettings:
    """Return settings with some fields of some groups changed."""
    values = settings.model_dump()
    for group, fields in groups.items():
        values[group] |= fields
    return EditSettings.model_validate(values)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def talk(footage: Path) -> Path:
    """Return the first 9 s of the sample."""
    return sample(footage / "talk.mp4", 9)


def states_in_prefect(name: str) -> dict[str, str]:
    """Return the states of the steps of the latest run of a film, as Prefect shows them."""
    time.sleep(3)  # they come in late
    with get_client(sync_client=True) as client:
        flow_runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name]))
        )
        latest = max(flow_runs, key=lambda run: run.created)
        from prefect.client.schemas.filters import FlowRunFilterId

        tasks = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[latest.id]))
        )
    return {task.name.rpartition("-")[0]: task.state.name for task in tasks}


@pytest.mark.models
def test_prefect_shows_what_was_cached(talk: Path, footage: Path) -> None:
    edit([talk], footage / "film.mp4", None, FAST)
    first = states_in_prefect("talk.mp4")
    assert set(first.values()) == {"Completed"}

    green = changed(FAST, subtitles={"highlight": "#00FF00"})
    report = edit([talk], footage / "film.mp4", None, green)
    second = states_in_prefect("talk.mp4")

    assert {step for step, state in second.items() if state == "Cached"} == ANALYSIS | {"sound"}
    assert steps(report, "hit") == ANALYSIS | {"sound"}
    assert steps(report, "miss") == {"chunk"}

    edit([talk], footage / "film.mp4", None, green)
    assert states_in_prefect("talk.mp4") == {"edit": "Cached"}


@pytest.mark.models
def test_a_change_that_comes_to_the_same_stops_there(talk: Path, footage: Path) -> None:
    edit([talk], footage / "film.mp4", None, FAST)
    quieter = changed(FAST, silence={"threshold": -56.0})

    report = edit([talk], footage / "again.mp4", None, quieter)

    assert steps(report, "miss") == set()
    assert steps(report, "hit") == ANALYSIS | {"sound", "chunk"}
    assert digest(footage / "again.mp4") == digest(footage / "film.mp4")


@pytest.mark.models
def test_what_is_known_of_a_film_is_one_document(talk: Path, footage: Path) -> None:
    edit([talk], None, None, FAST)
    store = open_store()

    film = store.film(store.digest_of(talk))

    assert film is not None
    assert film["duration_s"] == pytest.approx(9, abs=0.1)
    assert film["rate"] == "30"
    assert len(film["transcript"]["words"]) > 5
    assert film["silence"]["spans"]
    assert film["faces"]["points"]


def test_a_degraded_edit_is_made_again_and_is_never_an_answer(
    talk: Path, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import detect_faces

    settings = changed(FAST, transcript={"enabled": False})

    def missing() -> None:
        raise Missing("a library is missing", "install it")

    with monkeypatch.context() as patch:
        patch.setattr(detect_faces, "check_available", missing)
        first = edit([talk], footage / "film.mp4", None, settings)
    again = edit([talk], footage / "film.mp4", None, settings)

    assert steps(first, "degraded") == {"faces"}
    assert any("a library is missing" in warning for warning in first["warnings"])
    assert "edit" not in steps(again, "hit")
    assert "faces" in steps(again, "miss")


def test_a_result_that_cannot_be_stored_is_told(
    talk: Path, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.errors import FinecutError
    from tasks.media.blobs import Blobs

    def full(self: Blobs, path: Path, hold: Path | None = None) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Blobs, "keep", full)
    with pytest.raises(FinecutError, match="disk of the store is full"):
        edit([talk], footage / "film.mp4", None, FAST)
    assert not (footage / "film.mp4").exists()


def test_an_answer_holds_only_while_its_film_is_whole(talk: Path, footage: Path) -> None:
    settings = changed(FAST, transcript={"enabled": False}, faces={"enabled": False})
    film, beside = footage / "film.mp4", footage / "film.finecut"
    edit([talk], film, beside, settings)
    before = digest(film)

    def spoil(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-1] + b"x")

    for harm in (spoil, Path.unlink):
        assert steps(edit([talk], film, beside, settings), "hit") >= {"edit"}
        harm(film)
        assert "edit" not in steps(edit([talk], film, beside, settings), "hit")
        assert digest(film) == before
    spoil(beside / "plan.json")
    assert "edit" not in steps(edit([talk], film, beside, settings), "hit")

    moved = talk.rename(footage / "renamed.mp4")
    report = edit([moved], footage / "copy.mp4", None, changed(settings, render={"crf": 29}))
    report = edit([moved], footage / "other.mp4", None, changed(settings, render={"crf": 29}))
    assert steps(report, "hit") >= {"edit"}
    assert report["sources"][0]["path"] == str(moved)
    assert digest(footage / "copy.mp4") == digest(footage / "other.mp4")


def test_eviction_during_a_run_never_breaks_it(
    talk: Path, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = changed(
        FAST, transcript={"enabled": False}, render={"min_chunk": 0.5, "max_chunk": 1.0}
    )
    edit([talk], footage / "calm.mp4", None, settings)
    monkeypatch.setenv("FINECUT_CACHE", str(footage / "evicted"))
    done, gone = threading.Event(), []

    def evict() -> None:
        store = ProcessingCache(open_store().folder)
        while not done.wait(0.02):
            keys = [record.key for record in store.records()]
            store.remove(keys)
            gone.extend(keys)

    thread = threading.Thread(target=evict)
    thread.start()
    try:
        report = edit([talk], footage / "film.mp4", None, settings)
    finally:
        done.set()
        thread.join()

    assert len(gone) > 8
    assert report["ok"]
    assert digest(footage / "film.mp4") == digest(footage / "calm.mp4")


def test_kept_results_are_computed_again_and_compared(talk: Path, footage: Path) -> None:
    settings = changed(FAST, transcript={"enabled": False}, render={"height": 96})
    edit([talk], footage / "film.mp4", None, settings)
    store = open_store()
    before = {record.key: record.made_s for record in store.records()}

    found = recompute(store, 100)

    assert {each["step"] for each in found} == (ANALYSIS - {"transcript"}) | {"sound", "chunk"}
    assert all(each["same"] for each in found), found
    assert {record.key: record.made_s for record in store.records()} == before

    (lie,) = [record for record in store.records() if record.step == "voice"]
    store.set(Key(lie.key, lie.fields, lie.footage), [[0.0, 1.0]])
    (told,) = [each for each in recompute(store, 100) if each["step"] == "voice"]
    assert (told["same"], told["why"]) == (False, "another value")

    talk.unlink()
    assert {each["same"] for each in recompute(store, 3)} == {None}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_spoiled_store_never_gives_another_film(talk: Path, footage: Path, seed: int) -> None:
    settings = changed(
        FAST, transcript={"enabled": False}, render={"height": 96, "min_chunk": 1, "max_chunk": 2}
    )
    film, chance = footage / "film.mp4", random.Random(seed)
    edit([talk], film, None, settings)
    whole = digest(film)
    for damage in chance.sample(FAULTS, 4):
        film.unlink()  # or the store would not be asked
        blobs = sorted(path for _, path, _ in open_store().blob_files())
        with contextlib.suppress(pytest.skip.Exception):  # whoever may read everything
            damage(chance.choice(blobs))

        edit([talk], film, None, settings)

        assert digest(film) == whole, damage
        assert upkeep.damage(open_store()) == {}


def test_footage_that_changes_meanwhile_spoils_nothing(
    talk: Path, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import extract_audio

    settings = changed(FAST, transcript={"enabled": False}, faces={"enabled": False})
    before, other = talk.read_bytes(), sample(footage / "other.mp4", 6).read_bytes()
    extract = extract_audio.extract_analysis_audio

    def changes(*arguments: Any) -> None:
        extract(*arguments)
        talk.write_bytes(other)

    with monkeypatch.context() as patch:
        patch.setattr(extract_audio, "extract_analysis_audio", changes)
        with pytest.raises(BadInput, match="was changed while"):
            edit([talk], footage / "film.mp4", None, settings)
    assert {record.step for record in open_store().records()} == {"probe"}

    for data in (other, before):
        talk.write_bytes(data)
        edit([talk], footage / "film.mp4", None, settings)
        with monkeypatch.context() as patch:
            patch.setenv("FINECUT_CACHE", str(footage / f"fresh {len(data)}"))
            edit([talk], footage / "fresh.mp4", None, settings)
        assert digest(footage / "film.mp4") == digest(footage / "fresh.mp4")


CHANGES: dict[str, list[dict[str, Any]]] = {
    "silence": [{"enabled": False}, {"padding": 0.3}, {"min_silence": 1.5}, {"threshold": -56.0}],
    "zoom": [{"max": 1.4}, {"enabled": False}, {"period": 3.0}],
    "render": [{"crf": 33}, {"height": 120}, {"frame_rate": "15"}, {"min_chunk": 2.0}],
    "sound": [{"bitrate": 96_000}, {"crossfade": 0.02}],
    "faces": [{"interval": 2.0}],
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2])
def test_with_the_store_the_film_is_the_same_as_without(
    talk: Path, footage: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    clips = [talk, sample(footage / "shorter.mp4", 6)]
    base = changed(FAST, transcript={"enabled": False}, render={"height": 96})
    settings, videos = base, clips[:1]
    for number in range(5):
        group = chance.choice(sorted(CHANGES))
        settings = changed(
            chance.choice([base, settings]), **{group: chance.choice(CHANGES[group])}
        )
        videos = chance.choice([clips[:1], clips[1:], clips, videos])
        monkeypatch.setenv("FINECUT_CACHE", str(footage / "store"))
        edit(videos, footage / "with.mp4", None, settings)
        monkeypatch.setenv("FINECUT_CACHE", str(footage / f"empty {number}"))
        edit(videos, footage / "without.mp4", None, settings)
        assert digest(footage / "with.mp4") == digest(footage / "without.mp4"), (number, settings)
        shutil.rmtree(footage / f"empty {number}")
