"""A stretch of the film alone: the film's own chunks, and the sound that belongs to them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deployments.cli.paths import excerpt_from, seconds_from
from flows.film import render_document
from tasks.engine import without_prefect
from tasks.errors import BadSettings
from tasks.media.store import ProcessingCache
from tasks.render.chunks import chunk_borders
from tasks.render.excerpt import Excerpt
from tasks.render.plan import SoundPlan
from tasks.render.report import plan_document
from tasks.run import Run, kept_in
from tests.builders import (
    FLASH_EVERY,
    barcode_video,
    flash_offsets_s,
    flash_video,
    footage,
    random_clips,
    read_barcodes,
    render_plan,
)

RATE = Fraction(30)


def rendered(store: ProcessingCache, plan: Any, output: Path, **asked: Any) -> dict[str, Any]:
    """Render a plan as the command does, and return the report."""
    with kept_in(store):
        document = plan_document(plan)
        return without_prefect(render_document, 2, document, [output.parent], output, **asked)


def test_an_excerpt_shows_what_the_film_shows_there_and_renders_nothing_twice(
    run: Run, tmp_path: Path
) -> None:
    source = footage(run, barcode_video(tmp_path / "talk.mp4", RATE, 900))
    plan = render_plan([source], random_clips(0, 900, 12, seed=3))
    borders = chunk_borders(plan)
    assert len(borders) > 4
    film = tmp_path / "film.mp4"
    rendered(run.store, plan, film)
    start_s, end_s = (borders[1] + 5) / 30, (borders[3] - 5) / 30

    part = tmp_path / "part.mp4"
    report = rendered(run.store, plan, part, excerpt=Excerpt(start_s, end_s))

    assert report["summary"]["chunks"] == 2
    assert report["summary"]["excerpt_start_s"] == round(borders[1] / 30, 3)
    assert report["summary"]["chunks_rendered"] == 0
    assert all(check["ok"] for check in report["checks"])
    assert read_barcodes(part) == read_barcodes(film)[borders[1] : borders[3]]


def test_its_chunks_are_kept_for_the_film(run: Run, tmp_path: Path) -> None:
    source = footage(run, barcode_video(tmp_path / "talk.mp4", RATE, 900))
    plan = render_plan([source], random_clips(0, 900, 12, seed=3))
    first = rendered(run.store, plan, tmp_path / "part.mp4", excerpt=Excerpt(0, 1))
    assert first["summary"]["chunks_rendered"] == 1

    whole = rendered(run.store, plan, tmp_path / "film.mp4")

    assert whole["summary"]["chunks_rendered"] == whole["summary"]["chunks"] - 1


def test_its_sound_lies_beside_its_picture(run: Run, tmp_path: Path) -> None:
    source = footage(run, flash_video(tmp_path / "talk.mp4", RATE, 40))
    clips = [c for c in random_clips(0, 40 * FLASH_EVERY, 9, seed=5) if c.frames > 10]
    plan = render_plan([source], clips, sound=SoundPlan(48_000, 1, 128_000, 0.005))
    at = chunk_borders(plan)[2] / 30

    part = tmp_path / "part.mp4"
    rendered(run.store, plan, part, excerpt=Excerpt(at))

    offsets_s = np.array(flash_offsets_s(part, RATE))[:, 1]
    assert len(offsets_s) > 5
    # A flash beside a cut may have lost its beep to it.
    assert np.median(np.abs(offsets_s)) <= 0.001


@pytest.mark.parametrize(("start", "end"), [("3", "3"), ("3", "1"), ("", "1"), ("1", "")])
def test_a_stretch_that_is_none_is_told_before_any_work(start: str, end: str) -> None:
    with pytest.raises(BadSettings, match=r"not behind|no time"):
        excerpt_from(start, end)


def test_a_stretch_behind_the_films_end_is_told(run: Run, tmp_path: Path) -> None:
    source = footage(run, barcode_video(tmp_path / "talk.mp4", RATE, 200))
    plan = render_plan([source], random_clips(0, 200, 2, seed=1))

    with pytest.raises(BadSettings, match="behind the film's end"):
        rendered(run.store, plan, tmp_path / "part.mp4", excerpt=Excerpt(1000.0))

    assert not (tmp_path / "part.mp4").exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1:30", 90), ("1:02:03.5", 3723.5), ("0.25", 0.25)],
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert seconds_from(text, "--from") == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "soon", "1m", "inf", "9" * 400])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(BadSettings, match="--to"):
        seconds_from(text, "--to")
