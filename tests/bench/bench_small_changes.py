"""What a small change costs beside the whole film: chunks, wall time and CPU of `finecut render`.

The talk is the sample, ten times over (`FINECUT_TALK` names another one). It is analysed once; each
row renders a plan that differs from the first one by one decision.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from flows.analyze import analyze
from tasks.analysis.faces import FaceTrack, SubjectPoint
from tasks.analysis.transcript import Word
from tasks.build_timeline import build_timeline
from tasks.engine import without_prefect
from tasks.layers.broll import BrollLayer, BrollWindow
from tasks.media import ffmpeg
from tasks.media.probe import probe
from tasks.media.store import ProcessingCache
from tasks.plan_render import Decided, plan_render
from tasks.render.plan import RenderPlan
from tasks.render.report import plan_document
from tasks.run import Held, Run
from tasks.settings import EditSettings
from tasks.timeline.model import Clip, Timeline
from tests.builders import SAMPLE

ROOT = Path(__file__).parents[2]

WORD_BAR, SENTENCE_BAR = 0.03, 0.05
"""CPU of one changed word and of one deleted sentence, as parts of the whole render's."""
MEMORY_BAR = 1.1
"""Peak memory of a film six times as long."""
PLAIN_BAR = 1.4
"""CPU per output frame over a plain transcode of the footage with the same encoder settings."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one render cost."""

    chunks: int
    rendered: int
    wall_s: float
    cpu_s: float
    """Of the whole process, its start included."""
    peak_mb: float
    frames: int


def rendered(plan: RenderPlan, footage: Path, folder: Path) -> Row:
    """Render a plan with the command, in a process of its own."""
    (folder / "plan.json").write_text(json.dumps(plan_document(plan)))
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deployments.cli.main", "render", str(folder / "plan.json")),
            *("--footage", str(footage.parent), "-o", str(folder / "film.mp4"), "--json"),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "FINECUT_CACHE": str(folder / "store"), "PREFECT_API_URL": ""},
    )
    wall_s = time.monotonic() - start_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    summary = json.loads(done.stdout)["summary"]
    return Row(
        summary["chunks"],
        summary["chunks_rendered"],
        wall_s,
        cpu_s,
        summary["peak_memory_mb"],
        summary["frames"],
    )


def print_rows(rows: dict[str, Row]) -> None:
    whole = next(iter(rows.values()))
    print("| change | chunks rendered | wall | CPU | of the whole |\n|---|---|---|---|---|")
    for name, row in rows.items():
        print(
            f"| {name} | {row.rendered} of {row.chunks} | {row.wall_s:.1f} s | {row.cpu_s:.1f} s "
            f"| {100 * row.cpu_s / whole.cpu_s:.1f} % |"
        )


def other_word(plan: RenderPlan, number: int) -> RenderPlan:
    """Return a plan with another first word in one cue."""
    assert plan.subtitles is not None
    cues = list(plan.subtitles.cues)
    first, *rest = cues[number].lines[0]
    line = (replace(first, text="Finecut"), *rest)
    cues[number] = replace(cues[number], lines=(line, *cues[number].lines[1:]))
    return replace(plan, subtitles=replace(plan.subtitles, cues=tuple(cues)))


def made_of(decided: Decided, settings: EditSettings, folder: Path) -> RenderPlan:
    """Return the plan of what was decided."""
    run = Run({}, ProcessingCache(folder / "store"))
    return plan_render.fn(run, Held(decided), settings, None).value


def without_clip(decided: Decided, gone: int) -> Decided:
    clips = decided.timeline.clips
    left = tuple(clip for number, clip in enumerate(clips) if number != gone)
    return replace(decided, timeline=Timeline(decided.timeline.rate, left))


def with_broll(plan: RenderPlan, clips: Sequence[Path], shown: int) -> RenderPlan:
    """Return a plan with three windows of b-roll, the middle one showing one of two clips."""
    assets = tuple(probe(path) for path in clips)
    windows = []
    for number, share in enumerate((0.2, 0.5, 0.8)):
        start = round(plan.timeline.frames * share)
        asset = shown if number == 1 else 0
        windows.append(BrollWindow(start, start + 75, asset, 10, 6))
    return replace(plan, assets=assets, broll=BrollLayer(tuple(windows)))


def broll_clips(folder: Path) -> list[Path]:
    """Return two moving clips of ten seconds."""
    made = []
    for number, picture in enumerate(("testsrc2", "mandelbrot")):
        path = folder / f"broll{number}.mp4"
        source = f"{picture}=s=1280x720:r=25"
        ffmpeg.run(
            ["-f", "lavfi", "-i", source, "-t", "10", "-pix_fmt", "yuv420p", str(path)],
            folder=folder,
        )
        made.append(path)
    return made


def changes(
    decided: Decided, settings: EditSettings, clips: Sequence[Path], folder: Path
) -> dict[str, Callable[[], RenderPlan]]:
    """Return the plan of each row by its name; the first is the whole film."""
    rng = random.Random(7)
    plain = made_of(decided, settings, folder)
    plan = with_broll(plain, clips, 0)
    assert plan.subtitles is not None
    words = rng.sample(range(len(plan.subtitles.cues)), 3)
    sentences = rng.sample(range(1, len(decided.timeline.clips) - 1), 3)
    nearer = settings.model_copy(
        update={"zoom": settings.zoom.model_copy(update={"max": settings.zoom.max + 0.1})}
    )
    # B-roll lies at other places of a shorter film: sentences are taken out of the film without.
    return {
        "whole film": lambda: plan,
        "nothing": lambda: plan,
        **{f"one word ({n})": lambda n=n: other_word(plan, n) for n in words},
        "one b-roll clip": lambda: with_broll(plain, clips, 1),
        "zoom.max": lambda: with_broll(made_of(decided, nearer, folder), clips, 0),
        "without b-roll": lambda: plain,
        **{
            f"one sentence ({n})": lambda n=n: made_of(without_clip(decided, n), settings, folder)
            for n in sentences
        },
    }


