import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tasks.analysis.faces import FaceBox
from tasks.analysis.subject import follow_subject
from tasks.errors import Interrupted, Missing
from tasks.media import faces, models, sampling
from tasks.media.faces import check_available, detect_faces
from tasks.media.probe import probe
from tasks.media.sampling import sampled
from tasks.settings import FaceSettings

ROOT = Path(__file__).resolve().parents[2]
MEDIA = Path(os.environ.get("FINECUT_MEDIA", ROOT / "../shared/media"))
needs_media = pytest.mark.skipif(not MEDIA.is_dir(), reason="the folder of footage is not here")
RATE = 25


@pytest.fixture(scope="module")
def model():
    try:
        return models.model_path("face-full-range", fetch=False)
    except Missing as error:
        pytest.skip(error.message)


def made(path, gop, frames=150, first_pts=0, size=(160, 96)):
    """Write a clip whose picture n is grey, 16 + n."""
    with av.open(str(path), "w") as container:
        options = {"g": str(gop), "keyint_min": str(gop), "sc_threshold": "0", "bf": "2"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            frame = av.VideoFrame(*size, "yuv420p")
            for plane, value in zip(frame.planes, (16 + number, 128, 128), strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.pts, frame.time_base = first_pts + number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def number_of(frame):
    return round(float(frame.to_ndarray(format="yuv420p")[:90].mean())) - 16


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("gop", [1, 12, 25, 250])
@pytest.mark.parametrize("interval_s", [0.3, 1.0])
def test_samples_are_the_pictures_at_their_times_an_interval_apart(
    tmp_path, suffix, gop, interval_s
):
    path = made(tmp_path / f"clip{suffix}", gop)
    samples = list(sampled(path, probe(path).video, interval_s))
    times = [time_s for time_s, _ in samples]
    assert times[0] == 0
    for time_s, frame in samples:
        assert number_of(frame) == pytest.approx(time_s * RATE, abs=1.01)
    steps = np.diff(times)
    assert steps.min() >= 0.5 * interval_s - 1e-6
    # Frames that no other refers to are left out: up to three in a row.
    assert steps.max() <= 1.5 * interval_s + 4 / RATE
    assert times[-1] >= 150 / RATE - 1.5 * interval_s - 4 / RATE


@pytest.mark.parametrize(("gop", "most"), [(1, 7), (25, 7), (250, 152)])
def test_key_frames_alone_are_decoded_where_they_lie_close(tmp_path, monkeypatch, gop, most):
    decoded = []
    plain = sampling._Sampler._decode

    def counted(self, packet):
        decoded.extend([packet] if packet is not None else [])
        return plain(self, packet)

    monkeypatch.setattr(sampling._Sampler, "_decode", counted)
    path = made(tmp_path / "clip.mp4", gop)
    assert len(list(sampled(path, probe(path).video, 1.0))) in (5, 6)
    assert len(decoded) <= most


def test_source_time_counts_from_where_the_source_says_the_picture_starts(tmp_path):
    path = made(tmp_path / "late.mkv", 25, first_pts=250)
    video = replace(probe(path).video, start_s=Fraction(3, 2))
    assert next(sampled(path, video, 1.0))[0] == 1.5


def test_a_file_that_is_cut_off_gives_what_it_holds(tmp_path):
    path = made(tmp_path / "whole.ts", 25)
    video = probe(path).video
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 400] = b"\x00" * 400
    cut = tmp_path / "cut.ts"
    cut.write_bytes(data[: len(data) * 2 // 3])
    samples = list(sampled(cut, video, 1.0))
    assert 2 <= len(samples) < 6


def test_footage_that_seeks_badly_is_decoded_in_sequence(tmp_path):
    path = made(tmp_path / "clip.mp4", 12)
    video = replace(probe(path).video, seeks=False)
    times = [time_s for time_s, _ in sampled(path, video, 1.0)]
    assert np.diff(times) == pytest.approx(1.0, abs=0.17)


@pytest.mark.parametrize(
    ("turn", "mirror", "corner"),
    [
        (0, False, "left top"),
        (90, False, "right top"),
        (180, False, "right bottom"),
        (270, False, "left bottom"),
        (0, True, "right top"),
        (90, True, "right bottom"),
    ],
)
def test_pictures_are_mirrored_then_turned_clockwise(tmp_path, turn, mirror, corner):
    path = made(tmp_path / "clip.mp4", 25, frames=2)
    video = replace(probe(path).video, rotation_deg=turn, is_mirrored=mirror)
    grey = np.zeros((96, 160, 3), np.uint8)
    grey[:30, :30] = 255  # the corner left and top, as coded
    picture = faces._picture(av.VideoFrame.from_ndarray(grey), video)
    assert picture.shape == ((160, 96, 3) if turn in (90, 270) else (96, 160, 3))
    x = -10 if "right" in corner else 10
    y = -10 if "bottom" in corner else 10
    assert picture[y, x].min() > 200 and picture.mean() < 60


def test_pictures_have_square_pixels_and_are_scaled_down(tmp_path):
    path = made(tmp_path / "clip.mp4", 25, frames=2)
    video = replace(probe(path).video, sample_aspect=Fraction(2, 3))
    big = av.VideoFrame.from_ndarray(np.zeros((720, 1920, 3), np.uint8))
    assert faces._picture(big, video).shape == (360, 640, 3)


def test_parts_are_searched_only_where_the_whole_shows_nothing():
    asked = []
    found = FaceBox(0.5, 0.25, 0.2, 0.2, 0.9)

    def detect(picture):
        asked.append(picture.shape)
        return [found] if len(asked) == answer_at else []

    picture = np.zeros((360, 640, 3), np.uint8)
    answer_at = 1
    assert faces._found(detect, picture, 0.5) == (found,)
    assert asked == [(360, 640, 3)]
    asked.clear()
    answer_at = 4  # the last of three squares: 280 pixels from the left
    (box,) = faces._found(detect, picture, 0.5)
    assert asked[1:] == [(360, 360, 3)] * 3
    assert box.x == pytest.approx((280 + 180) / 640) and box.y == 0.25
    assert box.width == pytest.approx(72 / 640) and box.height == 0.2


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (640, 100), (641, 640), (8, 640)])
def test_squares_cover_the_picture(size):
    width, height = size
    covered = np.zeros((height, width), bool)
    for x, y, side in faces._squares(np.zeros((height, width, 3), np.uint8)):
        assert x >= 0 and y >= 0 and x + side <= width and y + side <= height
        covered[y : y + side, x : x + side] = True
    assert covered.all()


def test_the_same_face_is_reported_once_and_tiny_ones_never():
    boxes = [FaceBox(0.5, 0.5, 0.2, 0.2, 0.8), FaceBox(0.51, 0.5, 0.2, 0.2, 0.9)]
    tiny = FaceBox(0.1, 0.1, 0.02, 0.03, 0.99)
    picture = np.zeros((100, 100, 3), np.uint8)
    assert faces._found(lambda _: [*boxes, tiny], picture, 0.5) == (boxes[1],)


def test_chatter_is_dropped_and_what_others_say_is_kept(capfd):
    with faces._quiet():
        os.write(2, b"INFO: [environment.cc:36] Creating\nW0000 00:00:17.1 6332 x.cc:1] y\n")
        os.write(2, b"someone else's line\nWARNINGS are welcome")
    os.write(2, b" behind\n")
    assert capfd.readouterr().err == "someone else's line\nWARNINGS are welcome behind\n"


HIDING = """
import subprocess, sys
lib = sys.argv[1]
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
subprocess.run(["mount", "--bind", "/dev/null", lib], check=True)
from tasks.errors import MissingLibrary
from tasks.media.faces import check_available
try:
    check_available()
except MissingLibrary as error:
    print(error.message, error.hint)
"""


def private_mounts_work():
    probe_it = ["unshare", "-m", "mount", "--make-rprivate", "/"]
    try:
        return subprocess.run(probe_it, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.parametrize("name", ["libGL.so.1", "libEGL.so.1", "libGLESv2.so.2"])
def test_a_missing_system_library_is_named_with_its_package(name):
    folders = [Path("/lib/x86_64-linux-gnu"), Path("/lib/aarch64-linux-gnu"), Path("/usr/lib64")]
    there = [folder / name for folder in folders if (folder / name).exists()]
    if not there or not private_mounts_work():
        pytest.skip("needs the library and the right to mount in a namespace of its own")
    command = ["unshare", "-m", sys.executable, "-c", HIDING, str(there[0].resolve())]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60
    )
    assert "apt-get install" in done.stdout and "libgl1" in done.stdout, done.stderr
    assert name.split(".")[0] in done.stdout


def test_what_is_no_model_is_missing(tmp_path):
    check_available()
    path = made(tmp_path / "clip.mp4", 25, frames=30)
    source = probe(path)
    with pytest.raises(Missing):
        detect_faces(path, source, FaceSettings(), tmp_path / "nowhere.tflite")
    (tmp_path / "bad.tflite").write_bytes(b"no model" * 100)
    with pytest.raises(Missing):
        detect_faces(path, source, FaceSettings(), tmp_path / "bad.tflite")


def test_a_cancelled_search_stops(tmp_path, model):
    path = made(tmp_path / "clip.mp4", 25)
    calls = []

    def cancelled():
        calls.append(1)
        return len(calls) > 2

    with pytest.raises(Interrupted):
        detect_faces(path, probe(path), FaceSettings(), model, cancelled=cancelled)
    assert len(calls) == 3


def test_flat_pictures_hold_no_face_and_the_terminal_stays_clean(tmp_path, model, capfd):
    path = made(tmp_path / "clip.mp4", 25)
    samples = detect_faces(path, probe(path), FaceSettings(), model).samples
    assert len(samples) == 6 and not any(sample.boxes for sample in samples)
    assert capfd.readouterr() == ("", "")


@needs_media
@pytest.mark.parametrize(
    ("name", "x", "y", "size"),
    [
        ("talk_en_man_sofa_portrait.mp4", 0.53, 0.34, 0.11),
        ("talk_pt_man_kitchen_portrait.mp4", 0.50, 0.25, 0.14),
        ("talk_en_woman_blue_square.mp4", 0.56, 0.38, 0.34),
        ("talk_grid_brbk7n.mpg", 0.46, 0.66, 0.45),
        ("face_emotions_mono.mp4", 0.68, 0.60, 0.65),
        ("face_phone_bt601.mov", 0.53, 0.57, 0.43),
        ("odd_rotate_and_reflect.mp4", 0.56, 0.53, 0.29),
    ],
)
def test_real_faces_are_found_in_every_sample(model, name, x, y, size):
    path = MEDIA / name
    samples = detect_faces(path, probe(path), FaceSettings(), model)
    assert all(sample.boxes for sample in samples.samples)
    for point in follow_subject(samples).points:
        assert (point.x, point.y) == pytest.approx((x, y), abs=0.12)
        assert point.size == pytest.approx(size, rel=0.3)


@needs_media
@pytest.mark.parametrize("name", ["broll_beach_boats.mp4", "broll_road_cars.mp4"])
def test_footage_without_people_has_no_subject(model, name):
    path = MEDIA / name
    samples = detect_faces(path, probe(path), FaceSettings(), model)
    assert follow_subject(samples).points == ()


@needs_media
def test_the_same_footage_gives_the_same_faces(model):
    path = MEDIA / "face_emotions_mono.mp4"
    source = probe(path)
    settings = FaceSettings(interval=2.0)
    first = detect_faces(path, source, settings, model)
    assert first == detect_faces(path, source, settings, model)


def beside_its_flip(path, out, width=640):
    """Write a clip beside its mirror image: two people who move at the same time."""
    with av.open(str(path)) as talk, av.open(str(out), "w") as film:
        stream = film.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "g": "25"})
        stream.width, stream.height, stream.pix_fmt = width, width // 2, "yuv420p"
        for number, frame in enumerate(talk.decode(video=0)):
            half = frame.reformat(width // 2, width // 2, format="rgb24").to_ndarray()
            both = av.VideoFrame.from_ndarray(np.hstack([half, half[:, ::-1]]))
            both.pts, both.time_base = number, Fraction(1, RATE)
            film.mux(stream.encode(both))
        film.mux(stream.encode(None))
    return out


@needs_media
def test_of_two_real_faces_one_is_followed_smoothly(tmp_path, model):
    path = beside_its_flip(MEDIA / "talk_en_woman_blue_square.mp4", tmp_path / "two.mp4")
    samples = detect_faces(path, probe(path), FaceSettings(), model)
    assert sum(len(sample.boxes) == 2 for sample in samples.samples) >= len(samples.samples) - 1
    points = follow_subject(samples).points
    assert len({point.x > 0.5 for point in points}) == 1
    speeds = [abs(b.x - a.x) / (b.time_s - a.time_s) for a, b in pairwise(points)]
    assert max(speeds) < 0.05
