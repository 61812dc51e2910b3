"""Finding faces in footage with MediaPipe's detector, in pictures sampled from it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tasks.analysis.faces import FaceBox, FaceSample, FaceSamples
from tasks.errors import BadInput, Interrupted, Missing, MissingLibrary
from tasks.media.sampling import sampled
from tasks.settings import FaceSettings
from tasks.timeline.model import Source, VideoStream

Picture = NDArray[np.uint8]
"""The displayed picture, RGB: (height, width, 3)."""

LONG_SIDE_PX = 640
"""Pictures are scaled down to this; the model itself sees 192 pixels."""

MIN_FACE = 0.05
"""Smallest face that counts, as a part of the picture's shorter side: below, the model sees faces
in leaves and lamps (36 px at 720p; measured)."""

CROP_MARGIN = 0.1
"""How much surer than `min_score` a face must be that only a part of the picture shows."""

CROP_STEP = 0.5
"""Distance between neighbouring square parts, at most, in their sides."""

SAME_FACE = 0.3
"""Boxes that share more of their union than this are the same face."""

DEBIAN_PACKAGES = "libgl1 libegl1 libgles2 libglib2.0-0"
"""Debian's names of the libraries that MediaPipe and its OpenCV link to."""

_CHATTER = re.compile(rb"(INFO|WARNING): |[IWE]\d{4} \d\d:\d\d:\d\d")
_quiet_lock = Lock()

Detect = Callable[[Picture], list[FaceBox]]
"""Finds faces in a picture; positions are parts of that picture."""


def check_available() -> None:
    """Make sure that the face detector can be loaded.

    Raises:
        MissingLibrary: MediaPipe, or a system library that it links to, is not there.
    """
    try:
        from mediapipe.tasks.python.core import mediapipe_c_bindings
        from mediapipe.tasks.python.vision import face_detector  # noqa: F401

        mediapipe_c_bindings.load_raw_library()
    except ModuleNotFoundError as error:
        raise MissingLibrary(
            f"the face detector needs the package {error.name}", "install finecut anew"
        ) from error
    except (ImportError, OSError) as error:
        raise MissingLibrary(
            f"the face detector cannot be loaded: {error}",
            f"on Debian and Ubuntu: apt-get install {DEBIAN_PACKAGES}",
        ) from error


