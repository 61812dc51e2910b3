"""Samples lie where the footage says they lie, to the sample, from the file to the output."""

from __future__ import annotations

import subprocess
import wave
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.media.audio import (
    ANALYSIS_RATE_HZ,
    SampleReader,
    analysis_blocks,
    extract_analysis_audio,
    has_sound,
    iter_analysis,
    output_channels,
    read_analysis,
)
from tasks.media.probe import probe
from tasks.media.soundtrack import encode_aac, rendered_blocks
from tasks.render.sound import sound_segments
from tasks.timeline.model import Clip, Timeline

CLICKS_S = (0.5, 1.25, 3.125)
LENGTH_S = 4
RATE_HZ = 48_000
MAKERS = {
    "aac.mp4": ("aac", "libx264"),
    "aac.mkv": ("aac", "libx264"),
    "aac.ts": ("aac", "libx264"),
    "mp3.mp4": ("libmp3lame", "libx264"),
    "opus.webm": ("libopus", "libvpx"),
    "pcm.mov": ("pcm_s16le", "libx264"),
}


def pulse(t: np.ndarray, at_s: float) -> np.ndarray:
    """Return a click that lossy encoders keep: 2 kHz under a bell of about a millisecond."""
    bell: np.ndarray = 0.8 * np.exp(-(((t - at_s) / 6e-4) ** 2)) * np.cos(4000 * np.pi * (t - at_s))
    return bell


def clicks(rate_hz: int, length_s: float = LENGTH_S) -> np.ndarray:
    t = np.arange(int(length_s * rate_hz)) / rate_hz
    return np.sum([pulse(t, at_s) for at_s in CLICKS_S], axis=0)


def offset_s(sound: np.ndarray, at_s: float, rate_hz: int) -> float:
    """Return how far the energy about a moment lies from it."""
    middle, reach = round(at_s * rate_hz), rate_hz // 20
    power = sound[middle - reach : middle + reach].astype(np.float64) ** 2
    return float((power * np.arange(len(power))).sum() / power.sum() - reach) / rate_hz