def talk(folder: Path) -> Path:
    """Return a talk of ten minutes."""
    named = os.environ.get("FINECUT_TALK")
    if named:
        return Path(named)
    path = folder / "talk.mp4"
    ffmpeg.run(
        [
            *("-stream_loop", "9", "-i", str(SAMPLE), "-map", "0:v", "-map", "0:a"),
            *("-c:v", "copy", "-c:a", "aac", str(path)),
        ],
        folder=folder,
    )
    return path


def decided_by_analysis(path: Path, settings: EditSettings, folder: Path) -> Decided:
    run = Run({}, ProcessingCache(folder / "store"))

    def decide() -> Decided:
        found = analyze(run, [path], settings)
        cut = build_timeline.fn(run, Held(found.sources), Held(found.heard), settings).value
        words = tuple(heard.words if heard else () for heard in found.heard)
        return Decided(found.sources, cut.timeline, cut.cuts, words, found.faces)

    return without_prefect(decide, 3)


def plain_cpu_s_per_frame(path: Path, plan: RenderPlan, folder: Path, frames: int = 1500) -> float:
    """Return the CPU seconds a frame of a plain transcode with the same encoder settings."""
    encoding = plan.encoding
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ffmpeg.run(
        [
            *("-i", str(path), "-frames:v", str(frames), "-an", "-c:v", encoding.encoder),
            *("-preset", encoding.preset, "-crf", f"{encoding.quality:g}"),
            *("-threads", str(encoding.threads), "-g", str(encoding.key_frames)),
            *("-pix_fmt", "yuv420p", str(folder / "plain.mp4")),
        ],
        folder=folder,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / frames


def bench_a_talk_of_ten_minutes(tmp_path: Path) -> None:
    settings = EditSettings()
    path, clips = talk(tmp_path), broll_clips(tmp_path)
    decided = decided_by_analysis(path, settings, tmp_path)
    rows = {}
    for name, plan in changes(decided, settings, clips, tmp_path).items():
        rows[name] = rendered(plan(), path, tmp_path)
        print(f"{name}: {rows[name]}", flush=True)
    print_rows(rows)
    whole = rows["whole film"]
    plain_s = plain_cpu_s_per_frame(path, made_of(decided, settings, tmp_path), tmp_path)
    ours_s = whole.cpu_s / whole.frames
    print(f"CPU a frame: {1000 * ours_s:.1f} ms; a plain transcode {1000 * plain_s:.1f} ms")
    print(f"over a plain transcode: {ours_s / plain_s:.2f} (bar {PLAIN_BAR})")

    assert rows["nothing"].rendered == 0
    for name, row in rows.items():
        if name.startswith("one word"):
            assert row.cpu_s <= WORD_BAR * whole.cpu_s, name
        if name.startswith("one sentence"):
            assert row.cpu_s <= SENTENCE_BAR * whole.cpu_s, name
            assert row.rendered <= 4
    assert ours_s / plain_s <= PLAIN_BAR


SMALL = (320, 180)


def small_talk(minutes: int, folder: Path) -> tuple[Path, Decided]:
    """Return footage of some minutes at a small size, and what is decided about it by the dice."""
    path = folder / f"small{minutes}.mp4"
    width, height = SMALL
    ffmpeg.run(
        [
            *("-stream_loop", "-1", "-i", str(SAMPLE), "-t", str(minutes * 60)),
            *("-vf", f"scale={width}:{height}", "-preset", "ultrafast", "-c:a", "aac", str(path)),
        ],
        folder=folder,
        stall_s=600,
    )
    source, rng = probe(path), random.Random(minutes)
    at, clips, words = 10, [], []
    while at < minutes * 60 * 30 - 300:
        length = rng.randint(45, 180)
        clips.append(Clip(0, at, at + length))
        said_s = at / 30 + 0.1
        while said_s < (at + length) / 30 - 0.4:
            words.append(Word(rng.choice(["so", "editing", "a", "film"]), said_s, said_s + 0.3))
            said_s = round(said_s + 0.35, 3)
        at += length + rng.randint(15, 90)
    face = FaceTrack(tuple(SubjectPoint(float(n), 0.4, 0.4, 0.25) for n in range(minutes * 60)))
    timeline = Timeline(Fraction(30), tuple(clips))
    return path, Decided((source,), timeline, (), (tuple(words),), (face,))


def bench_an_hour_beside_ten_minutes(tmp_path: Path) -> None:
    settings, peaks_mb = EditSettings(), {}
    for minutes in (10, 60):
        folder = tmp_path / str(minutes)
        folder.mkdir()
        path, decided = small_talk(minutes, folder)
        plan = made_of(decided, settings, folder)
        middle = len(decided.timeline.clips) // 2
        plans = {
            "whole film": plan,
            "nothing": plan,
            "one word": other_word(plan, middle),
            "one sentence": made_of(without_clip(decided, middle), settings, folder),
        }
        rows = {name: rendered(each, path, folder) for name, each in plans.items()}
        peaks_mb[minutes] = rows["whole film"].peak_mb
        print(f"{minutes} min at {SMALL}, {rows['whole film'].frames} frames")
        print_rows(rows)
        print(f"peak memory {peaks_mb[minutes]:.0f} MB")

    assert peaks_mb[60] <= MEMORY_BAR * peaks_mb[10]
