"""The film's sound: one continuous, sample-exact render, encoded once."""

from __future__ import annotations

from pathlib import Path

from tasks.caching import Made, Stored, stored
from tasks.keys import Key, sound_key
from tasks.media.soundtrack import encode_aac, rendered_blocks
from tasks.render.plan import RenderPlan, SoundPlan
from tasks.render.sound import sound_segments
from tasks.run import Run


def sound_samples(plan: RenderPlan, sound: SoundPlan) -> int:
    """Return the length of the film's sound in samples: where its last frame ends."""
    return plan.timeline.grid.sample_at(plan.timeline.frames, sound.sample_rate_hz)


def draw_sound(run: Run, plan: RenderPlan, sound: SoundPlan, folder: Path) -> Path:
    """Render and encode the whole sound into a folder."""
    segments = sound_segments(plan.timeline, plan.sources, sound.sample_rate_hz, sound.crossfade_s)
    blocks = rendered_blocks(
        segments,
        [run.footage[source.digest] for source in plan.sources],
        plan.sources,
        channels=sound.channels,
        rate_hz=sound.sample_rate_hz,
    )
    target = folder / "sound.m4a"
    encode_aac(
        run.stoppable(blocks),
        target,
        channels=sound.channels,
        bitrate=sound.bitrate_bps,
        rate_hz=sound.sample_rate_hz,
    )
    return target


def _key(_run: Run, plan: RenderPlan) -> Key:
    assert plan.sound is not None
    return sound_key(plan, plan.sound)


def _compute(run: Run, plan: RenderPlan, work: Path) -> Made:
    """Return where the film's encoded sound lies, held by the run."""
    assert plan.sound is not None
    return Made(None, {"sound": draw_sound(run, plan, plan.sound, work)})


render_sound = stored(Stored("sound", _key, _compute, lambda _, entry: entry.blobs["sound"]))
