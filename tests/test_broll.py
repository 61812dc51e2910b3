"""B-roll in the picture: which of its pictures each frame shows, how it fills and how it fades."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.engine import without_prefect
from tasks.find_assets import find_assets
from tasks.keys import chunk_key
from tasks.layers.broll import BrollLayer, BrollWindow, asset_frames, weight_at
from tasks.layers.zoom import FocusPoint, ZoomLayer, ZoomSpan
from tasks.media import draw
from tasks.media.conform import Conformer, _middle
from tasks.media.draw import Shot, drawn_planes, mixed
from tasks.media.pictures import FrameRange
from tasks.media.probe import probe
from tasks.render.chunks import Chunk, chunk_borders, chunks, incoming_color
from tasks.render.plan import RenderPlan
from tasks.render_chunk import frame_hashes
from tasks.run import Run
from tasks.settings import BrollSettings, PlacedClip
from tasks.timeline.model import Canvas, Clip, ColorTags, Source
from tests.builders import (
    barcode,
    barcode_video,
    encode,
    film,
    footage,
    made_up_source,
    random_clips,
    read_barcode,
    read_barcodes,
    remux,
    render_plan,
)

ASSET_SIZE = (320, 240)
"""Of another shape than the talk's 256x144: a fifth of it hangs over."""

HLG_TAGS = "range=tv:color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc"
HLG = ["-vf", f"format=yuv420p10le,setparams={HLG_TAGS}", "-pix_fmt", "yuv420p10le"]


def numbered(target: Path, rate: Fraction, frames: int, *options: str, first: int) -> Path:
    """Encode a clip whose pictures carry their number from `first` on."""
    pictures = (barcode(first + n, ASSET_SIZE) for n in range(frames))
    return encode(target, pictures, rate, *options, size=ASSET_SIZE)


def due(frame: int, asset_rate: Fraction, rate: Fraction, numbers: Sequence[int]) -> int:
    """Return which picture a frame of an asset's grid shows."""
    half = Fraction(1, 2)
    return max(n for n in numbers if (n * rate / asset_rate + half).__floor__() <= frame)


@pytest.mark.parametrize("rate", ["30", "30000/1001"])
def test_each_frame_shows_the_picture_that_is_due(run: Run, tmp_path: Path, rate: str) -> None:
    out = Fraction(rate)
    gone = "not(eq(mod(n,5),2)+between(mod(n,40),20,29))"
    vfr = ["-vf", f"select='{gone}'", "-fps_mode", "vfr"]
    talk = footage(run, barcode_video(tmp_path / "talk.mp4", out, 500))
    assets = [
        footage(run, numbered(tmp_path / "25.mp4", Fraction(25), 150, first=1000)),
        footage(run, numbered(tmp_path / "vfr.mp4", Fraction(30), 200, *vfr, first=2000)),
    ]
    clips = random_clips(0, 500, 12, seed=5)
    frames = sum(clip.frames for clip in clips)
    windows = (
        BrollWindow(0, 21, 1, 30),
        BrollWindow(33, 90, 0, 17),
        BrollWindow(90, 130, 1, 3),
        BrollWindow(frames - 40, frames, 0, 100),
    )
    plan = render_plan(
        [talk], clips, rate=out, assets=tuple(assets), broll=BrollLayer(windows),
        min_chunk_frames=20, max_chunk_frames=50,
    )  # fmt: skip

    assert all(check.ok for check in film(run, plan, tmp_path / "film.mp4"))

    wanted = [n for clip in clips for n in range(clip.source_in, clip.source_out)]
    left = [n for n in range(200) if not (n % 5 == 2 or 20 <= n % 40 <= 29)]
    for window in windows:
        for frame in range(window.start_frame, window.end_frame):
            at = window.asset_in + frame - window.start_frame
            wanted[frame] = (
                2000 + due(at, Fraction(30), out, left)
                if window.asset
                else 1000 + due(at, Fraction(25), out, range(150))
            )
    assert read_barcodes(tmp_path / "film.mp4") == wanted


def square(size: tuple[int, int], shape: tuple[float, float]) -> NDArray[np.uint8]:
    """Return a grey picture with a white square in its middle.

    Args:
        size: of the coded picture.
        shape: width and height of one sample, in square pixels.
    """
    side = min(size[0] * shape[0], size[1] * shape[1]) / 2
    picture = np.full(size[::-1], 120, np.uint8)
    half_x, half_y = round(side / shape[0] / 2), round(side / shape[1] / 2)
    middle_x, middle_y = size[0] // 2, size[1] // 2
    picture[middle_y - half_y : middle_y + half_y, middle_x - half_x : middle_x + half_x] = 230
    return picture


