"""B-roll through whole edits: what is shown, what is told, and what a second run does."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from flows.edit import edit, render_document
from tasks.errors import BadInput, BadSettings
from tasks.settings import EditSettings
from tests.builders import barcode, barcode_video, encode, read_barcodes

RATE = Fraction(25)


@pytest.fixture
def talk(footage: Path) -> Path:
    """Return 12 s without sound, so that nothing is cut; its pictures carry their number."""
    return barcode_video(footage / "talk.mp4", RATE, 300)


@pytest.fixture
def beach(footage: Path) -> Path:
    pictures = (barcode(1000 + n) for n in range(100))
    return encode(footage / "beach.mp4", pictures, RATE)


def settings(*clips: dict[str, Any], **fields: Any) -> EditSettings:
    return EditSettings.model_validate(
        {
            "zoom": {"enabled": False},
            "render": {"preset": "ultrafast", "min_chunk": 1, "max_chunk": 2},
            "broll": {"clips": clips, "fade": 0, **fields},
        }
    )


def states(report: dict[str, Any], step: str) -> dict[str, int]:
    return {line["state"]: line["count"] for line in report["steps"] if line["step"] == step}


def with_clip(clip: Path, **fields: Any) -> EditSettings:
    return settings({"file": clip, "at": "4s", "length": "2s", "start": "1s", **fields})


SHOWN = [*range(100), *range(1025, 1075), *range(150, 300)]


def test_a_clip_is_shown_told_of_and_answered_again(talk: Path, beach: Path, footage: Path) -> None:
    film, beside = footage / "film.mp4", footage / "film.finecut"

    report = edit([talk], film, beside, with_clip(beach))

    assert read_barcodes(film) == SHOWN
    [told] = report["broll"]
    assert (told["clip"], told["in_s"], told["out_s"]) == ("beach.mp4", 4.0, 6.0)
    assert "| beach.mp4 | 0:04.0 | 0:06.0 |" in (beside / "report.md").read_text()
    assert json.loads((beside / "report.json").read_text())["broll"] == report["broll"]
    assert states(report, "broll") == {"computed": 1}

    # Another name of the same clip is the same edit.
    sea = beach.rename(footage / "sea.mp4")
    again = edit([talk], film, beside, with_clip(sea))
    assert states(again, "edit") == {"hit": 1}
    assert again["broll"] == [{**told, "clip": "sea.mp4"}]

    # A plan finds its clip by what it is, wherever it lies.
    plan = json.loads((beside / "plan.json").read_text())
    (footage / "else").mkdir()
    shutil.move(sea, footage / "else" / "x.mp4")
    shutil.move(talk, footage / "else" / "y.mp4")
    render_document(plan, [footage / "else"], footage / "fromplan.mp4")
    assert (footage / "fromplan.mp4").read_bytes() == film.read_bytes()
    with pytest.raises(BadInput, match="is the footage itself"):
        render_document(plan, [footage / "else"], footage / "else" / "x.mp4")
    (footage / "else" / "x.mp4").unlink()
    with pytest.raises(BadInput, match=r"not found: beach\.mp4"):
        render_document(plan, [footage / "else"], footage / "other.mp4")


def test_another_clip_renders_the_chunks_that_it_touches(
    talk: Path, beach: Path, footage: Path
) -> None:
    first = edit([talk], footage / "film.mp4", None, with_clip(beach))
    beach.unlink()
    encode(beach, (barcode(2000 + n) for n in range(100)), RATE)

    second = edit([talk], footage / "film.mp4", None, with_clip(beach))

    assert read_barcodes(footage / "film.mp4") == [n + 1000 * (n >= 1000) for n in SHOWN]
    assert states(first, "chunk")["miss"] > 4
    assert 0 < states(second, "chunk")["miss"] <= 3
    assert states(second, "chunk")["hit"] >= 3


@pytest.mark.parametrize("content", [None, b"", b"no video\n" * 99])
def test_without_its_clip_the_film_is_made_and_says_so(
    talk: Path, beach: Path, footage: Path, content: bytes | None
) -> None:
    lost = footage / "lost.mp4"
    if content is not None:
        lost.write_bytes(content)
    asked = settings(
        {"file": lost, "at": 1, "length": 2}, {"file": beach, "at": 4, "length": 2, "start": 1}
    )

    for _ in range(2):  # what is degraded is remembered as no answer
        report = edit([talk], footage / "film.mp4", None, asked)

        assert read_barcodes(footage / "film.mp4") == SHOWN
        assert states(report, "broll") == {"degraded": 1, "computed": 1}
        assert states(report, "edit") == {}
        assert any("lost.mp4" in text for text in report["warnings"])

    lost.unlink(missing_ok=True)
    encode(lost, (barcode(2000 + n) for n in range(100)), RATE)
    report = edit([talk], footage / "film.mp4", None, asked)
    assert [shown["clip"] for shown in report["broll"]] == ["lost.mp4", "beach.mp4"]
    assert states(report, "broll") == {"computed": 1}


def test_a_film_never_takes_the_place_of_a_clip(talk: Path, beach: Path, footage: Path) -> None:
    before = beach.read_bytes()
    (footage / "other.mp4").hardlink_to(beach)

    for output in (beach, footage / "other.mp4"):
        with pytest.raises(BadInput, match="is the footage itself"):
            edit([talk], output, None, with_clip(beach))
        with pytest.raises(BadInput, match="is the footage itself"):
            edit([talk], None, None, with_clip(beach), plan=output)

    assert beach.read_bytes() == before


def test_b_roll_is_switched_off_and_a_file_that_there_is_not_is_refused(
    talk: Path, beach: Path, footage: Path
) -> None:
    clip = {"file": beach, "at": 4, "length": 2}

    report = edit([talk], footage / "film.mp4", None, settings(clip, enabled=False))

    assert read_barcodes(footage / "film.mp4") == list(range(300))
    assert states(report, "broll") == {"off": 1}
    with pytest.raises(BadSettings, match=r"broll\.clips\.0\.source is 1"):
        edit([talk], footage / "film.mp4", None, with_clip(beach, source=1))


@pytest.mark.media
@pytest.mark.models
def test_real_clips_over_a_real_talk(media: Path, footage: Path) -> None:
    clips = [
        {"file": media / "broll_beach_boats.mp4", "at": "3s", "length": "3s", "start": "5s"},
        {"file": media / "broll_road_cars.mp4", "at": "12s", "length": "2s"},
        {"file": media / "broll_roof_hdr_edit_list.mp4", "at": "20s", "length": "2s"},
        {"file": media / "broll_nasa_webb.mp4", "at": "30s", "length": "4s", "start": "2s"},
        {"file": media / "broll_cliff_lofoten.mp4", "at": "32s", "length": "4s"},
    ]
    asked = EditSettings.model_validate(
        {
            "broll": {"clips": clips},
            "render": {"preset": "ultrafast", "height": 360},
            "transcript": {"model": "tiny.en", "beam": 1},
        }
    )

    report = edit([media / "talk_gt_dev.mp4"], footage / "film.mp4", None, asked)

    assert all(check["ok"] for check in report["checks"])
    assert len(report["broll"]) == 5
    assert any("another clip lies there" in text for text in report["warnings"])