def write_wav(path: Path, sound: np.ndarray, rate_hz: int) -> Path:
    """Write samples of shape (channels, n) as 16-bit PCM."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(len(sound))
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.rint(sound.T * 32767).astype("<i2").tobytes())
    return path


def ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)


def film(path: Path, sound: np.ndarray, rate_hz: int, codecs: tuple[str, str] = ("", "")) -> Path:
    """Write a small film with a sound; by default PCM in MKV."""
    wav = write_wav(path.with_suffix(".wav"), sound, rate_hz)
    audio, video = codecs[0] or "pcm_s16le", codecs[1] or "libx264"
    length_s = sound.shape[1] / rate_hz
    picture = f"color=s=64x64:r=30000/1001:d={length_s}"
    ffmpeg("-f", "lavfi", "-i", picture, "-i", wav, "-c:v", video, "-c:a", audio, path)
    return path


@pytest.mark.parametrize("rate_hz", [48_000, 44_100])
@pytest.mark.parametrize("name", MAKERS)
def test_a_click_is_where_it_was_recorded(tmp_path: Path, name: str, rate_hz: int) -> None:
    sound = np.stack([clicks(rate_hz)] * 2)
    path = film(tmp_path / name, sound, rate_hz, MAKERS[name])
    source = probe(path)
    assert source.video is not None
    late_s = float(source.video.start_s)  # MPEG-TS keeps the encoder's priming before the picture.
    for out_hz in (RATE_HZ, ANALYSIS_RATE_HZ):
        with SampleReader(path, source, out_hz) as reader:
            heard = reader.read(round(late_s * out_hz), LENGTH_S * out_hz)[0]
        for at_s in CLICKS_S:
            assert offset_s(heard, at_s, out_hz) == pytest.approx(0, abs=1e-4)


def test_reading_in_any_order_gives_the_same_samples(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 3 * 44_100))
    path = film(tmp_path / "a.mkv", noise, 44_100)
    source = probe(path)
    with SampleReader(path, source, RATE_HZ) as reader:
        whole = reader.read(-100, 4 * RATE_HZ)
        assert not whole[:, :100].any()
        assert not whole[:, 3 * RATE_HZ + 200 :].any()
        for start, count in ((100_000, 5_000), (99_000, 10), (-50, 300), (140_000, 30_000)):
            part = reader.read(start, count)
            assert np.array_equal(part, whole[:, start + 100 : start + 100 + count])


def test_late_sound_starts_late_and_a_hole_is_silent(tmp_path: Path) -> None:
    sound = 0.5 * np.ones((1, 4 * RATE_HZ))
    whole = film(tmp_path / "whole.mkv", sound, RATE_HZ)
    path = tmp_path / "holes.mkv"
    lost_ms, kept_ms = [], []
    with av.open(str(whole)) as read, av.open(str(path), "w") as out:
        streams = [out.add_stream_from_template(stream) for stream in read.streams]
        for packet in read.demux():
            index = packet.stream_index
            lost = index == 1 and (packet.pts < 500 or 2000 <= packet.pts < 2300)
            if packet.size and index == 1:
                (lost_ms if lost else kept_ms).append(packet.pts)
            if packet.size and not lost:
                packet.stream = streams[index]
                out.mux(packet)
    source = probe(path)
    assert source.audio is not None
    with SampleReader(path, source, RATE_HZ) as reader:
        heard = reader.read(0, 4 * RATE_HZ)[0] > 0.25
    edges_s = np.flatnonzero(np.diff(heard.astype(int))) / RATE_HZ
    assert edges_s[0] == pytest.approx(float(source.audio.start_s), abs=1e-4)
    hole_ms = [min(ms for ms in lost_ms if ms >= 2000), min(ms for ms in kept_ms if ms >= 2300)]
    due_ms = [kept_ms[0], *hole_ms]
    # Matroska counts milliseconds: a position is known to one.
    assert edges_s[:3] == pytest.approx([ms / 1000 for ms in due_ms], abs=1e-3)
    assert heard[round((hole_ms[1] + 2) * RATE_HZ / 1000) : -RATE_HZ // 10].all()


def test_a_packet_that_does_not_decode_is_silent(tmp_path: Path) -> None:
    noise = 0.5 * np.ones((1, 4 * RATE_HZ))
    whole = film(tmp_path / "a.mkv", noise, RATE_HZ, ("flac", "libx264"))
    source = probe(whole)
    with av.open(str(whole)) as container:
        sizes = [(p.pts, p.pos, p.size) for p in container.demux(audio=0) if p.size]
    broken_ms, position, size = sizes[len(sizes) // 2]
    data = bytearray(whole.read_bytes())
    payload = data.find(b"\xff\xf8", position)
    assert 0 < payload < position + 40
    data[payload : payload + size] = bytes(size)
    path = tmp_path / "broken.mkv"
    path.write_bytes(data)
    with SampleReader(path, source, RATE_HZ) as reader:
        heard = reader.read(0, 4 * RATE_HZ)[0]
    at = round(broken_ms * RATE_HZ / 1000)
    assert not heard[at + 100 : at + 500].any()
    assert np.abs(heard[at + 10_000 : -RATE_HZ // 10] - 0.5).max() < 0.01
    assert np.abs(heard[: at - 100] - 0.5).max() < 0.01


@pytest.mark.parametrize(
    ("left", "right"), [(1.0, -1.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.7, -0.9)]
)
def test_the_mono_mix_keeps_the_level(tmp_path: Path, left: float, right: float) -> None:
    voice = np.random.default_rng(0).uniform(-0.4, 0.4, 2 * RATE_HZ)
    path = film(tmp_path / "a.mkv", np.stack([left * voice, right * voice]), RATE_HZ)
    mixed = np.concatenate(list(analysis_blocks(path, probe(path))))
    low = read_low(voice)
    assert np.abs(mixed[1000:-1000]).std() > 0
    level_db = 10 * np.log10((mixed[1000:30_000] ** 2).mean() / (low**2).mean())
    assert -2.5 < level_db < 0.5  # 0.7 and 0.9 make 0.8, and the resampler rolls off at the top


def read_low(voice: np.ndarray) -> np.ndarray:
    """Return the part of a sound below 8 kHz: what is left of it at 16 kHz."""
    spectrum = np.fft.rfft(voice)
    spectrum[len(spectrum) // 3 :] = 0
    return np.fft.irfft(spectrum)


def test_sound_for_analysis_is_kept_to_the_sample(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.9, 0.9, (1, 20 * ANALYSIS_RATE_HZ))
    path = film(tmp_path / "a.mkv", noise, ANALYSIS_RATE_HZ)
    source, kept = probe(path), tmp_path / "a.flac"
    extract_analysis_audio(path, source, kept)
    direct = np.concatenate(list(analysis_blocks(path, source)))
    blocks = list(iter_analysis(kept, 0.7))
    assert {len(block) for block in blocks[:-1]} == {11_200}
    assert np.array_equal(np.concatenate(blocks), direct)
    for start, count in ((0, 5), (16_001, 40_000), (100_003, 7), (300_000, 200_000)):
        part = read_analysis(kept, start / ANALYSIS_RATE_HZ, (start + count) / ANALYSIS_RATE_HZ)
        assert np.array_equal(part, direct[start : start + count])
    first = kept.read_bytes()
    extract_analysis_audio(path, source, kept)
    assert kept.read_bytes() == first


def test_surround_becomes_stereo_and_footage_without_sound_is_told(tmp_path: Path) -> None:
    sound = np.zeros((6, RATE_HZ))
    sound[2] = 0.25  # the centre, where speech is
    path = film(tmp_path / "a.mkv", sound, RATE_HZ, ("ac3", "libx264"))
    source = probe(path)
    assert output_channels(source) == 2
    with SampleReader(path, source, RATE_HZ) as reader:
        heard = reader.read(RATE_HZ // 2, 100)
    assert heard.shape == (2, 100)
    assert np.abs(heard).min() > 0.1
    silent = replace(source, audio=None)
    assert has_sound([silent, source])
    assert not has_sound([silent])
    with pytest.raises(BadInput, match=r"a\.mkv has no sound"):
        SampleReader(path, silent, RATE_HZ)


def test_uncut_clips_give_the_recording_bit_for_bit(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).uniform(-0.5, 0.5, (2, 3 * 44_100))
    path = film(tmp_path / "a.mkv", noise, 44_100)
    source, rate = probe(path), Fraction(30000, 1001)
    timeline = Timeline(rate, (Clip(0, 0, 20), Clip(0, 20, 33), Clip(0, 33, 85)))
    segments = sound_segments(timeline, [source], RATE_HZ, 0.005)
    out = np.concatenate(list(rendered_blocks(segments, [path], [source], channels=2)), axis=1)
    assert out.shape[1] == timeline.grid.sample_at(85, RATE_HZ)
    with SampleReader(path, source, RATE_HZ) as reader:
        assert np.array_equal(out, reader.read(0, out.shape[1]))


def test_two_hundred_cuts_do_not_drift(tmp_path: Path) -> None:
    """The sound is a ramp, so each output sample tells which source sample it was taken from."""
    seconds = 60
    ramp = np.arange(seconds * RATE_HZ) % 60_000 / 32767 - 0.9
    path = film(tmp_path / "a.mkv", ramp[None], RATE_HZ)
    source, rate = probe(path), Fraction(30000, 1001)
    starts = range(0, 1700, 8)
    clips = tuple(Clip(0, at, at + 5) for at in starts)[:201]
    silent = replace(source, audio=None)
    timeline = Timeline(rate, (*clips, Clip(1, 0, 3)))
    sources = [source, silent]
    segments = sound_segments(timeline, sources, RATE_HZ, 0.005)
    blocks = rendered_blocks(segments, [path, path], sources, channels=1)
    out = np.concatenate(list(blocks), axis=1)[0]
    assert len(out) == timeline.grid.sample_at(timeline.frames, RATE_HZ)
    assert not out[-4000:].any()
    for clip, frame in zip(clips, timeline.clip_starts(), strict=False):
        middle = timeline.grid.sample_at(frame, RATE_HZ) + 4000
        due = float(source.grid(rate).time_of(clip.source_in) * RATE_HZ) + 4000
        drift = ((out[middle] + 0.9) * 32767 - due) % 60_000
        assert min(drift, 60_000 - drift) <= 2


def test_a_cross_fade_adds_up_to_one(tmp_path: Path) -> None:
    sound = 0.5 * np.ones((1, 4 * RATE_HZ))
    path = film(tmp_path / "a.mkv", sound, RATE_HZ)
    source = probe(path)
    other = replace(source, audio=None)
    timeline = Timeline(Fraction(25), (Clip(0, 5, 20), Clip(0, 40, 60), Clip(1, 0, 20)))
    segments = sound_segments(timeline, [source, other], RATE_HZ, 0.01)
    blocks = rendered_blocks(segments, [path, path], [source, other], channels=2)
    out = np.concatenate(list(blocks), axis=1)
    end = 35 * 1920
    assert out[:, : end - 240] == pytest.approx(0.5, abs=1e-4)
    fade = out[0, end - 240 : end + 240]
    assert (np.diff(fade) < 0).all()
    assert fade[0] > 0.499
    assert fade[-1] < 0.001
    assert np.array_equal(out[0], out[1])


def test_encoded_sound_is_aligned_and_the_same_each_time(tmp_path: Path) -> None:
    sound = clicks(RATE_HZ).astype(np.float32)[None]
    sound = np.pad(sound, ((0, 0), (0, 123)))
    written = []
    for size in (1000, 70_000):
        path = tmp_path / f"{size}.m4a"
        blocks = (sound[:, at : at + size] for at in range(0, sound.shape[1], size))
        encode_aac(blocks, path, channels=1, bitrate=128_000)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.duration * stream.time_base == Fraction(sound.shape[1], RATE_HZ)
        frames = list(container.decode(stream))
    assert frames[0].pts == 0
    heard = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)[0]
    for at_s in CLICKS_S:
        assert offset_s(heard, at_s, RATE_HZ) == pytest.approx(0, abs=1 / RATE_HZ)