@pytest.mark.parametrize(
    ("size", "aspect", "turn"),
    [
        ((640, 272), 1.0, 0),
        ((320, 240), 1.0, 0),
        ((180, 320), 1.0, 0),
        ((320, 240), 1.5, 0),
        ((240, 320), 2 / 3, 0),
        ((320, 240), 1.0, 90),
        ((320, 200), 1.25, 270),
        ((322, 182), 1.0, 180),
    ],
)
@pytest.mark.parametrize("canvas_size", [(256, 144), (144, 256), (200, 200)])
def test_a_clip_fills_the_canvas_without_distortion(
    tmp_path: Path, size: tuple[int, int], aspect: float, turn: int, canvas_size: tuple[int, int]
) -> None:
    options = ["-vf", f"setsar={Fraction(aspect).limit_denominator(100)}"]
    shown = square(size, (aspect, 1.0))
    path = encode(tmp_path / "plain.mp4", [shown] * 3, Fraction(25), *options, size=size)
    if turn:
        path = remux(path, tmp_path / "turned.mp4", before=["-display_rotation", str(turn)])
    video = probe(path).video
    assert video is not None
    assert video.rotation_deg == (360 - turn) % 360
    canvas = Canvas(*canvas_size, Fraction(25), ColorTags("tv", "bt709", "bt709", "bt709"))

    with av.open(str(path)) as container:
        planes = Conformer(video, canvas, fill=True).planes(next(container.decode(video=0)))

    width, height = canvas_size
    assert [plane.shape for plane in planes] == [
        (height, width),
        (height // 2, width // 2),
        (height // 2, width // 2),
    ]
    luma = planes[0].astype(int)
    edges = np.concatenate([luma[:2].ravel(), luma[-2:].ravel(), luma[:, 0], luma[:, -1]])
    grey = int(np.median(edges))
    assert abs(edges - grey).max() < 12, "no bars"
    bright = luma > (luma.max() + grey) // 2
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    assert abs(len(rows) - len(columns)) <= 2
    assert abs(rows.mean() - (height - 1) / 2) <= 1.5
    assert abs(columns.mean() - (width - 1) / 2) <= 1.5


@pytest.mark.parametrize(("kind", "top"), [(np.uint8, 255), (np.uint16, 1023)])
def test_mixing_is_integer_arithmetic(kind: Any, top: int) -> None:
    rng = np.random.default_rng(1)
    below, above = (
        tuple(rng.integers(0, top + 1, (8, 8)).astype(kind) for _ in range(3)) for _ in range(2)
    )
    below[0][0, 0] = above[0][0, 0] = top

    for weight in range(257):
        got = mixed(below, above, weight)  # type: ignore[arg-type]
        for a, b, c in zip(below, above, got, strict=True):
            wanted = [
                (int(x) * (256 - weight) + int(y) * weight + 128) // 256
                for x, y in zip(a.ravel(), b.ravel(), strict=True)
            ]
            assert c.dtype == kind
            assert c.ravel().tolist() == wanted


@pytest.fixture
def faded(run: Run, tmp_path: Path) -> RenderPlan:
    """Return a plan with a zoom, cuts, and two windows that fade."""
    talk = footage(run, barcode_video(tmp_path / "talk.mp4", Fraction(30), 300))
    asset = footage(run, numbered(tmp_path / "25.mp4", Fraction(25), 150, first=1000))
    clips = [Clip(0, 10, 60), Clip(0, 80, 130), Clip(0, 140, 200)]
    return render_plan(
        [talk],
        clips,
        zoom=ZoomLayer((ZoomSpan(0, 160, 2, 1.4),), (FocusPoint(0, 0.3, 0.4),)),
        assets=(asset,),
        broll=BrollLayer((BrollWindow(30, 70, 0, 5, 7), BrollWindow(90, 120, 0, 80, 15))),
    )


def planes_of(run: Run, plan: RenderPlan, chunk: Chunk) -> list[bytes]:
    shot = Shot(chunk.clips, plan.sources, chunk.zoom, chunk.broll, plan.assets)
    return [bytes(plane) for plane in drawn_planes(shot, plan.canvas, run.footage)]


def test_the_speakers_zoomed_picture_and_the_clip_are_mixed(run: Run, faded: RenderPlan) -> None:
    assert faded.broll is not None
    [part] = chunks(faded, (0, 160))
    bare = replace(part, broll=())
    hard = replace(part, broll=tuple(replace(w, fade_frames=0) for w in faded.broll.windows))

    talk, clip, got = (planes_of(run, faded, each) for each in (bare, hard, part))

    for frame in range(160):
        window = next(
            (w for w in faded.broll.windows if w.start_frame <= frame < w.end_frame), None
        )
        weight = weight_at(window, frame) if window else 0
        for number in range(3 * frame, 3 * frame + 3):
            a = np.frombuffer(talk[number], np.uint8).astype(int)
            b = np.frombuffer(clip[number], np.uint8).astype(int)
            c = np.frombuffer(got[number], np.uint8)
            assert (c == (a * (256 - weight) + b * weight + 128) // 256).all()


Opened = list[tuple[str, list[FrameRange]]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Return a list that fills with the file and the ranges of each pass of decoding."""
    passes: Opened = []
    real: Callable[..., Any] = draw.pictures

    def noted(path: Path, source: Source, rate: Fraction, ranges: Sequence[FrameRange]) -> Any:
        passes.append((path.name, list(ranges)))
        yield from real(path, source, rate, ranges)

    monkeypatch.setattr(draw, "pictures", noted)
    return passes


def test_what_is_covered_is_not_decoded(run: Run, faded: RenderPlan, opened: Opened) -> None:
    parts = chunks(faded, (0, 25, 40, 60, 85, 160))
    passes: list[Opened] = []
    for part in parts:
        opened.clear()
        planes_of(run, faded, part)
        passes.append(sorted(opened))

    assert passes == [
        [("talk.mp4", [(10, 35)])],
        [("25.mp4", [(5, 15)]), ("talk.mp4", [(35, 47)])],  # 25 to 37 are seen, then all is covered
        [("25.mp4", [(15, 35)])],
        [("25.mp4", [(35, 45)]), ("talk.mp4", [(93, 115)])],
        [("25.mp4", [(80, 110)]), ("talk.mp4", [(115, 130), (140, 200)])],
    ]


def test_only_the_chunks_that_a_clip_touches_open_it(
    run: Run, faded: RenderPlan, tmp_path: Path
) -> None:
    run.footage[faded.assets[0].digest] = tmp_path / "gone.mp4"
    first, second, last = chunks(faded, (0, 30, 120, 160))

    for part in (first, last):
        assert part.broll == ()
        assert len(frame_hashes(run, faded, part, run.store.work_folder())) == part.frames
    with pytest.raises(Exception, match=r"gone\.mp4"):
        planes_of(run, faded, second)


def test_a_chunk_without_b_roll_has_the_key_of_a_film_without(faded: RenderPlan) -> None:
    borders = (0, 30, 120, 160)
    bare = replace(faded, assets=(), broll=None)

    keys, plain = (
        [chunk_key(plan, part).digest for part in chunks(plan, borders)] for plan in (faded, bare)
    )

    assert [a == b for a, b in zip(keys, plain, strict=True)] == [True, False, True]
    fields = chunk_key(faded, chunks(faded, borders)[0]).fields
    assert sorted(fields["inputs"]) == [
        *("canvas", "clips", "encoding", "fonts", "subtitles", "videos", "zoom"),
    ]


@pytest.mark.parametrize("is_talk_hdr", [False, True])
def test_hdr_and_sdr_meet_on_a_border_without_a_fade(
    run: Run, tmp_path: Path, is_talk_hdr: bool
) -> None:
    talk_options, clip_options = (HLG, []) if is_talk_hdr else ([], HLG)
    talk = footage(run, barcode_video(tmp_path / "t.mp4", Fraction(30), 150, *talk_options))
    path = numbered(tmp_path / "c.mp4", Fraction(30), 60, *clip_options, first=1000)
    plan = render_plan(
        [talk],
        [Clip(0, 0, 150)],
        assets=(footage(run, path),),
        broll=BrollLayer((BrollWindow(50, 90, 0, 3, 6),)),
    )

    parts = chunks(plan)
    film(run, plan, tmp_path / "film.mp4")

    assert chunk_borders(plan) == (0, 50, 90, 150)
    assert [part.is_tone_mapped for part in parts] == [is_talk_hdr, not is_talk_hdr, is_talk_hdr]
    assert [incoming_color(plan, part).is_hdr for part in parts] == [
        part.is_tone_mapped for part in parts
    ]
    assert parts[1].broll == (BrollWindow(0, 40, 0, 3, 0),)
    assert read_barcodes(tmp_path / "film.mp4") == [
        *range(50), *range(1003, 1043), *range(90, 150)
    ]  # fmt: skip


def test_a_clip_keeps_its_length_at_the_films_rate() -> None:
    asset = made_up_source(rate=Fraction(24000, 1001), frames=24)

    assert asset_frames(asset, Fraction(30)) == 30
    assert asset_frames(replace(asset, video=None), Fraction(30)) == 0


def test_a_barcode_can_be_read_where_a_clip_fills() -> None:
    """What these tests rely on."""
    picture = barcode(1234, (256, 192))[24:168]

    assert read_barcode(picture) == 1234


@pytest.mark.parametrize(("rows", "columns"), [(150, 256), (144, 271), (147, 259), (144, 256)])
def test_what_hangs_over_is_cut_off_in_step_in_all_planes(rows: int, columns: int) -> None:
    luma = np.arange(rows * columns).reshape(rows, columns)
    chroma = luma[::2, ::2]

    y, u, v = _middle((luma, chroma, chroma), 256, 144)

    assert y.shape == (144, 256)
    assert (y[::2, ::2] == u).all()
    assert (u == v).all()


def test_a_clip_too_thin_to_fill_the_picture_is_left_out_and_told_of(
    run: Run, tmp_path: Path
) -> None:
    """Scaled until it fills, it would be some hundred thousand pixels long."""
    thin = encode(
        tmp_path / "thin.mp4",
        (np.full((16, 1024), 90, np.uint8) for _ in range(50)),
        Fraction(25),
        size=(1024, 16),
    )
    settings = BrollSettings(clips=(PlacedClip(file=thin, at=1, length=1),))

    found = without_prefect(find_assets, 1, run, settings, 1)

    assert found == (None,)
    assert any("as long as wide" in text for text in run.warnings)
    assert [record.state for record in run.records if record.step == "broll"] == ["degraded"]
