"""One piece or many, once or twice: the same pictures, the same bytes."""

from __future__ import annotations

import random
import secrets
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tasks.analysis.faces import FaceTrack, SubjectPoint
from tasks.analysis.transcript import Word
from tasks.errors import VerificationFailed
from tasks.join_film import joined
from tasks.keys import chunk_key
from tasks.layers.broll import BrollLayer, BrollWindow
from tasks.layers.placing import timeline_words
from tasks.layers.subtitles import subtitle_layer
from tasks.layers.zoom import zoom_layer
from tasks.media.fonts import measure
from tasks.render.chunks import chunks
from tasks.render.plan import RenderPlan
from tasks.render_chunk import frame_hashes
from tasks.run import Run
from tasks.settings import SubtitleSettings, ZoomSettings
from tasks.timeline.model import Clip
from tests.builders import (
    barcode,
    barcode_video,
    drawn,
    encode,
    footage,
    remux,
    render_plan,
)


def layered(
    run: Run, folder: Path, clips: list[Clip] | None = None, frames: int = 700
) -> RenderPlan:
    """Return a plan over two sources with a zoom and subtitles; b-roll is for `with_broll`."""
    paths = [
        barcode_video(folder / "a.mp4", Fraction(30000, 1001), frames),
        barcode_video(folder / "b.mkv", Fraction(25), 200),
    ]
    sources = [footage(run, path) for path in paths]
    chosen = clips or [
        *(Clip(0, at, at + 37) for at in range(0, 420, 50)),
        Clip(1, 10, 60),
        *(Clip(0, at, at + 61) for at in range(430, 680, 70)),
    ]
    plan = render_plan(sources, chosen)
    track = FaceTrack(tuple(SubjectPoint(n / 2, 0.3 + n % 5 / 20, 0.4, 0.2) for n in range(50)))
    zoom = zoom_layer(
        plan.timeline, sources, [track, FaceTrack(())], plan.canvas, ZoomSettings(max=1.3)
    )
    words = [Word(f"word{n}", n * 0.4, n * 0.4 + 0.37) for n in range(55)]
    layer = subtitle_layer(
        timeline_words([words, []], plan.timeline, sources),
        plan.timeline.rate,
        SubtitleSettings(),
        width_px=plan.canvas.width_px,
        height_px=plan.canvas.height_px,
        measure=measure,
        timeline_frames=plan.timeline.frames,
    )
    return render_plan(sources, chosen, zoom=zoom, subtitles=layer)


def with_broll(run: Run, folder: Path, plan: RenderPlan, draw: random.Random) -> RenderPlan:
    """Return a plan with random windows of three clips, one of which cannot be seeked in."""
    small = (barcode(n, (160, 120)) for n in range(300))
    paths = [
        barcode_video(folder / "25.mp4", Fraction(25), 300),
        encode(folder / "small.mp4", small, Fraction(24000, 1001), size=(160, 120)),
        remux(barcode_video(folder / "c.mp4", Fraction(30), 300), folder / "c.ts"),
    ]
    edges = sorted(draw.sample(range(plan.timeline.frames + 1), 14))
    windows = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        fade = draw.choice([0, 1, draw.randint(0, 12)])
        length = min(end - start, 120)
        window = BrollWindow(
            *(start, start + length, draw.randrange(3), draw.randint(0, 150)),
            fade_frames=min(fade, length // 2),
        )
        windows.append(window)
    assets = tuple(footage(run, path) for path in paths)
    return replace(plan, assets=assets, broll=BrollLayer(tuple(windows)))


@pytest.mark.parametrize("seed", range(3))
def test_frames_with_every_layer_are_the_same_in_one_piece_or_many(
    run: Run, tmp_path: Path, seed: int
) -> None:
    """Chunks that end right before, in and behind fades are among them."""
    draw = random.Random(seed)
    plan = with_broll(run, tmp_path, layered(run, tmp_path), draw)
    end = plan.timeline.frames
    assert plan.broll is not None

    whole = hashes(run, plan, (0, end), tmp_path)

    assert len(whole) == end
    assert whole != hashes(run, replace(plan, broll=None), (0, end), tmp_path)
    assert hashes(run, plan, None, tmp_path) == whole
    edges = {
        edge + off
        for window in plan.broll.windows
        for edge in (window.start_frame, window.end_frame - window.fade_frames)
        for off in (0, 1)
    }
    for borders in (
        draw.sample(range(1, end), 1),
        draw.sample(range(1, end), 6),
        draw.sample(sorted(edges - {0, end}), 8),
    ):
        assert hashes(run, plan, (0, *sorted(borders), end), tmp_path) == whole


def hashes(run: Run, plan: RenderPlan, borders: tuple[int, ...] | None, folder: Path) -> list[str]:
    """Return the hash of each frame that would reach the encoder."""
    out = []
    for part in chunks(plan, borders):
        work = folder / secrets.token_hex(4)
        work.mkdir()
        out += frame_hashes(run, plan, part, work)
    return out


def test_frames_are_the_same_in_one_piece_or_many(run: Run, tmp_path: Path) -> None:
    plan = layered(run, tmp_path)
    end = plan.timeline.frames
    draw = random.Random(3)

    whole = hashes(run, plan, (0, end), tmp_path)

    assert len(whole) == end
    assert len(set(whole)) > end * 0.9
    assert hashes(run, plan, None, tmp_path) == whole
    for pieces in (2, 7):
        borders = (0, *sorted(draw.sample(range(1, end), pieces - 1)), end)
        assert hashes(run, plan, borders, tmp_path) == whole


def test_the_same_plan_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    plan = layered(run, tmp_path)
    films = []
    for number in range(2):
        files = list(drawn(run, plan, chunks(plan)))
        for suffix in (".mp4", ".mkv", ".mov"):
            film = tmp_path / f"film{number}{suffix}"
            assert all(c.ok for c in joined(run, plan, chunks(plan), files, None, film))
        films.append(
            [(tmp_path / f"film{number}{s}").read_bytes() for s in (".mp4", ".mkv", ".mov")]
        )

    assert films[0] == films[1]


def test_a_missing_frame_fails_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    plan = layered(run, tmp_path)
    parts = chunks(plan)
    files = list(drawn(run, plan, parts))
    swapped = [files[-1], *files[1:]]

    with pytest.raises(VerificationFailed):
        joined(run, plan, parts, swapped, None, tmp_path / "out" / "film.mp4")

    assert list((tmp_path / "out").iterdir()) == []


def test_an_early_cut_leaves_later_chunks_alone(run: Run, tmp_path: Path) -> None:
    clips = [Clip(0, at, at + 41) for at in range(0, 2950, 49)]
    before = layered(run, tmp_path, clips, frames=3000)
    after = layered(run, tmp_path, clips[:1] + clips[2:], frames=3000)

    keys = [chunk_key(before, part).digest for part in chunks(before)]
    kept = {chunk_key(after, part).digest for part in chunks(after)}

    assert len(keys) > 12
    assert sum(key not in kept for key in keys) <= 4
    assert keys[-1] in kept
