"""The laws where they are hardest: reordered pictures, odd containers, turned or mixed footage.

The footage carries its own truth: pictures with their number, flashes with a beep.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tasks.join_film import joined
from tasks.layers.cues import Cue, CueWord
from tasks.layers.subtitles import SubtitleLayer, subtitle_style
from tasks.layers.zoom import FocusPoint, ZoomLayer, ZoomSpan
from tasks.media.store import ProcessingCache
from tasks.render.chunks import chunk_borders, chunks
from tasks.render.plan import RenderPlan, SoundPlan
from tasks.render_chunk import frame_hashes
from tasks.render_sound import draw_sound
from tasks.run import Run
from tasks.settings import SubtitleSettings
from tasks.timeline.model import Clip, Source
from tests.builders import (
    FLASH_EVERY,
    barcode,
    barcode_video,
    drawn,
    encode,
    film,
    flash_offsets_s,
    flash_video,
    footage,
    random_clips,
    read_barcodes,
    remux,
    render_plan,
)

NTSC = Fraction(30000, 1001)
SOUND = SoundPlan(48_000, 1, 128_000, 0.005)
FRAMES = 600


def packets_of(path: Path) -> list[av.Packet]:
    """Return the packets of a file's pictures, in order of decoding."""
    with av.open(str(path)) as container:
        return list(container.demux(video=0))


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return footage at 30 frames a second whose pictures carry their number."""
    return barcode_video(tmp_path_factory.mktemp("laws") / "30.mp4", Fraction(30), FRAMES)


def shown(frame: int, source_rate: Fraction, rate: Fraction, numbers: Sequence[int]) -> int:
    """Return which picture a grid frame shows: the last one whose nearest frame is not behind."""
    half = Fraction(1, 2)
    return max(n for n in numbers if (n * rate / source_rate + half).__floor__() <= frame)


def frames_of(clips: Sequence[Clip]) -> list[int]:
    """Return the source frames that clips show, in order."""
    return [frame for clip in clips for frame in range(clip.source_in, clip.source_out)]


def assert_frames(run: Run, plan: RenderPlan, output: Path, expected: Sequence[int]) -> None:
    """Render a film; it must hold exactly the pictures expected, in order."""
    checks = film(run, plan, output)
    assert all(check.ok for check in checks)
    assert read_barcodes(output) == list(expected)


def assert_one_source(run: Run, path: Path, output: Path, cuts: int = 40) -> Source:
    """Cut footage at random; the film must hold its pictures, as counted from the first."""
    source = footage(run, path)
    present = read_barcodes(path)
    clips = random_clips(0, len(present), cuts, seed=cuts)
    expected = [
        present[frame] for clip in clips for frame in range(clip.source_in, clip.source_out)
    ]
    assert_frames(run, render_plan([source], clips), output, expected)
    return source


@pytest.mark.parametrize("preset", ["veryfast", "medium"])
def test_reordered_pictures_join_in_order(
    run: Run, numbered: Path, tmp_path: Path, preset: str
) -> None:
    """Chunks with B-frames, and chunks too short for any, run on without a step."""
    clips = random_clips(0, FRAMES, 30, seed=8)
    plan = render_plan([footage(run, numbered)], clips)
    plan = replace(plan, encoding=replace(plan.encoding, preset=preset))
    borders = (0, 1, 3, 40, 41, plan.timeline.frames - 1, plan.timeline.frames)
    parts, output = chunks(plan, borders), tmp_path / "out.mp4"
    files = list(drawn(run, plan, parts))
    assert all(check.ok for check in joined(run, plan, parts, files, None, output))
    assert any(packet.pts != packet.dts for packet in packets_of(files[2]))
    assert read_barcodes(output) == frames_of(clips)


def test_pictures_outside_an_edit_list_belong_to_nothing(
    run: Run, numbered: Path, tmp_path: Path
) -> None:
    options = ("-avoid_negative_ts", "disabled")
    path = remux(numbered, tmp_path / "in.mov", *options, before=("-ss", "4.9"))
    assert_one_source(run, path, tmp_path / "out.mp4")
    # It starts between key frames: those before its start are in the file all the same.
    assert read_barcodes(path)[0] == 147
    assert sum(1 for packet in packets_of(path) if packet.size) > FRAMES - 147


def test_frames_are_exact_in_matroska_at_29_97(run: Run, tmp_path: Path) -> None:
    path = remux(barcode_video(tmp_path / "in.mp4", NTSC, FRAMES), tmp_path / "in.mkv")
    source = assert_one_source(run, path, tmp_path / "out.mp4")
    assert source.video is not None
    assert source.video.rate == NTSC


TURNS: dict[str, tuple[tuple[str, ...], Callable[[np.ndarray], np.ndarray]]] = {
    "mirrored": (("-display_hflip",), lambda p: p[:, ::-1]),
    "upside down": (("-display_vflip",), lambda p: p[::-1]),
    "90 mirrored": (
        ("-display_rotation", "90", "-display_hflip"),
        lambda p: np.rot90(p[:, ::-1], -1),
    ),
}
"""FFmpeg's options for a display matrix, and the picture that is upright once it is followed."""


