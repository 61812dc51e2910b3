"""Whole edits, through Prefect: what comes out, what a second run does, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from flows.edit import edit, render_document
from tasks.errors import BadInput, VerificationFailed
from tasks.media import ffmpeg
from tasks.settings import EditSettings, RenderSettings, TranscriptSettings
from tests.builders import SAMPLE, barcode_video, read_barcodes, sample

FAST = EditSettings(
    render=RenderSettings(preset="ultrafast", crf=28, height=240),
    transcript=TranscriptSettings(model="tiny.en", beam=1),
)
STORED = {"probe", "audio", "voice", "transcript", "faces", "sound", "chunk"}


@pytest.fixture
def talk(footage: Path) -> Path:
    """Return the first 14 s of the sample: three sentences and an "um"."""
    return sample(footage / "it's a [talk].mp4", 14)


def decoded(path: Path) -> tuple[int, int]:
    """Return how many pictures and samples of sound a film decodes to."""
    with av.open(str(path)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    with av.open(str(path)) as container:
        return pictures, sum(frame.samples for frame in container.decode(audio=0))


@pytest.mark.models
def test_a_talk_is_edited_and_a_second_run_does_nothing(talk: Path, footage: Path) -> None:
    film, beside = footage / "film.mp4", footage / "film.finecut"
    before = talk.read_bytes()

    report = edit([talk], film, beside, FAST)

    summary = report["summary"]
    assert report["ok"]
    assert all(check["ok"] for check in report["checks"])
    assert {step["state"] for step in report["steps"]} == {"miss", "computed"}
    assert [cut["reason"] for cut in report["cuts"]][:2] == ["leading silence", "silence"]
    assert summary["output_s"] < summary["source_s"] - 3
    pictures, samples = decoded(film)
    assert pictures == summary["frames"]
    assert abs(samples / 48_000 - pictures / 30) < 1024 / 48_000 + 0.001
    said = (beside / "subtitles.srt").read_text().lower()
    assert "rough take" in said
    assert "every word" in said
    assert json.loads((beside / "report.json").read_text())["summary"] == summary
    assert talk.read_bytes() == before

    again = edit([talk], footage / "again.mp4", None, FAST)

    states = {step["step"]: step["state"] for step in again["steps"]}
    assert {step for step, state in states.items() if state == "hit"} == {"edit", *STORED}
    assert again["summary"]["chunks_rendered"] == 0
    assert (footage / "again.mp4").read_bytes() == film.read_bytes()

    plan = json.loads((beside / "plan.json").read_text())
    moved = shutil.move(talk, footage / "moved.mp4")
    render_document(plan, [Path(moved)], footage / "fromplan.mp4")
    assert (footage / "fromplan.mp4").read_bytes() == film.read_bytes()


@pytest.mark.models
def test_words_lie_where_they_are_spoken(talk: Path, footage: Path) -> None:
    truth = json.loads(SAMPLE.with_suffix(".json").read_text())
    edit([talk], None, None, FAST, plan=footage / "plan.json")
    plan = json.loads((footage / "plan.json").read_text())

    words = [w for cue in plan["subtitles"]["cues"] for line in cue["lines"] for w in line]
    kept = plan["timeline"]["clips"]
    starts_s = []
    at = 0
    for clip in kept:
        length = clip["source_out"] - clip["source_in"]
        inside = [w for w in words if at <= w["start_frame"] < at + length]
        starts_s += [(w["start_frame"] - at + clip["source_in"]) / 30 for w in inside]
        at += length
    pieces = [p for p in truth["pieces"] if p["kind"] == "sentence" and p["end_s"] < 14]
    for piece in pieces:
        assert min(abs(start_s - piece["start_s"]) for start_s in starts_s) < 0.25


def test_footage_without_sound_is_edited(footage: Path) -> None:
    path = barcode_video(footage / "silent.mp4", Fraction(25), 60)
    settings = EditSettings.model_validate({"zoom": {"enabled": False}})

    report = edit([path], footage / "film.mkv", None, settings)

    assert read_barcodes(footage / "film.mkv") == list(range(60))
    assert any("no sound" in warning for warning in report["warnings"])
    assert report["cuts"] == []


def test_sound_in_which_nobody_speaks_is_not_cut(footage: Path) -> None:
    path = footage / "noise.mp4"
    ffmpeg.run(
        [
            *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=4"),
            *("-f", "lavfi", "-i", "anoisesrc=a=0.05:d=4:seed=1", "-shortest", str(path)),
        ],
        folder=footage,
    )

    report = edit([path], footage / "film.mp4", None, FAST)

    assert report["summary"]["frames"] == 120
    assert any("nobody speaks" in warning for warning in report["warnings"])


def test_several_files_make_one_film(footage: Path) -> None:
    paths = [barcode_video(footage / f"{n}.mp4", Fraction(25), 40 + n) for n in range(3)]
    settings = EditSettings.model_validate({"zoom": {"enabled": False}})

    report = edit(paths, footage / "film.mp4", None, settings)

    assert read_barcodes(footage / "film.mp4") == [*range(40), *range(41), *range(42)]
    assert [source["path"] for source in report["sources"]] == [str(path) for path in paths]
    assert [row[0] for row in report["kept"]] == [0, 1, 2]


def bad_files(folder: Path) -> dict[str, Path]:
    """Return files that are no footage."""
    whole = barcode_video(folder / "whole.mp4", Fraction(25), 50).read_bytes()
    playlist = "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    contents: dict[str, bytes] = {
        "empty.mp4": b"",
        "text.mp4": b"not a video\n" * 50,
        "headless.mp4": whole[: len(whole) * 2 // 3],
        "noise.mp4": np.random.default_rng(1).bytes(20_000),
        "playlist.mp4": playlist.encode(),
        "concat.mp4": b"ffconcat version 1.0\nfile /etc/passwd\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.mp4").mkdir()
    return {name: folder / name for name in [*contents, "folder.mp4", "missing.mp4"]}


def test_what_is_no_footage_is_refused(footage: Path) -> None:
    for name, path in bad_files(footage).items():
        with pytest.raises(BadInput) as caught:
            edit([path], footage / "film.mp4", None, FAST)
        assert name in caught.value.message
        assert caught.value.hint
        assert not (footage / "film.mp4").exists()


def test_a_film_that_fails_its_checks_gets_no_name(
    footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import render_sound
    from tasks.media import soundtrack

    path = footage / "tone.mp4"
    ffmpeg.run(
        [
            *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=4"),
            *("-f", "lavfi", "-i", "sine=d=4", "-shortest", str(path)),
        ],
        folder=footage,
    )

    def half(*arguments: Any, **options: Any) -> Iterator[Any]:
        blocks = list(soundtrack.rendered_blocks(*arguments, **options))
        yield from blocks[: len(blocks) // 2]

    monkeypatch.setattr(render_sound, "rendered_blocks", half)
    with pytest.raises(VerificationFailed, match="sound length"):
        edit([path], footage / "out" / "film.mp4", None, FAST)

    assert list((footage / "out").iterdir()) == []


def test_a_plan_is_named_by_its_file_as_text_too() -> None:
    asked = {"plan": "plan.json", "roots": ["."], "output": "film.mp4"}

    assert render_document.validate_parameters(asked)["plan"] == Path("plan.json")


def test_a_film_never_takes_the_place_of_its_footage(footage: Path) -> None:
    path = barcode_video(footage / "clip.mp4", Fraction(25), 30)
    before = path.read_bytes()
    settings = EditSettings.model_validate({"zoom": {"enabled": False}})
    edit([path], None, None, settings, plan=footage / "plan.json")
    plan = json.loads((footage / "plan.json").read_text())
    (footage / "other.mp4").hardlink_to(path)

    for output in (path, footage / "other.mp4"):
        with pytest.raises(BadInput, match="is the footage itself"):
            render_document(footage / "plan.json", [footage], output)
        with pytest.raises(BadInput, match="is the footage itself"):
            edit([path], output, None, settings)

    plan["sources"][0]["video"]["index"] = 3
    with pytest.raises(BadInput, match="no picture stream 3"):
        render_document(plan, [footage], footage / "film.mp4")
    assert path.read_bytes() == before
