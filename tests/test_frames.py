"""The law of frames: the film shows exactly the planned source frames, each once, in order."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tasks.render.plan import RenderPlan
from tasks.run import Run
from tasks.timeline.model import Clip
from tests.builders import (
    barcode,
    barcode_video,
    encode,
    film,
    footage,
    random_clips,
    read_barcodes,
    remux,
    render_plan,
)

FRAMES = 600


def rendered(run: Run, plan: RenderPlan, folder: Path) -> Path:
    """Render a plan's pictures into a verified film and return it."""
    output = folder / f"{secrets.token_hex(4)}.mp4"
    film(run, plan, output)
    return output


def shown(clips: Sequence[Clip]) -> list[int]:
    """Return the numbers of the frames that clips show."""
    return [number for clip in clips for number in range(clip.source_in, clip.source_out)]


def check(run: Run, path: Path, cuts: int, folder: Path) -> None:
    source = footage(run, path)
    assert source.video is not None
    clips = random_clips(0, source.video.frames - 1, cuts, seed=1)
    shot = rendered(run, render_plan([source], clips), folder)

    first = read_barcodes(path)[0]
    assert read_barcodes(shot) == [first + number for number in shown(clips)]


@pytest.mark.parametrize("rate", ["30", "30000/1001", "25", "60000/1001", "24000/1001", "25/2"])
@pytest.mark.parametrize("cuts", [1, 40])
def test_constant_rate(run: Run, tmp_path: Path, rate: str, cuts: int) -> None:
    check(run, barcode_video(tmp_path / "film.mp4", Fraction(rate), FRAMES), cuts, tmp_path)


def test_400_cuts(run: Run, tmp_path: Path) -> None:
    path = barcode_video(tmp_path / "film.mp4", Fraction(30000, 1001), 1500)

    check(run, path, 400, tmp_path)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("later.mp4", [], ["-output_ts_offset", "10"]),
        ("later.ts", [], ["-output_ts_offset", "3600.5", "-muxdelay", "0"]),
        ("milliseconds.mkv", [], []),
        ("fragments.mp4", [], ["-movflags", "frag_keyframe+empty_moov"]),
        ("edit_list.mp4", ["-ss", "1.37"], ["-avoid_negative_ts", "disabled"]),
    ],
)
def test_containers(
    run: Run, tmp_path: Path, name: str, before: list[str], after: list[str]
) -> None:
    plain = barcode_video(tmp_path / "film.mp4", Fraction(30), FRAMES)

    check(run, remux(plain, tmp_path / name, *after, before=before), 40, tmp_path)


@pytest.mark.parametrize("counterclockwise", [90, 180, 270])
def test_rotated(run: Run, tmp_path: Path, counterclockwise: int) -> None:
    """A picture drawn turned, with the note to turn it back, comes out upright."""
    # The display matrix turns by what the recorder turned the other way.
    pictures = (
        np.ascontiguousarray(np.rot90(barcode(number), -(counterclockwise // 90)))
        for number in range(FRAMES // 4)
    )
    size = (256, 144) if counterclockwise == 180 else (144, 256)
    plain = encode(tmp_path / "plain.mp4", pictures, Fraction(30), size=size)
    turn = ["-display_rotation", str(counterclockwise)]

    path = remux(plain, tmp_path / "turned.mp4", before=turn)
    source = footage(run, path)
    shot = rendered(run, render_plan([source], [Clip(0, 10, 140)]), tmp_path)

    assert source.video is not None
    assert source.video.rotation_deg == 360 - counterclockwise
    assert read_barcodes(shot) == list(range(10, 140))


def test_variable_rate_holds_the_picture_before_a_hole(run: Run, tmp_path: Path) -> None:
    gone = "not(eq(mod(n,5),2)+between(mod(n,40),20,29))"
    pictures = (barcode(number) for number in range(FRAMES))
    options = ["-vf", f"select='{gone}'", "-fps_mode", "vfr"]
    path = encode(tmp_path / "vfr.mp4", pictures, Fraction(30), *options)
    source = footage(run, path)

    shot = rendered(run, render_plan([source], [Clip(0, 0, 300), Clip(0, 333, 590)]), tmp_path)

    left = [n for n in range(FRAMES) if not (n % 5 == 2 or 20 <= n % 40 <= 29)]
    wanted = [*range(300), *range(333, 590)]
    assert source.video is not None
    assert (source.video.rate, source.video.is_vfr) == (30, True)
    assert read_barcodes(shot) == [max(n for n in left if n <= at) for at in wanted]


def test_two_sources_take_turns(run: Run, tmp_path: Path) -> None:
    paths = [
        barcode_video(tmp_path / "a.mp4", Fraction(30), 200),
        encode(
            tmp_path / "b.mkv",
            (barcode(1000 + n, (512, 288)) for n in range(200)),
            Fraction(30),
            size=(512, 288),
        ),
    ]
    sources = [footage(run, path) for path in paths]
    clips = [Clip(0, 5, 50), Clip(1, 20, 70), Clip(0, 100, 130), Clip(1, 0, 15)]

    shot = rendered(run, render_plan(sources, clips), tmp_path)

    wanted = [1000 * clip.source + n for clip in clips for n in shown([clip])]
    assert read_barcodes(shot) == wanted


def test_a_faster_film_holds_and_a_slower_one_drops(run: Run, tmp_path: Path) -> None:
    path = barcode_video(tmp_path / "film.mp4", Fraction(30), 300)
    source = footage(run, path)

    for rate in (Fraction(60), Fraction(15)):
        plan = render_plan([source], [Clip(0, 0, 100)], rate=rate)
        got = read_barcodes(rendered(run, plan, tmp_path))
        assert got == [int(Fraction(n) * 30 / rate) for n in range(100)]


def test_footage_that_ends_early_holds_its_last_picture(run: Run, tmp_path: Path) -> None:
    path = barcode_video(tmp_path / "film.mp4", Fraction(30), 90)
    source = footage(run, path)

    shot = rendered(run, render_plan([source], [Clip(0, 80, 100)]), tmp_path)

    assert read_barcodes(shot) == [*range(80, 90), *[89] * 10]
