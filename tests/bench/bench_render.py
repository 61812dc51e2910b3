"""What rendering costs, beside a plain transcode and over the length of the film."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from tasks.analysis.faces import FaceTrack, SubjectPoint
from tasks.analysis.transcript import Word
from tasks.layers.placing import timeline_words
from tasks.layers.subtitles import subtitle_layer
from tasks.layers.zoom import zoom_layer
from tasks.media import ffmpeg
from tasks.media.fonts import measure
from tasks.media.probe import probe
from tasks.media.store import ProcessingCache
from tasks.media.usage import PeakMemory, cpu_s
from tasks.render.chunks import chunks
from tasks.render.plan import RenderPlan, canvas_for, encoding_for
from tasks.render_chunk import draw_chunk
from tasks.run import Run
from tasks.settings import RenderSettings, SubtitleSettings, ZoomSettings
from tasks.timeline.model import Clip, Source, Timeline
from tests.builders import SAMPLE, barcode_video, render_plan

FRAMES = 300
ROUNDS = 3

CPU_BAR = 1.4
"""CPU per output frame, whole render with zoom and subtitles, over a plain transcode."""
MEMORY_BAR_MB = 2000
LENGTH_BAR = 1.1
"""Peak memory of a film six times as long."""


def layered_plan(source: Source) -> RenderPlan:
    """Return a plan of the first frames of a source, with zoom and a word every 0.4 s."""
    settings = RenderSettings()
    canvas = canvas_for([source], settings)
    timeline = Timeline(canvas.rate, (Clip(0, 0, FRAMES),))
    track = FaceTrack((SubjectPoint(0.0, 0.3, 0.4, 0.25),))
    seconds = FRAMES / float(canvas.rate)
    words = [Word(f"word{n}", n * 0.4, n * 0.4 + 0.35) for n in range(int(seconds / 0.4))]
    layer = subtitle_layer(
        timeline_words([words], timeline, [source]),
        canvas.rate,
        SubtitleSettings(),
        width_px=canvas.width_px,
        height_px=canvas.height_px,
        measure=measure,
        timeline_frames=FRAMES,
    )
    zoom = zoom_layer(timeline, [source], [track], canvas, ZoomSettings())
    encoding = encoding_for(settings, canvas.rate)
    return RenderPlan((source,), canvas, timeline, (), zoom, layer, None, encoding, 240, 9000)


def plain_cpu_s(path: Path, plan: RenderPlan, folder: Path) -> float:
    """Return the CPU seconds of a plain transcode with the same encoder settings."""
    before_s = cpu_s()
    encoding = plan.encoding
    arguments = [
        *("-y", "-i", str(path), "-frames:v", str(FRAMES), "-an", "-c:v", encoding.encoder),
        *("-preset", encoding.preset, "-crf", f"{encoding.quality:g}"),
        *("-threads", str(encoding.threads), "-g", str(encoding.key_frames)),
        *("-pix_fmt", "yuv420p", str(folder / "plain.mp4")),
    ]
    ffmpeg.run(arguments, folder=folder)
    return cpu_s() - before_s


def render_cpu_s(path: Path, plan: RenderPlan, folder: Path) -> float:
    """Return the CPU seconds of drawing and encoding the plan."""
    source = plan.sources[0]
    run = Run({source.digest: path}, ProcessingCache(folder / "store"))
    before_s = cpu_s()
    for number, chunk in enumerate(chunks(plan)):
        work = folder / f"chunk{number}"
        work.mkdir()
        draw_chunk(run, plan, chunk, work)
    return cpu_s() - before_s


def drawn_losslessly(path: Path, plan: RenderPlan, folder: Path) -> Path:
    """Return the plan's pictures, zoomed and subtitled, in a file without loss.

    Moving pictures cost an encoder more than still ones. A transcode of this file tells that share
    from what finecut's own work costs.
    """
    work = folder / "lossless"
    work.mkdir()
    encoding = replace(plan.encoding, preset="ultrafast", quality=0.0)
    whole = replace(plan, encoding=encoding)
    run = Run({plan.sources[0].digest: path}, ProcessingCache(folder / "store"))
    return draw_chunk(run, whole, chunks(whole, (0, FRAMES))[0], work)


def bench_cpu_beside_a_plain_transcode(tmp_path: Path) -> None:
    plan = layered_plan(probe(SAMPLE))
    drawn = drawn_losslessly(SAMPLE, plan, tmp_path)
    rows = []
    for number in range(ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        footage_s = plain_cpu_s(SAMPLE, plan, folder)
        same_s = plain_cpu_s(drawn, plan, folder)
        rows.append((footage_s, same_s, render_cpu_s(SAMPLE, plan, folder)))
    footage_s, same_s, ours_s = (statistics.median(column) for column in zip(*rows, strict=True))
    for name, cost_s in (("footage", footage_s), ("zoomed pictures", same_s), ("render", ours_s)):
        print(f"{name}: {1000 * cost_s / FRAMES:.1f} ms of CPU a frame")
    print(f"over a transcode of the footage: {ours_s / footage_s:.2f} (bar {CPU_BAR})")
    print(f"over a transcode of the pictures that are drawn: {ours_s / same_s:.2f}")

    assert ours_s / footage_s <= CPU_BAR


def peak_of_render_mb(path: Path, frames: int, folder: Path) -> float:
    """Return the peak memory of rendering a film with a cut every 4 s, in a process of its own."""
    code = (
        "import sys; from tests.bench.bench_render import report_peak; report_peak(*sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(frames), str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return float(done.stdout.splitlines()[-1])


def report_peak(path: str, frames: str, folder: str) -> None:
    """Render, and print the peak memory in MB."""
    source = probe(Path(path))
    clips = [Clip(0, at, at + 114) for at in range(0, int(frames) - 120, 120)]
    plan = render_plan([source], clips)
    run = Run({source.digest: Path(path)}, ProcessingCache(Path(folder) / "store"))
    memory = PeakMemory()
    for number, chunk in enumerate(chunks(plan)):
        work = Path(folder) / str(number)
        work.mkdir()
        draw_chunk(run, plan, chunk, work)
    print(memory.stop() / 2**20)


def bench_memory_over_length(tmp_path: Path) -> None:
    peaks = {}
    for minutes in (5, 30):
        folder = tmp_path / str(minutes)
        folder.mkdir()
        frames = minutes * 60 * 30
        path = barcode_video(folder / "film.mp4", Fraction(30), frames)
        peaks[minutes] = peak_of_render_mb(path, frames, folder)
        print(f"{minutes} min: {peaks[minutes]:.0f} MB at most")

    assert peaks[30] <= LENGTH_BAR * peaks[5]


def bench_memory_of_a_whole_edit(tmp_path: Path) -> None:
    film = tmp_path / "talk1080.mp4"
    size = "scale=1920:1080:flags=bicubic"
    ffmpeg.run(
        ["-i", str(SAMPLE), "-t", "30", "-vf", size, "-preset", "veryfast", str(film)],
        folder=tmp_path,
    )
    done = subprocess.run(
        [sys.executable, "-m", "deployments.cli.main", "edit", str(film), "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "FINECUT_CACHE": str(tmp_path / "store")},
    )
    summary = json.loads(done.stdout)["summary"]
    print(f"1080p: {summary['peak_memory_mb']} MB, {summary['wall_s']} s, {summary['cpu_s']} s CPU")

    assert summary["peak_memory_mb"] <= MEMORY_BAR_MB
