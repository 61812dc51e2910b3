"""The join and its verification: what is not as planned is found, and gets no final name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from tasks.errors import Interrupted, VerificationFailed
from tasks.join_film import joined
from tasks.media import ffmpeg
from tasks.media.join import join
from tasks.media.verify import verified
from tasks.render.chunks import Chunk, chunks
from tasks.render.graph import frame_ticks, track_timescale
from tasks.render.plan import RenderPlan, SoundPlan
from tasks.render_sound import draw_sound, sound_samples
from tasks.run import Run
from tasks.timeline.model import Check
from tests.builders import drawn, flash_video, footage, random_clips, remux, render_plan

RATE = Fraction(30000, 1001)
SOUND = SoundPlan(48_000, 1, 128_000, 0.005)


class Parts:
    """A plan with its chunks drawn, to be joined as planned or otherwise."""

    def __init__(self, run: Run, folder: Path) -> None:
        source = footage(run, flash_video(folder / "in.mp4", RATE, 18))
        self.run = run
        self.plan: RenderPlan = render_plan(
            [source], random_clips(0, 360, 12, seed=1), sound=SOUND, max_chunk_frames=90
        )
        self.chunks: Sequence[Chunk] = chunks(self.plan)
        self.files = list(drawn(run, self.plan, self.chunks))
        self.sound = draw_sound(run, self.plan, SOUND, run.store.work_folder())

    def joined(self, output: Path) -> tuple[Check, ...]:
        return joined(self.run, self.plan, self.chunks, self.files, self.sound, output)

    def failed(self, path: Path) -> set[str]:
        """Return which checks a file fails that should be this film."""
        borders = [*(chunk.start_frame for chunk in self.chunks), self.plan.timeline.frames]
        planned = (sound_samples(self.plan, SOUND), 48_000)
        return {c.check for c in verified(path, self.plan.canvas, borders, planned) if not c.ok}


@pytest.fixture
def parts(run: Run, tmp_path: Path) -> Parts:
    return Parts(run, tmp_path)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".m4v"])
def test_a_film_as_planned_passes_every_check(parts: Parts, tmp_path: Path, suffix: str) -> None:
    checks = parts.joined(tmp_path / f"out{suffix}")

    assert len(checks) == 10
    assert all(check.ok for check in checks)


def drop_a_chunk(parts: Parts) -> None:
    parts.chunks, parts.files = parts.chunks[:-1], parts.files[:-1]


def swap_chunks(parts: Parts) -> None:
    parts.files[0], parts.files[1] = parts.files[1], parts.files[0]


def cut_the_sound(parts: Parts) -> None:
    parts.sound = remux(parts.sound, parts.sound.with_name("short.m4a"), "-t", "3")


def delay_the_sound(parts: Parts) -> None:
    late = parts.sound.with_name("late.m4a")
    parts.sound = remux(parts.sound, late, "-output_ts_offset", "0.1")


def plan_another_size(parts: Parts) -> None:
    canvas = replace(parts.plan.canvas, width_px=66)
    parts.plan = replace(parts.plan, canvas=canvas)


@pytest.mark.parametrize(
    "spoil", [drop_a_chunk, swap_chunks, cut_the_sound, delay_the_sound, plan_another_size]
)
def test_what_is_not_as_planned_gets_no_final_name(
    parts: Parts, tmp_path: Path, spoil: Callable[[Parts], None]
) -> None:
    spoil(parts)
    folder = tmp_path / "out"

    with pytest.raises(VerificationFailed):
        parts.joined(folder / "film.mp4")

    assert list(folder.iterdir()) == []


def test_a_film_that_fails_leaves_the_one_before_it(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("before")
    drop_a_chunk(parts)

    with pytest.raises(VerificationFailed):
        parts.joined(tmp_path / "film.mp4")

    assert (tmp_path / "film.mp4").read_text() == "before"


SPOILED: dict[str, tuple[list[str], str]] = {
    "frames dropped": (["-c", "copy", "-frames:v", "100"], "frames"),
    "a hole": (
        ["-c:a", "copy", "-vf", "select='not(eq(n,50))'", "-fps_mode", "passthrough"],
        "each frame once, in order",
    ),
    "another step": (["-c", "copy", "-bsf:v", "setts=ts=TS+200*eq(N\\,50)"], "regular timestamps"),
    "key frames elsewhere": (
        ["-c:a", "copy", "-fps_mode", "passthrough", "-g", "1000", "-sc_threshold", "0"],
        "key frame at each border",
    ),
    "a smaller picture": (["-c:a", "copy", "-vf", "scale=32:24"], "picture size"),
    "a late picture": (["-c", "copy", "-bsf:v", "setts=ts=TS+3003"], "picture starts at 0"),
    "late sound": (
        ["-c", "copy", "-bsf:a", "setts=ts=TS+4800"],
        "sound starts with the picture, ms",
    ),
    "short sound": (["-c:v", "copy", "-af", "atrim=end=3"], "sound length in samples"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_each_check_finds_what_it_is_for(parts: Parts, tmp_path: Path, how: str) -> None:
    options, check = SPOILED[how]
    parts.joined(tmp_path / "film.mp4")
    assert parts.failed(tmp_path / "film.mp4") == set()
    timescale = ("-video_track_timescale", str(track_timescale(parts.plan.canvas)))

    ffmpeg.run(
        ["-i", "film.mp4", "-preset", "ultrafast", *options, *timescale, "spoiled.mp4"],
        folder=tmp_path,
    )

    assert check in parts.failed(tmp_path / "spoiled.mp4")


def test_a_damaged_picture_at_a_border_is_found(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    parts.joined(path)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 8
    data[start : start + 200] = bytes(200)
    path.write_bytes(bytes(data))

    assert "pictures at the borders decode" in parts.failed(path)


def test_a_film_without_sound_must_have_none(parts: Parts, tmp_path: Path) -> None:
    parts.joined(tmp_path / "film.mp4")
    borders = [*(chunk.start_frame for chunk in parts.chunks), parts.plan.timeline.frames]

    checks = verified(tmp_path / "film.mp4", parts.plan.canvas, borders, None)

    assert [check.check for check in checks if not check.ok] == ["no sound"]


def test_a_stopped_run_joins_nothing(parts: Parts, tmp_path: Path) -> None:
    parts.run.stop()

    with pytest.raises(Interrupted):
        parts.joined(tmp_path / "out" / "film.mp4")

    assert list((tmp_path / "out").iterdir()) == []


def test_a_chunk_with_other_frames_than_planned_is_refused(parts: Parts, tmp_path: Path) -> None:
    with pytest.raises(VerificationFailed, match="holds"):
        join(
            parts.files[:1],
            [parts.chunks[0].frames + 1],
            None,
            tmp_path / "film.mp4",
            frame_ticks=frame_ticks(parts.plan.canvas),
            timescale=track_timescale(parts.plan.canvas),
        )
