"""The one face that the picture follows: boxes linked into people, one chosen, its path smoothed.

The rules: the person seen largest, longest and surest is followed wherever they are there; others
only where that person is away for more than `ABSENT_S`. So the picture never hops to and fro
between two people who are both in view, whatever the detector's scores do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp, hypot, inf
from statistics import median

from tasks.analysis.faces import FaceBox, FaceSample, FaceSamples, FaceTrack, SubjectPoint

GATE = 1.5
"""Farthest that a face moves between two samples, in its own widths and heights."""

GATE_AFTER_ABSENCE = 0.5
"""The same for a face that was away longer than `ABSENT_S`: only who sits where they sat."""

SIZE_RATIO = 2.0
"""Largest change of size between two samples of the same face."""

ABSENT_S = 10.0
"""Away longer than this, in seconds, a person has left and another one may be followed."""

ABSENT_SAMPLES = 5
"""The same in samples, for footage that is looked at seldom."""

MIN_SAMPLES = 3
"""A person is seen at least this often; less is a mistake of the detector."""

SMOOTH_REACH_S = 2.0
"""How far the smoothing looks to either side, in seconds."""

SMOOTH_SIGMA_S = 1.0
"""Standard deviation of the smoothing's Gaussian weights, in seconds."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A face in one sample."""

    time_s: float
    box: FaceBox
    weight: float
    """Size × time × score."""


@dataclass(slots=True)
class _Person:
    """The boxes that are taken for the same face, in order of time."""

    seen: list[_Seen] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch in which a person is never away for long."""

    person: int
    seen: tuple[_Seen, ...]


def follow_subject(samples: FaceSamples) -> FaceTrack:
    """Return the path of the face to follow, smoothed, in order of time.

    Args:
        samples: what the detector saw, with any number of faces in each sample.

    Returns:
        One point for each sample in which the followed face was seen; positions between them are
        linear (`subject_at`). Empty where no face was seen often enough to be believed.
    """
    ordered = sorted(samples.samples, key=lambda sample: sample.time_s)
    if not ordered:
        return FaceTrack(())
    step_s = _step_s(ordered)
    absent_s = max(ABSENT_S, ABSENT_SAMPLES * step_s)
    runs = _runs(_linked(ordered, step_s, absent_s), absent_s)
    enough = min(MIN_SAMPLES, (len(ordered) + 1) // 2)
    return FaceTrack(_smoothed(_despiked(_chosen(runs, enough))))


def subject_at(track: FaceTrack, time_s: float) -> SubjectPoint | None:
    """Return where the followed face is at an instant of source time, held before and after.

    Between two points the position is linear. None where no face is followed.
    """
    points = track.points
    if not points:
        return None
    at = bisect_right(points, time_s, key=lambda point: point.time_s)
    before, after = points[max(at - 1, 0)], points[min(at, len(points) - 1)]
    length_s = after.time_s - before.time_s
    part = (time_s - before.time_s) / length_s if length_s > 0 else 0.0
    return SubjectPoint(
        time_s,
        before.x + part * (after.x - before.x),
        before.y + part * (after.y - before.y),
        before.size + part * (after.size - before.size),
    )


def _step_s(ordered: Sequence[FaceSample]) -> float:
    steps = [b.time_s - a.time_s for a, b in pairwise(ordered)]
    return median(steps) if steps else 1.0


def _linked(ordered: Sequence[FaceSample], step_s: float, absent_s: float) -> list[_Person]:
    """Return the people: each box goes to the nearest face that can have moved there."""
    people: list[_Person] = []
    for number, sample in enumerate(ordered):
        following_s = ordered[number + 1].time_s if number + 1 < len(ordered) else inf
        lasts_s = min(following_s - sample.time_s, 2 * step_s)
        faces = [
            _Seen(sample.time_s, box, box.height * box.score * lasts_s)
            for box in sorted(sample.boxes, key=_place)
        ]
        pairs = sorted(
            (_distance(person.seen[-1], seen, absent_s), index, face)
            for index, person in enumerate(people)
            if _may_return(person, sample.time_s, absent_s)
            for face, seen in enumerate(faces)
        )
        taken: set[int] = set()
        served: set[int] = set()
        for distance, index, face in pairs:
            if distance < inf and index not in served and face not in taken:
                people[index].seen.append(faces[face])
                served.add(index)
                taken.add(face)
        people += [_Person([seen]) for face, seen in enumerate(faces) if face not in taken]
    return people


def _may_return(person: _Person, time_s: float, absent_s: float) -> bool:
    """Return whether a person is still waited for; what was hardly seen is forgotten."""
    return len(person.seen) >= MIN_SAMPLES or time_s - person.seen[-1].time_s <= absent_s


def _place(box: FaceBox) -> tuple[float, ...]:
    return (box.x, box.y, box.width, box.height, box.score)


def _distance(last: _Seen, seen: _Seen, absent_s: float) -> float:
    """Return how far a face has moved in its own sizes; infinite where it is another face."""
    a, b = last.box, seen.box
    width, height = max(a.width, b.width), max(a.height, b.height)
    small = min(a.height, b.height)
    if small <= 0 or width <= 0 or height > SIZE_RATIO * small:
        return inf
    (ax, ay), (bx, by) = _center(a), _center(b)
    moved = hypot((bx - ax) / width, (by - ay) / height)
    gate = GATE_AFTER_ABSENCE if seen.time_s - last.time_s > absent_s else GATE
    return moved if moved <= gate else inf


def _center(box: FaceBox) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


def _runs(people: Sequence[_Person], absent_s: float) -> list[_Run]:
    """Split each person's appearances where they are away for long."""
    runs: list[_Run] = []
    for index, person in enumerate(people):
        start = 0
        for at in range(1, len(person.seen) + 1):
            ends = at == len(person.seen)
            if ends or person.seen[at].time_s - person.seen[at - 1].time_s > absent_s:
                runs.append(_Run(index, tuple(person.seen[start:at])))
                start = at
    return runs