def detect_faces(
    path: Path,
    source: Source,
    settings: FaceSettings,
    model: Path,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> FaceSamples:
    """Return the faces seen in a file's pictures, sampled about every `settings.interval` seconds.

    Args:
        path: the footage.
        source: what it was probed to hold.
        settings: how often to look, and how sure to be.
        model: a face detector for MediaPipe's tasks (BlazeFace, full range), with metadata.
        cancelled: asked before each sample.

    Returns:
        Samples in order of source time; the steps between them are 0.5 to 1.5 intervals where key
        frames serve. Damaged footage gives what could be decoded.

    Raises:
        BadInput: the footage holds no picture.
        Missing: the model is not there or is none.
        MissingLibrary: MediaPipe cannot be loaded here.
        Interrupted: `cancelled` became true.
    """
    if source.video is None:
        raise BadInput(f"{path} holds no picture", "finecut edits video; this is sound only")
    check_available()
    samples: list[FaceSample] = []
    with _detector(model, float(settings.min_score)) as detect:
        for time_s, frame in sampled(path, source.video, float(settings.interval)):
            if cancelled is not None and cancelled():
                raise Interrupted("the run was cancelled", "give the same command again to go on")
            boxes = _found(detect, _picture(frame, source.video), float(settings.min_score))
            samples.append(FaceSample(time_s, boxes))
    return FaceSamples(tuple(samples))


def _picture(frame: av.VideoFrame, video: VideoStream) -> Picture:
    """Return a frame as it is displayed: square pixels, mirrored, turned, scaled down."""
    width_px = Fraction(frame.width) * video.sample_aspect
    scale = min(Fraction(1), Fraction(LONG_SIDE_PX) / max(width_px, Fraction(frame.height)))
    small = frame.reformat(
        max(round(width_px * scale), 1), max(round(frame.height * scale), 1), format="rgb24"
    ).to_ndarray()
    if video.is_mirrored:
        small = small[:, ::-1]
    return np.ascontiguousarray(np.rot90(small, -video.rotation_deg // 90))


def _found(detect: Detect, picture: Picture, min_score: float) -> tuple[FaceBox, ...]:
    """Return the faces in a picture, surest first.

    Square parts of it are searched where the whole shows none: the model sees 192 pixels of the
    longer side, too few for a small face in a wide or tall picture.
    """
    height_px, width_px = picture.shape[:2]
    boxes = _large_enough(detect(picture), width_px, height_px)
    if not boxes and width_px != height_px:
        sure = min(min_score + CROP_MARGIN, 1.0)
        parts = [box for part in _squares(picture) for box in _placed(detect, picture, part)]
        boxes = [box for box in _large_enough(parts, width_px, height_px) if box.score >= sure]
    return _distinct(boxes)


def _squares(picture: Picture) -> list[tuple[int, int, int]]:
    """Return overlapping squares (x, y, side) that cover a picture along its longer side."""
    height_px, width_px = picture.shape[:2]
    side_px, rest_px = min(width_px, height_px), abs(width_px - height_px)
    steps = max(ceil(rest_px / (side_px * CROP_STEP)), 1)
    offsets = [round(rest_px * step / steps) for step in range(steps + 1)]
    return [(o, 0, side_px) if width_px > height_px else (0, o, side_px) for o in offsets]


def _placed(detect: Detect, picture: Picture, part: tuple[int, int, int]) -> list[FaceBox]:
    """Return the faces in a square part, as parts of the whole picture."""
    x_px, y_px, side_px = part
    height_px, width_px = picture.shape[:2]
    cropped = np.ascontiguousarray(picture[y_px : y_px + side_px, x_px : x_px + side_px])
    return [
        FaceBox(
            (x_px + box.x * side_px) / width_px,
            (y_px + box.y * side_px) / height_px,
            box.width * side_px / width_px,
            box.height * side_px / height_px,
            box.score,
        )
        for box in detect(cropped)
    ]


def _large_enough(boxes: list[FaceBox], width_px: int, height_px: int) -> list[FaceBox]:
    least_px = MIN_FACE * min(width_px, height_px)
    return [b for b in boxes if min(b.width * width_px, b.height * height_px) >= least_px]


def _distinct(boxes: list[FaceBox]) -> tuple[FaceBox, ...]:
    """Return the surest box of each face, surest first."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda b: (-b.score, b.x, b.y, b.width, b.height)):
        if all(_overlap(box, other) <= SAME_FACE for other in kept):
            kept.append(box)
    return tuple(kept)


def _overlap(a: FaceBox, b: FaceBox) -> float:
    """Return the intersection of two boxes over their union."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.width * a.height + b.width * b.height - shared)


@contextmanager
def _detector(model: Path, min_score: float) -> Iterator[Detect]:
    """Yield a function that finds faces; the detector is closed behind it."""
    if not model.is_file():
        raise Missing(f"no face model at {model}", "fetch it: finecut models fetch")
    import mediapipe
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision import face_detector

    options = face_detector.FaceDetectorOptions(
        base_options=BaseOptions(model_asset_path=str(model)), min_detection_confidence=min_score
    )

    def detect(picture: Picture) -> list[FaceBox]:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)
        height_px, width_px = picture.shape[:2]
        with _quiet():  # it may talk at any run, about how the picture lies in memory
            result = detector.detect(image)
        return [_box(found, width_px, height_px) for found in result.detections]

    with _quiet():
        try:
            detector = face_detector.FaceDetector.create_from_options(options)
        except (ValueError, RuntimeError, OSError) as error:
            raise Missing(f"{model} is no face model: {error}", "fetch it anew") from error
    try:
        yield detect
    finally:
        with _quiet():
            detector.close()


def _box(found: Any, width_px: int, height_px: int) -> FaceBox:
    """Return a detection as parts of the picture, what lies outside cut off."""
    box = found.bounding_box
    left, right = (
        min(max(x / width_px, 0.0), 1.0) for x in (box.origin_x, box.origin_x + box.width)
    )
    top, bottom = (
        min(max(y / height_px, 0.0), 1.0) for y in (box.origin_y, box.origin_y + box.height)
    )
    return FaceBox(left, top, right - left, bottom - top, float(found.categories[0].score))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what MediaPipe's native code says from standard error.

    It writes to the file descriptor itself and no setting stops it. What others write meanwhile
    comes out when the block ends.
    """
    with _quiet_lock, tempfile.TemporaryFile() as said:
        try:
            kept = os.dup(2)
        except OSError:  # standard error is closed
            yield
            return
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not _CHATTER.match(line)))
