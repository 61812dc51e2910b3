"""A small change makes a small render: which chunks get new keys, and which frames differ."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tasks.analysis.faces import FaceTrack, SubjectPoint
from tasks.analysis.transcript import Word
from tasks.keys import chunk_key
from tasks.layers.broll import BrollLayer, BrollWindow
from tasks.layers.placing import timeline_words
from tasks.layers.subtitles import subtitle_layer
from tasks.layers.zoom import zoom_layer
from tasks.media.fonts import measure
from tasks.render.chunks import Chunk, chunks
from tasks.render.plan import RenderPlan
from tasks.render.why import differences
from tasks.render_chunk import frame_hashes
from tasks.run import Run
from tasks.settings import RenderSettings, SubtitleSettings, ZoomSettings
from tasks.timeline.marks import long_cuts
from tasks.timeline.model import Clip, Source
from tests.builders import barcode_video, footage, made_up_source, render_plan

RATE = Fraction(30)
SAID = "so the thing about editing is that you never notice when it was done well and I love it"


def talk(rng: random.Random, count: int, shortest: int, longest: int) -> list[Clip]:
    """Return sentences with pauses of half a second to four seconds cut out between them."""
    at, clips = rng.randint(5, 60), []
    for _ in range(count):
        length = rng.randint(shortest, longest)
        clips.append(Clip(0, at, at + length))
        at += length + rng.randint(15, 120)
    return clips


def words_in(rng: random.Random, clips: Sequence[Clip]) -> list[Word]:
    """Return what is said in clips; not every sentence ends in a full stop."""
    said: list[Word] = []
    for clip in clips:
        at_s, end_s = clip.source_in / 30 + 0.1, clip.source_out / 30 - 0.1
        while at_s < end_s - 0.15:
            length_s = min(rng.uniform(0.15, 0.5), end_s - at_s)
            word = rng.choice(SAID.split())
            said.append(Word(word, round(at_s, 3), round(at_s + length_s * 0.95, 3)))
            at_s += length_s
        if said:
            said[-1] = replace(said[-1], text=said[-1].text + rng.choice([".", ",", ""]))
    return said


def decided(sources: Sequence[Source], clips: Sequence[Clip], words: Sequence[Word]) -> RenderPlan:
    """Return the plan of some clips with zoom and subtitles, chunked as an edit does."""
    settings = RenderSettings()
    plan = render_plan(
        sources,
        clips,
        min_chunk_frames=round(settings.min_chunk * 30),
        max_chunk_frames=round(settings.max_chunk * 30),
    )
    face = FaceTrack(
        tuple(
            SubjectPoint(n / 2, 0.3 + n * 37 % 11 / 100, 0.4 + n * 17 % 7 / 100, 0.25)
            for n in range(2000)
        )
    )
    canvas, timeline = plan.canvas, plan.timeline
    return replace(
        plan,
        zoom=zoom_layer(timeline, sources, [face], canvas, ZoomSettings()),
        subtitles=subtitle_layer(
            timeline_words([words], timeline, sources),
            timeline.rate,
            SubtitleSettings(),
            width_px=canvas.width_px,
            height_px=canvas.height_px,
            measure=measure,
            timeline_frames=timeline.frames,
            jumps=sorted(long_cuts(timeline)),
        ),
    )


def keyed(plan: RenderPlan) -> dict[str, Chunk]:
    return {chunk_key(plan, part).digest: part for part in chunks(plan)}


@pytest.mark.parametrize(("shortest", "longest"), [(20, 90), (30, 180), (90, 240)])
def test_a_sentence_taken_out_makes_few_chunks_new(shortest: int, longest: int) -> None:
    source = made_up_source(rate=RATE)
    counts, shares = [], []
    for seed in range(3):
        rng = random.Random(seed)
        clips = talk(rng, 100, shortest, longest)
        words = words_in(rng, clips)
        before = decided([source], clips, words)
        known = keyed(before)
        for gone in rng.sample(range(100), 4):
            left = [clip for number, clip in enumerate(clips) if number != gone]
            new = [
                part
                for key, part in keyed(decided([source], left, words)).items()
                if key not in known
            ]
            counts.append(len(new))
            shares.append(sum(part.frames for part in new) / before.timeline.frames)

    assert statistics.median(counts) <= 2
    assert max(counts) <= 4
    assert statistics.median(shares) <= 0.05


def test_what_makes_a_chunk_new_is_named() -> None:
    source = made_up_source(rate=RATE)
    rng = random.Random(4)
    clips = talk(rng, 60, 30, 150)
    words = words_in(rng, clips)
    before, after = (decided([source], each, words) for each in (clips, clips[:30] + clips[31:]))
    known = {chunk_key(before, part).digest for part in chunks(before)}
    old = [chunk_key(before, part).fields for part in chunks(before)]

    keys = [chunk_key(after, part) for part in chunks(after)]
    new = [key for key in keys if key.digest not in known]
    assert new
    for key in new:
        told = [differences(fields, key.fields, lambda _: None) for fields in old]
        named = {change.field for changes in told for change in changes}
        assert all(told), "a new key that differs in nothing"
        assert named <= {"clips", "zoom", "subtitles"}


def test_a_chunk_that_moves_along_keeps_its_key() -> None:
    source = made_up_source(rate=RATE)
    rng = random.Random(9)
    clips = talk(rng, 100, 30, 150)
    words = words_in(rng, clips)
    before, after = (keyed(decided([source], each, words)) for each in (clips, clips[3:]))

    kept = before.keys() & after.keys()

    assert len(kept) >= len(after) - 3
    moved = {after[key].start_frame - before[key].start_frame for key in kept}
    assert moved == {-sum(clip.frames for clip in clips[:3])}


def test_one_word_changes_exactly_the_chunks_whose_frames_differ(run: Run, tmp_path: Path) -> None:
    """No chunk is stale, and none is rendered for nothing."""
    source = footage(run, barcode_video(tmp_path / "talk.mp4", RATE, 900))
    rng = random.Random(2)
    clips = [Clip(0, at, at + 50) for at in range(0, 900, 60)]
    plan = decided([source], clips, words_in(rng, clips))
    assert plan.subtitles is not None

    def drawn(of: RenderPlan) -> dict[str, tuple[str, ...]]:
        out = {}
        for key, part in keyed(of).items():
            work = run.store.work_folder()
            out[key] = tuple(frame_hashes(run, of, part, work))
        return out

    before = drawn(plan)
    for number in rng.sample(range(len(plan.subtitles.cues)), 3):
        cues = list(plan.subtitles.cues)
        lines = [list(line) for line in cues[number].lines]
        lines[0][0] = replace(lines[0][0], text="Finecut")
        cues[number] = replace(cues[number], lines=tuple(map(tuple, lines)))
        after = drawn(replace(plan, subtitles=replace(plan.subtitles, cues=tuple(cues))))

        pairs = list(zip(before.items(), after.items(), strict=True))
        assert [a[0] != b[0] for a, b in pairs] == [a[1] != b[1] for a, b in pairs]
        assert any(a[0] != b[0] for a, b in pairs)
        assert any(a[0] == b[0] for a, b in pairs)


def test_another_clip_of_b_roll_makes_exactly_the_chunks_that_it_touches_new(
    run: Run, tmp_path: Path
) -> None:
    """And so do a longer one and another fade: a chunk's key is new where its frames are."""
    talk = footage(run, barcode_video(tmp_path / "talk.mp4", RATE, 700))
    assets = [
        footage(run, barcode_video(tmp_path / f"{rate}.mp4", Fraction(rate), 300))
        for rate in (25, 24)
    ]
    plan = render_plan([talk], [Clip(0, 0, 300), Clip(0, 320, 700)], assets=tuple(assets))
    windows = [
        BrollWindow(40, 170, 0, 5, 6),
        BrollWindow(300, 350, 0, 60, 6),
        BrollWindow(500, 560, 0, 0, 0),
    ]
    borders = tuple(range(0, 681, 40))

    def drawn(of: Sequence[BrollWindow]) -> list[tuple[str, list[str], Chunk]]:
        given = replace(plan, broll=BrollLayer(tuple(of)))
        return [
            (
                chunk_key(given, part).digest,
                frame_hashes(run, given, part, run.store.work_folder()),
                part,
            )
            for part in chunks(given, borders)
        ]

    before = drawn(windows)
    for changed in (
        replace(windows[0], asset=1),
        replace(windows[0], end_frame=150),
        replace(windows[0], fade_frames=3),
        replace(windows[0], asset_in=90),
        replace(windows[0], start_frame=60, asset_in=25),
    ):
        after = drawn([changed, *windows[1:]])
        new = [a[0] != b[0] for a, b in zip(before, after, strict=True)]
        assert new == [a[1] != b[1] for a, b in zip(before, after, strict=True)]
        assert any(new)
        touched = [part.start_frame < 170 and part.end_frame > 40 for _, _, part in before]
        assert all(
            is_touched or not is_new for is_new, is_touched in zip(new, touched, strict=True)
        )
        if changed.asset == 1:
            assert new == touched