def _chosen(runs: Sequence[_Run], enough: int) -> list[_Seen]:
    """Return the faces to follow in order of time, one at a time.

    The heaviest person gets all of their runs; what lies before, between and behind these goes to
    the heaviest of the others there, and so on.
    """
    out: list[_Seen] = []
    left = [list(runs)]
    while left:
        here = left.pop()
        best = _heaviest(here, enough)
        if best is None:
            continue
        own = sorted((r for r in here if r.person == best), key=lambda r: r.seen[0].time_s)
        out += [seen for run in own for seen in run.seen]
        ends_s = [t for run in own for t in (run.seen[0].time_s, run.seen[-1].time_s)]
        borders_s = [-inf, *ends_s, inf]
        others = [run for run in here if run.person != best]
        for start_s, end_s in zip(borders_s[::2], borders_s[1::2], strict=True):
            left.append(_within(others, start_s, end_s))
    return sorted(out, key=lambda seen: seen.time_s)


def _heaviest(runs: Sequence[_Run], enough: int) -> int | None:
    """Return the person with the largest weight among those seen often enough."""
    weights: dict[int, float] = {}
    counts: dict[int, int] = {}
    for run in runs:
        weights[run.person] = weights.get(run.person, 0.0) + sum(s.weight for s in run.seen)
        counts[run.person] = counts.get(run.person, 0) + len(run.seen)
    believed = [person for person, count in counts.items() if count >= enough]
    return max(believed, key=lambda person: (weights[person], -person), default=None)


def _within(runs: Sequence[_Run], start_s: float, end_s: float) -> list[_Run]:
    """Return what of the runs lies between two instants, without the instants."""
    parts = (
        _Run(run.person, tuple(seen for seen in run.seen if start_s < seen.time_s < end_s))
        for run in runs
    )
    return [part for part in parts if part.seen]


def _despiked(seen: Sequence[_Seen]) -> list[SubjectPoint]:
    """Return the faces' centres and heights, each the median of three neighbours."""
    values = [(*_center(face.box), face.box.height) for face in seen]
    points: list[SubjectPoint] = []
    for at, face in enumerate(seen):
        first = max(0, min(at - 1, len(values) - 3))
        x, y, size = (median(column) for column in zip(*values[first : first + 3], strict=True))
        points.append(SubjectPoint(face.time_s, x, y, size))
    return points


def _smoothed(points: Sequence[SubjectPoint]) -> tuple[SubjectPoint, ...]:
    """Return each point as the Gaussian-weighted mean of those within `SMOOTH_REACH_S`."""
    out: list[SubjectPoint] = []
    first = 0
    for point in points:
        while points[first].time_s < point.time_s - SMOOTH_REACH_S:
            first += 1
        total = x = y = size = 0.0
        for other in points[first:]:
            away_s = other.time_s - point.time_s
            if away_s > SMOOTH_REACH_S:
                break
            weight = exp(-0.5 * (away_s / SMOOTH_SIGMA_S) ** 2)
            total += weight
            x += weight * other.x
            y += weight * other.y
            size += weight * other.size
        values = (min(max(value / total, 0.0), 1.0) for value in (x, y, size))
        out.append(SubjectPoint(point.time_s, *values))
    return tuple(out)
