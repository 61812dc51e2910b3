"""Make the sample talk: talk.mp4 and its ground truth, talk.json.

A synthetic voice reads a short text, with pauses, fillers and one sentence begun twice. A portrait
photograph, cut out of its backdrop and moved gently, stands before a drawn room out of focus. Every
random number comes from a fixed seed; nothing is downloaded.

Needs, installed beforehand:

* numpy, opencv-contrib-python, imageio-ffmpeg (0.8.1) and kokoro-onnx (0.6.1);
* scikit-image (0.26.0), whose ``astronaut.png`` is the portrait, or ``--portrait FILE``;
* the speech model ``kokoro-v1.0.int8.onnx`` and the voice ``af_heart.bin``, both Apache-2.0
  (README.md says where they come from; their digests are checked).

Use: ``python make_talk.py --model kokoro-v1.0.int8.onnx --voice af_heart.bin --out talk.mp4``
"""

import argparse
import hashlib
import json
import math
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import cv2
import imageio_ffmpeg
import kokoro_onnx
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Kind = Literal["sentence", "filler", "botched"]

SEED = 20
WIDTH, HEIGHT, FPS = 1280, 720, 30
SPEECH_RATE = 24_000  # Hz: what the voice speaks at; FFmpeg brings it to 48 kHz
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICE_SHA256 = "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b"

LEAD_S = 0.8
SPEECH_DBFS = -15.5  # RMS of a spoken piece
FILLER_DBFS = -19.5  # people mumble their fillers
SPEECH_SPEED = 0.93  # 1 is the pace the voice learnt
CEILING = 0.68  # amplitude that no sample of the speech goes above
ROOM_DBFS = -60.0  # RMS of the room tone
AUDIBLE_DBFS = -46.0  # a 10 ms block above this counts as speech
BLOCK = SPEECH_RATE // 100

SCALE = 1.5  # portrait pixels to frame pixels
LEFT, TOP = 50, 20  # frame pixels: where the portrait's corner lies
PATCH_WIDTH = 840  # frame pixels: the part of the frame that the person can touch
COVERS = [  # BGR
    (70, 84, 118), (96, 82, 66), (104, 122, 128), (58, 66, 72), (88, 110, 142), (120, 96, 74),
]  # fmt: skip
MISSING_BOOKS = 0.15  # of the places on a shelf
NECK = (228.0, 185.0)  # portrait pixels: what the head turns about

# Portrait pixels. Outside OUTLINE is never the person, inside CORE always is, GAPS never are.
OUTLINE = [
    (150, 25), (225, 8), (300, 45), (308, 110), (290, 150), (310, 185), (310, 235), (350, 260),
    (368, 330), (405, 338), (470, 362), (500, 420), (502, 511), (0, 511), (15, 440), (35, 300),
    (85, 235), (108, 180), (170, 150), (148, 100),
]  # fmt: skip
CORE = [
    (170, 50), (225, 30), (280, 55), (285, 105), (258, 140), (252, 178), (290, 210), (297, 250),
    (335, 275), (348, 340), (400, 350), (445, 363), (474, 393), (491, 440), (491, 511), (40, 511),
    (35, 460), (55, 300), (100, 245), (125, 195), (150, 165), (186, 165), (182, 130), (165, 95),
]  # fmt: skip
GAPS = [
    [(170, 122), (181, 134), (184, 147), (172, 147)],
    [(268, 140), (294, 198), (259, 168)],
    [(365, 331), (384, 331), (378, 342), (368, 345)],
]


@dataclass(frozen=True)
class Line:
    """One thing said, and the pause after it in seconds. ``spoken`` is what the voice is told."""

    kind: Kind
    text: str
    pause_s: float
    spoken: str = ""


@dataclass(frozen=True)
class Piece:
    """A line on the recording: where its audible part starts and ends, in seconds."""

    kind: Kind
    text: str
    start_s: float
    end_s: float


