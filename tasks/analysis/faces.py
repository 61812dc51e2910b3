"""Where faces are, and the one that the picture follows.

Positions are parts of the displayed picture (turned and with square pixels): x from the left edge,
y from the top, 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FaceBox:
    """One face in one picture."""

    x: float
    """Left edge of the box."""
    y: float
    """Top edge of the box."""
    width: float
    height: float
    score: float
    """How sure the detector is, 0 to 1."""


@dataclass(frozen=True, slots=True)
class FaceSample:
    """All faces in the picture at one instant of source time."""

    time_s: float
    boxes: tuple[FaceBox, ...]


@dataclass(frozen=True, slots=True)
class FaceSamples:
    """What the detector saw in one source, in order of time."""

    samples: tuple[FaceSample, ...]


@dataclass(frozen=True, slots=True)
class SubjectPoint:
    """The followed face at one instant of source time."""

    time_s: float
    x: float
    """Centre of the face."""
    y: float
    size: float
    """Height of the face."""


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """The one face that is followed through a source, smoothed; empty where none was found."""

    points: tuple[SubjectPoint, ...]