@pytest.mark.parametrize("turn", TURNS)
def test_mirrored_footage_comes_out_upright(run: Run, tmp_path: Path, turn: str) -> None:
    options, lay_down = TURNS[turn]
    pictures = [np.ascontiguousarray(lay_down(barcode(n))) for n in range(200)]
    height, width = pictures[0].shape
    lying = encode(tmp_path / "lying.mp4", pictures, Fraction(30), size=(width, height))
    source = footage(run, remux(lying, tmp_path / "in.mp4", before=options))
    clips = random_clips(0, 200, 8, seed=1)
    expected = frames_of(clips)
    plan = render_plan([source], clips)
    assert (plan.canvas.width_px, plan.canvas.height_px) == (256, 144)
    assert_frames(run, plan, tmp_path / "out.mp4", expected)


@pytest.mark.parametrize("rate", ["25", "60000/1001", "30000/1001"])
def test_another_output_rate_shows_the_picture_that_is_due(
    run: Run, numbered: Path, tmp_path: Path, rate: str
) -> None:
    source, out = footage(run, numbered), Fraction(rate)
    length = (FRAMES * out / 30).__floor__()
    clips = random_clips(0, length, 20, seed=2)
    frames = frames_of(clips)
    expected = [shown(frame, Fraction(30), out, range(FRAMES)) for frame in frames]
    plan = render_plan([source], clips, rate=out)
    assert_frames(run, plan, tmp_path / "out.mp4", expected)


def test_two_sources_of_other_size_and_rate_interleave(run: Run, tmp_path: Path) -> None:
    first = barcode_video(tmp_path / "a.mp4", NTSC, 300)
    larger = (barcode(1000 + n, (512, 288)) for n in range(300))
    second = encode(tmp_path / "b.mp4", larger, Fraction(25), size=(512, 288))
    sources = [footage(run, first), footage(run, second)]
    clips = [
        clip
        for pair in zip(
            random_clips(0, 300, 19, seed=3), random_clips(1, 350, 19, seed=4), strict=True
        )
        for clip in pair
    ]
    expected = [
        frame if clip.source == 0 else 1000 + shown(frame, Fraction(25), NTSC, range(300))
        for clip in clips
        for frame in range(clip.source_in, clip.source_out)
    ]
    assert_frames(run, render_plan(sources, clips), tmp_path / "out.mp4", expected)


def flash_clips(cuts: int) -> list[Clip]:
    """Return clips around each flash, trimmed at random, so that every cut takes something out."""
    rnd = random.Random(6)
    return [
        Clip(0, n * FLASH_EVERY + rnd.randint(0, 6), (n + 1) * FLASH_EVERY - rnd.randint(1, 6))
        for n in range(cuts + 1)
    ]


@pytest.mark.parametrize(
    ("rate", "made", "finished"),
    [
        ("25", "in.mp4", "out.mov"),
        ("30000/1001", "in.mkv", "out.mkv"),
        ("30000/1001", "in.ts", "out.mp4"),
    ],
)
def test_sound_stays_with_the_picture_in_every_container(
    run: Run, tmp_path: Path, rate: str, made: str, finished: str
) -> None:
    per_s = Fraction(rate)
    source = footage(run, flash_video(tmp_path / made, per_s, 201))
    plan = render_plan([source], flash_clips(200), sound=SOUND)
    film(run, plan, tmp_path / finished)
    assert_in_sync(tmp_path / finished, per_s, 201)


def test_footage_cut_by_an_edit_list_stays_in_sync(run: Run, tmp_path: Path) -> None:
    whole = flash_video(tmp_path / "whole.mp4", NTSC, 60)
    options = ("-avoid_negative_ts", "disabled")
    path = remux(whole, tmp_path / "in.mp4", *options, before=("-ss", "1.2"))
    source = footage(run, path)
    assert source.video is not None
    seen = [round(at_s * NTSC) for at_s, _ in flash_offsets_s(path, NTSC)]
    clips = [Clip(0, max(0, at - 6), at + 7) for at in seen[:-1]]
    film(run, render_plan([source], clips, sound=SOUND), tmp_path / "out.mp4")
    assert_in_sync(tmp_path / "out.mp4", NTSC, len(clips))