TALK = [
    Line(
        "sentence",
        "Hi! This is a rough take, with every pause, and every mistake, still in it.",
        1.6,
    ),
    Line(
        "sentence",
        "Let's see what finecut makes of it.",
        2.3,
        "Let's see what fine cut makes of it.",
    ),
    Line("filler", "Um,", 0.6),
    Line("sentence", "first, it listens to every word, and takes out the silence in between.", 1.1),
    Line("sentence", "Long pauses disappear. Natural ones remain.", 1.4),
    Line("botched", "Then it finds the face, and moves the, the", 1.5),
    Line(
        "sentence",
        "Then it finds the face, and moves the picture gently closer, when something matters.",
        0.9,
    ),
    Line("sentence", "Subtitles appear word by word, in step with the voice.", 2.5),
    Line("sentence", "And if you change your mind about a single cut,", 0.5),
    Line("filler", "um,", 0.6),
    Line("sentence", "only the part around it is rendered again.", 1.2),
    Line("sentence", "The picture is encoded just once, so it stays as sharp as you shot it.", 1.8),
    Line("sentence", "This voice is synthetic, and the portrait is a photograph by NASA.", 1.0),
    Line("sentence", "Now, try it on a recording of your own!", 1.4),
]


def level(dbfs: float) -> float:
    """Amplitude, 1.0 being full scale, of a level in dBFS."""
    return 10.0 ** (dbfs / 20.0)


def audible(sound: Floats) -> tuple[int, int]:
    """First and one past the last sample of ``sound`` that are louder than ``AUDIBLE_DBFS``."""
    blocks = sound[: len(sound) // BLOCK * BLOCK].reshape(-1, BLOCK)
    loud = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) > level(AUDIBLE_DBFS))
    return int(loud[0]) * BLOCK, (int(loud[-1]) + 1) * BLOCK


def limited(sound: Floats) -> Floats:
    """``sound`` turned down around its peaks, smoothly, so that none is above ``CEILING``."""
    window = 2 * BLOCK + 1
    peaks = cv2.dilate(np.abs(sound)[None], np.ones((1, window), np.uint8))[0]
    gain = np.pad(np.minimum(1.0, CEILING / np.maximum(peaks, CEILING)), BLOCK, mode="edge")
    smooth = np.hanning(window)
    return (sound * np.convolve(gain, smooth / smooth.sum(), "valid")).astype(np.float32)


def at_level(sound: Floats, dbfs: float) -> Floats:
    """``sound`` with the RMS of its audible part brought to ``dbfs``, but for its peaks."""
    start, end = audible(sound)
    rms = float(np.sqrt(np.mean(sound[start:end] ** 2)))
    return limited((sound * (level(dbfs) / rms)).astype(np.float32))


def speak(voice_model: kokoro_onnx.Kokoro, style: Floats, line: Line) -> Floats:
    """``line`` spoken: mono samples at ``SPEECH_RATE``."""
    sound, rate = voice_model.create(line.spoken or line.text, style, SPEECH_SPEED)
    if rate != SPEECH_RATE:
        raise ValueError(f"the voice speaks at {rate} Hz, not at {SPEECH_RATE} Hz")
    return at_level(sound, FILLER_DBFS if line.kind == "filler" else SPEECH_DBFS)


