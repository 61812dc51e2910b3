"""The law of sync: picture and sound meet at every cut within half a frame, with no drift."""

from __future__ import annotations

import random
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.render.plan import RenderPlan, SoundPlan
from tasks.render_sound import sound_samples
from tasks.run import Run
from tasks.timeline.model import Clip
from tests.builders import encode, film, footage, render_plan

SAMPLE_RATE_HZ = 48_000
EVERY = 12
"""A flash and a beep each this many frames."""
SIZE = (128, 96)


def flashing_film(folder: Path, rate: Fraction, frames: int, sample_rate_hz: int) -> Path:
    """Return footage whose every `EVERY`-th frame is white, with a click where it starts."""
    samples = np.zeros(int(frames / rate * sample_rate_hz) + sample_rate_hz, np.int16)
    for frame in range(0, frames, EVERY):
        at = round(Fraction(frame) / rate * sample_rate_hz)
        samples[at : at + 96] = 24_000 * np.sin(np.arange(96) * 2 * np.pi * 4000 / sample_rate_hz)
    with wave.open(str(folder / "clicks.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sample_rate_hz)
        out.writeframes(samples.tobytes())
    grey = np.full((SIZE[1], SIZE[0]), 60, np.uint8)
    white = np.full_like(grey, 235)
    pictures = (white if frame % EVERY == 0 else grey for frame in range(frames))
    sound = folder / "clicks.wav"
    return encode(folder / "film.mp4", pictures, rate, "-shortest", size=SIZE, sound=sound)


def flashes_s(film: Path) -> list[float]:
    """Return when each white frame of a film is presented."""
    with av.open(str(film)) as container:
        frames = container.decode(video=0)
        return [float(f.time) for f in frames if f.to_ndarray(format="gray").mean() > 180]


def clicks_s(film: Path) -> NDArray[np.float64]:
    """Return when each click of a film is heard: where its energy begins."""
    blocks: list[NDArray[np.float32]] = []
    with av.open(str(film)) as container:
        start_s = None
        for frame in container.decode(audio=0):
            start_s = float(frame.time) if start_s is None else start_s
            blocks.append(frame.to_ndarray()[0])
    loud = np.flatnonzero(np.abs(np.concatenate(blocks)) > 0.15)
    first = loud[np.insert(np.diff(loud) > SAMPLE_RATE_HZ // 100, 0, True)]
    return (start_s or 0.0) + first / SAMPLE_RATE_HZ


def finished(run: Run, plan: RenderPlan, folder: Path) -> Path:
    """Render pictures and sound into a verified film and return it."""
    film(run, plan, folder / "out.mp4")
    return folder / "out.mp4"


@pytest.mark.parametrize("rate", ["30000/1001", "25"])
@pytest.mark.parametrize("sample_rate_hz", [48_000, 44_100])
def test_200_cuts_stay_in_sync(run: Run, tmp_path: Path, rate: str, sample_rate_hz: int) -> None:
    """Each clip starts on a flash, so that every cut can be measured."""
    frames = 200 * EVERY * 2
    path = flashing_film(tmp_path, Fraction(rate), frames, sample_rate_hz)
    source = footage(run, path)
    draw = random.Random(7)
    clips = [
        Clip(0, at, at + draw.randrange(3, 2 * EVERY - 2)) for at in range(0, frames, 2 * EVERY)
    ]
    sound = SoundPlan(SAMPLE_RATE_HZ, 1, 192_000, 0.0)

    shot = finished(run, render_plan([source], clips, sound=sound), tmp_path)

    seen, heard = np.array(flashes_s(shot)), clicks_s(shot)
    assert len(seen) >= len(clips) == 200
    near = np.array([heard[np.argmin(np.abs(heard - at))] for at in seen])
    offset_s = near - seen
    half_frame_s = float(1 / Fraction(rate) / 2)
    assert np.abs(offset_s).max() < half_frame_s
    drift_s = np.polyfit(seen, offset_s, 1)[0] * (seen[-1] - seen[0])
    assert abs(drift_s) < 0.001


def test_the_sound_is_as_long_as_the_picture(run: Run, tmp_path: Path) -> None:
    path = flashing_film(tmp_path, Fraction(30000, 1001), 300, 44_100)
    source = footage(run, path)
    sound = SoundPlan(SAMPLE_RATE_HZ, 1, 96_000, 0.005)
    plan = render_plan([source], [Clip(0, 11, 101), Clip(0, 150, 290)], sound=sound)

    shot = finished(run, plan, tmp_path)

    with av.open(str(shot)) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0))
    assert 0 <= heard - sound_samples(plan, sound) < 1024