def assert_in_sync(path: Path, rate: Fraction, flashes: int) -> None:
    """Each beep must lie in the middle of its flash, at the end of the film as at its start."""
    measured = np.array(flash_offsets_s(path, rate))
    assert len(measured) == flashes
    at_s, offset_s = measured.T
    assert np.abs(offset_s).max() <= 0.5 / float(rate)
    growth_s = np.polyfit(at_s, offset_s, 1)[0] * (at_s[-1] - at_s[0])
    assert abs(growth_s) <= 0.001


def words_along(frames: int, every: int) -> tuple[Cue, ...]:
    """Return cues of three words each that follow one another along a film."""
    return tuple(
        Cue(
            start,
            start + 3 * every,
            (
                tuple(
                    CueWord(text, start + n * every, start + (n + 1) * every)
                    for n, text in enumerate(("One", "by", "Wörd"))
                ),
            ),
        )
        for start in range(5, frames - 3 * every, 4 * every)
    )


@pytest.fixture
def layered(run: Run, numbered: Path, tmp_path: Path) -> RenderPlan:
    """Return a plan of two sources with zoom and subtitles; the second cannot be seeked in."""
    second = remux(
        barcode_video(tmp_path / "b.mp4", Fraction(25), 200),
        *(tmp_path / "b.ts", "-output_ts_offset", "7"),
    )
    sources = [footage(run, numbered), footage(run, second)]
    clips = [
        Clip(0, 70, 130),
        Clip(1, 30, 71),
        Clip(0, 131, 180),
        Clip(0, 300, 350),
        Clip(1, 99, 130),
    ]
    frames = sum(clip.frames for clip in clips)
    canvas = render_plan(sources, clips).canvas
    style = subtitle_style(SubtitleSettings(), canvas.width_px, canvas.height_px)
    zoom = ZoomLayer(
        (ZoomSpan(0, 101, 1, 1.2), ZoomSpan(101, frames, 2, 1.35)),
        (FocusPoint(0, 0.3, 0.4), FocusPoint(57, 0.62, 0.5), FocusPoint(160, 0.4, 0.2)),
    )
    return render_plan(
        sources,
        clips,
        zoom=zoom,
        subtitles=SubtitleLayer(style, words_along(frames, 9)),
        min_chunk_frames=20,
        max_chunk_frames=60,
    )


def hashes(run: Run, plan: RenderPlan, borders: Sequence[int]) -> list[str]:
    parts = chunks(plan, tuple(borders))
    return [
        line for part in parts for line in frame_hashes(run, plan, part, run.store.work_folder())
    ]


def test_one_piece_or_many_draw_the_same_frames(run: Run, layered: RenderPlan) -> None:
    frames = layered.timeline.frames
    whole = hashes(run, layered, (0, frames))
    assert len(whole) == frames
    assert len(set(whole)) > frames * 0.9
    own = chunk_borders(layered)
    assert len(own) > 4
    assert hashes(run, layered, own) == whole
    for seed in range(3):
        inner = random.Random(seed).sample(range(1, frames), 6)
        assert hashes(run, layered, (0, *sorted(inner), frames)) == whole
    # Right before, on and behind frames where a word lights up.
    assert hashes(run, layered, (0, 13, 14, 15, 22, 23, 24, frames)) == whole


def test_every_layer_takes_part_in_the_hashes(run: Run, layered: RenderPlan) -> None:
    whole = hashes(run, layered, (0, 60))
    assert hashes(run, replace(layered, zoom=None), (0, 60)) != whole
    assert hashes(run, replace(layered, subtitles=None), (0, 60)) != whole


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_the_same_plan_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    path = flash_video(tmp_path / "in.mp4", NTSC, 30)
    films = []
    for number in range(2):
        run = Run({}, ProcessingCache(tmp_path / f"store{number}"))
        plan = render_plan([footage(run, path)], flash_clips(29), sound=SOUND)
        output = tmp_path / f"out{number}{suffix}"
        film(run, plan, output)
        films.append(output.read_bytes())
    assert films[0] == films[1]


def test_the_same_chunk_and_sound_give_the_same_bytes(
    run: Run, layered: RenderPlan, tmp_path: Path
) -> None:
    part = chunks(layered)[1]
    first, second = (next(drawn(run, layered, [part])) for _ in range(2))
    assert first.read_bytes() == second.read_bytes()
    source = footage(run, flash_video(tmp_path / "in.mp4", NTSC, 30))
    plan = render_plan([source], flash_clips(29), sound=SOUND)
    heard = [draw_sound(run, plan, SOUND, run.store.work_folder()) for _ in range(2)]
    assert heard[0].read_bytes() == heard[1].read_bytes()