def room_tone(samples: int, rng: np.random.Generator) -> Floats:
    """Quiet noise, darker towards high frequencies, at ``ROOM_DBFS``."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1.0 / SPEECH_RATE)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 60.0)), samples)
    return (noise * (level(ROOM_DBFS) / np.std(noise))).astype(np.float32)


def record(sounds: list[Floats], rng: np.random.Generator) -> tuple[Floats, list[Piece]]:
    """The talk's lines laid one after another over room tone, whole frames long, and where."""
    total_s = LEAD_S + sum(line.pause_s for line in TALK)
    total_s += sum(end - start for start, end in map(audible, sounds)) / SPEECH_RATE
    mix = room_tone(math.ceil(total_s * FPS) * SPEECH_RATE // FPS, rng)
    pieces, cursor = [], round(LEAD_S * SPEECH_RATE)
    for line, sound in zip(TALK, sounds, strict=True):
        start, end = audible(sound)
        at = cursor - start
        mix[at : at + len(sound)] += sound
        stop = cursor + end - start
        pieces.append(Piece(line.kind, line.text, cursor / SPEECH_RATE, stop / SPEECH_RATE))
        cursor = stop + round(line.pause_s * SPEECH_RATE)
    return mix, pieces


def ground_truth(pieces: list[Piece], duration_s: float) -> dict[str, object]:
    """What talk.json says: the spoken pieces and the pauses between them, in seconds."""
    starts = [piece.start_s for piece in pieces] + [duration_s]
    ends = [0.0] + [piece.end_s for piece in pieces]
    spoken = [
        {
            "text": piece.text,
            "start_s": round(piece.start_s, 3),
            "end_s": round(piece.end_s, 3),
            "kind": piece.kind,
        }
        for piece in pieces
    ]
    pauses = [
        {"start_s": round(end, 3), "end_s": round(start, 3)}
        for end, start in zip(ends, starts, strict=True)
    ]
    return {
        "media": "talk.mp4",
        "language": "en",
        "duration_s": round(duration_s, 3),
        "pieces": spoken,
        "pauses": pauses,
    }


def cut_out(portrait: Bytes) -> Floats:
    """The person in ``portrait`` (BGR): their opacity, 0 to 1, per pixel."""
    mask = np.full(portrait.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.fillPoly(mask, [np.array(OUTLINE)], cv2.GC_PR_FGD)
    cv2.fillPoly(mask, [np.array(CORE)], cv2.GC_FGD)
    cv2.fillPoly(mask, [np.array(gap) for gap in GAPS], cv2.GC_BGD)
    cv2.setRNGSeed(SEED)
    empty = np.zeros((1, 65))
    cv2.grabCut(portrait, mask, None, empty, empty.copy(), 6, cv2.GC_INIT_WITH_MASK)
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    person = cv2.erode(person, np.ones((2, 2), np.uint8))
    return cv2.GaussianBlur(person, (0, 0), 0.8)


def person_patch(portrait: Bytes) -> Floats:
    """The person at frame scale, HEIGHT x PATCH_WIDTH: BGR times opacity, and opacity, 0 to 255."""
    opacity = cut_out(portrait)[..., None]
    layered = np.dstack([portrait * opacity, opacity * 255.0]).astype(np.float32)
    place = np.array([[SCALE, 0.0, LEFT], [0.0, SCALE, TOP]])
    patch = cv2.warpAffine(layered, place, (PATCH_WIDTH, HEIGHT), flags=cv2.INTER_LANCZOS4)
    soft = cv2.GaussianBlur(patch[..., :3], (0, 0), 2.0)
    patch[..., :3] += 0.45 * (patch[..., :3] - soft)
    return np.clip(patch, 0.0, 255.0)


def shelves(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A bookcase on the right, in focus: BGR 0 to 255, and opacity 0 to 1."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    cv2.rectangle(picture, (890, 0), (WIDTH, HEIGHT), (44, 52, 62), -1)
    for floor in (160, 350, 540, 730):
        x = 910
        while x < WIDTH:
            width, height = int(rng.integers(16, 44)), int(rng.integers(95, 150))
            if rng.random() > MISSING_BOOKS:
                cover = np.array(COVERS[rng.integers(len(COVERS))]) * rng.uniform(0.75, 1.2)
                cv2.rectangle(picture, (x, floor - height), (x + width, floor), cover.tolist(), -1)
            x += width + 3
        cv2.rectangle(picture, (890, floor), (WIDTH, floor + 14), (78, 96, 118), -1)
    opacity = np.zeros((HEIGHT, WIDTH), np.float32)
    opacity[:, 890:] = 1.0
    return picture, opacity


def backdrop(rng: np.random.Generator) -> Floats:
    """The room behind the person, out of focus: HEIGHT x WIDTH BGR, 0 to 255."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    glow = np.exp(-(((x - 420) / 560) ** 2) - ((y - 240) / 430) ** 2)
    spots = rng.standard_normal((9, 16)).astype(np.float32)
    mottle = cv2.resize(spots, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    shade = 0.72 + 0.45 * glow + 0.02 * mottle
    wall = np.array([146.0, 155.0, 160.0], np.float32) * shade[..., None]
    books, opacity = shelves(rng)
    room = wall + (books - wall) * opacity[..., None]
    room = cv2.GaussianBlur(room, (0, 0), 13.0)
    lamp = np.exp(-(((x - 1010) ** 2 + (y - 255) ** 2) / 150.0**2))
    room += lamp[..., None] * np.array([38.0, 62.0, 84.0], np.float32)
    return np.clip(room, 0.0, 255.0).astype(np.float32)


def wander(frames: int, rng: np.random.Generator, hertz: tuple[float, ...]) -> Floats:
    """A slow smooth signal, one value a frame, about -1 to 1: sines and low-passed noise."""
    seconds = np.arange(frames) / FPS
    waves = np.zeros(frames)
    for n, rate in enumerate(hertz):
        waves += np.sin(math.tau * (rate * seconds + rng.random())) / (1 + n)
    noise = rng.standard_normal(frames + 8 * FPS)
    window = np.hanning(2 * FPS + 1)
    drift = np.convolve(noise, window / np.linalg.norm(window), "same")[4 * FPS : 4 * FPS + frames]
    return (0.45 * waves + 0.35 * drift).astype(np.float32)


class Sway:
    """Moves the person: the body leans from the hips, the head turns and shifts on the neck."""

    def __init__(self, frames: int, rng: np.random.Generator) -> None:
        """Draw the motion of ``frames`` frames."""
        self.y, self.x = np.mgrid[0:HEIGHT, 0:PATCH_WIDTH].astype(np.float32)
        self.neck_x, self.neck_y = NECK[0] * SCALE + LEFT, NECK[1] * SCALE + TOP
        ramp = np.clip((self.neck_y + 45.0 - self.y) / 95.0, 0.0, 1.0)
        self.head = ramp * ramp * (3.0 - 2.0 * ramp)
        self.height = 1.0 - self.y / HEIGHT
        self.lean = 7.0 * wander(frames, rng, (0.071, 0.113, 0.193))  # px at the top
        self.breath = 1.6 * wander(frames, rng, (0.27, 0.263))  # px at the top
        self.shift = 3.5 * wander(frames, rng, (0.157, 0.311, 0.47))  # px
        self.nod = 3.0 * wander(frames, rng, (0.227, 0.389, 0.61))  # px
        self.turn = math.radians(1.3) * wander(frames, rng, (0.127, 0.241, 0.43))

    def maps(self, frame: int) -> tuple[Floats, Floats]:
        """Where in the still patch each pixel of ``frame`` comes from: x and y, in pixels."""
        turn = self.head * self.turn[frame]
        dx = self.lean[frame] * self.height + self.shift[frame] * self.head
        dy = self.breath[frame] * self.height + self.nod[frame] * self.head
        from_x = self.x - dx - turn * (self.y - self.neck_y)
        from_y = self.y - dy + turn * (self.x - self.neck_x)
        return from_x, from_y


def grain(rng: np.random.Generator) -> Floats:
    """A sheet of sensor noise, larger than the frame, in 8-bit steps."""
    noise = rng.standard_normal((HEIGHT + 64, WIDTH + 64)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.7)
    return noise * (1.5 / np.std(noise))


def draw(frames: int, portrait: Bytes, rng: np.random.Generator) -> Iterator[Bytes]:
    """Each frame of the talk in turn: HEIGHT x WIDTH BGR."""
    person, room, sheet = person_patch(portrait), backdrop(rng), grain(rng)
    sway, light = Sway(frames, rng), 1.0 + 0.018 * wander(frames, rng, (0.043, 0.089, 0.167))
    for frame in range(frames):
        from_x, from_y = sway.maps(frame)
        moved = cv2.remap(person, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        picture = room.copy()
        behind = picture[:, :PATCH_WIDTH]
        behind *= 1.0 - np.clip(moved[..., 3:], 0.0, 255.0) / 255.0
        behind += moved[..., :3]
        picture *= light[frame]
        down, right = rng.integers(0, 64, 2)
        picture += sheet[down : down + HEIGHT, right : right + WIDTH, None]
        yield np.clip(picture, 0.0, 255.0).astype(np.uint8)


def write_wave(path: Path, sound: Floats) -> None:
    """Write mono samples, -1 to 1, as 16 bit PCM."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SPEECH_RATE)
        out.writeframes((np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())


def encoder(sound: Path, out: Path) -> list[str]:
    """FFmpeg's arguments: BGR frames on its standard input and ``sound`` become ``out``."""
    picture = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS)]
    colours = "color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    convert = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
    tags = ["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"]
    return [
        imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error",
        *picture, "-i", "pipe:0", "-i", str(sound), "-map", "0:v", "-map", "1:a",
        "-vf", f"{convert},setparams=range=tv:{colours}",
        "-c:v", "libx264", "-preset", "slow", "-crf", "28", "-g", "60", "-threads", "2",
        *tags, "-color_range", "tv",
        "-c:a", "aac", "-b:a", "96k", "-ar", "48000", "-ac", "1",
        "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
        "-map_metadata", "-1", "-movflags", "+faststart", str(out),
    ]  # fmt: skip


def encode(frames: Iterator[Bytes], sound: Floats, out: Path) -> None:
    """Write ``out``: the frames as H.264, the sound as AAC."""
    with tempfile.TemporaryDirectory() as folder:
        track = Path(folder) / "talk.wav"
        write_wave(track, sound)
        with subprocess.Popen(encoder(track, out), stdin=subprocess.PIPE) as ffmpeg:
            assert ffmpeg.stdin is not None
            for frame in frames:
                ffmpeg.stdin.write(frame.tobytes())
            ffmpeg.stdin.close()
        if ffmpeg.returncode:
            raise RuntimeError(f"FFmpeg stopped with exit status {ffmpeg.returncode}")


def checked(path: Path, sha256: str) -> Path:
    """``path``, if the file there is the one the sample was made with."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ValueError(f"{path} is another file than the sample was made with")
    return path


def load_voice(model: Path, voice: Path) -> tuple[kokoro_onnx.Kokoro, Floats]:
    """The speech model, and the voice's styles (one for each length of text)."""
    style = np.fromfile(checked(voice, VOICE_SHA256), "<f4").reshape(-1, 1, 256)
    with tempfile.TemporaryDirectory() as folder:
        voices = Path(folder) / "voices.npz"
        np.savez(voices, voice=style)
        return kokoro_onnx.Kokoro(str(checked(model, MODEL_SHA256)), str(voices)), style


def read_portrait(path: Path | None) -> Bytes:
    """The portrait in BGR: the file at ``path``, or the one that scikit-image brings."""
    source = path or Path(str(files("skimage") / "data" / "astronaut.png"))
    portrait = cv2.imread(str(source))
    if portrait is None or portrait.shape != (512, 512, 3):
        raise ValueError(f"{source} is not the portrait, 512 pixels square")
    return portrait.astype(np.uint8)


def main() -> None:
    """Make the sample from the files named on the command line."""
    parser = argparse.ArgumentParser(description="Make the sample talk.")
    parser.add_argument("--model", type=Path, required=True, help="kokoro-v1.0.int8.onnx")
    parser.add_argument("--voice", type=Path, required=True, help="af_heart.bin")
    parser.add_argument("--portrait", type=Path, help="astronaut.png, if not scikit-image's")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("talk.mp4"))
    args = parser.parse_args()

    model, style = load_voice(args.model, args.voice)
    sound, pieces = record(
        [speak(model, style, line) for line in TALK], np.random.default_rng(SEED)
    )
    frames = len(sound) * FPS // SPEECH_RATE
    portrait = read_portrait(args.portrait)
    encode(draw(frames, portrait, np.random.default_rng(SEED + 1)), sound, args.out)
    truth = json.dumps(ground_truth(pieces, frames / FPS), indent=2, ensure_ascii=False)
    args.out.with_suffix(".json").write_text(truth + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
