import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.analysis.faces import FaceBox, FaceSample, FaceSamples, FaceTrack, SubjectPoint
from tasks.analysis.subject import follow_subject, subject_at

part = st.floats(0, 1)


@st.composite
def boxes(draw):
    x, y = draw(part), draw(part)
    width, height = draw(st.floats(0, 1 - x)), draw(st.floats(0, 1 - y))
    return FaceBox(x, y, width, height, draw(part))


@st.composite
def any_samples(draw):
    steps = draw(st.lists(st.floats(0.05, 20), max_size=25))
    time_s = 0.0
    out = []
    for step_s in steps:
        time_s += step_s
        out.append(FaceSample(time_s, tuple(draw(st.lists(boxes(), max_size=4)))))
    return FaceSamples(tuple(out))


def face(x, y=0.4, size=0.2, score=0.9):
    """Return a face around a centre."""
    return FaceBox(x - size / 2, y - size / 2, size, size, score)


def each_second(*lists):
    return FaceSamples(tuple(FaceSample(float(n), tuple(b)) for n, b in enumerate(lists)))


def speed(track):
    return max(abs(b.x - a.x) / (b.time_s - a.time_s) for a, b in pairwise(track.points))


@given(any_samples())
def test_the_path_stays_in_the_picture_in_order_of_time(samples):
    points = follow_subject(samples).points
    for point in points:
        assert 0 <= point.x <= 1 and 0 <= point.y <= 1 and 0 <= point.size <= 1
    assert all(a.time_s < b.time_s for a, b in pairwise(points))
    assert {p.time_s for p in points} <= {s.time_s for s in samples.samples if s.boxes}


@given(any_samples(), st.randoms(use_true_random=False))
def test_the_order_of_boxes_does_not_matter(samples, shuffler):
    def shuffled(sample):
        return FaceSample(sample.time_s, tuple(shuffler.sample(sample.boxes, len(sample.boxes))))

    other = FaceSamples(tuple(shuffled(sample) for sample in samples.samples))
    assert follow_subject(other) == follow_subject(samples)


@settings(max_examples=60)
@given(st.integers(0, 10**9), st.floats(0, 0.35), st.floats(0.12, 0.25), st.floats(0.12, 0.25))
def test_it_never_switches_between_two_people_who_stay(seed, dropouts, left_size, right_size):
    source = random.Random(seed)

    def seen():
        both = (face(0.25, size=left_size, score=source.uniform(0.5, 1)),)
        both += (face(0.75, size=right_size, score=source.uniform(0.5, 1)),)
        return [box for box in both if source.random() > dropouts]

    points = follow_subject(each_second(*(seen() for _ in range(120)))).points
    assert points
    assert len({point.x > 0.5 for point in points}) == 1
    assert all(point.x == pytest.approx(0.25) or point.x == pytest.approx(0.75) for point in points)


@given(st.floats(0.1, 0.9), st.lists(st.booleans(), min_size=8, max_size=60))
def test_a_face_that_stays_is_held_wherever_it_is_lost(x, present):
    present[:2] = present[-2:] = [True, True]
    track = follow_subject(each_second(*([face(x)] if p else [] for p in present)))
    for time_s in range(-3, len(present) + 3):
        point = subject_at(track, time_s)
        assert point is not None and point.x == pytest.approx(x)


def test_the_largest_longest_and_surest_is_followed():
    large, small = face(0.7, size=0.3), face(0.2, size=0.1)
    assert follow_subject(each_second(*[[small, large]] * 10)).points[0].x == pytest.approx(0.7)
    often = [[small, large]] * 3 + [[small]] * 17
    assert follow_subject(each_second(*often)).points[0].x == pytest.approx(0.2)
    sure, unsure = face(0.7, score=0.9), face(0.2, score=0.5)
    assert follow_subject(each_second(*[[unsure, sure]] * 10)).points[0].x == pytest.approx(0.7)


def test_who_takes_over_is_followed_from_then_on_in_a_glide():
    track = follow_subject(each_second(*[[face(0.25)]] * 20, *[[face(0.75)]] * 10))
    assert subject_at(track, 15.0).x == pytest.approx(0.25)
    assert subject_at(track, 25.0).x == pytest.approx(0.75)
    xs = [point.x for point in track.points]
    assert xs == sorted(xs)
    assert speed(track) < 0.25


def test_a_guest_during_a_long_absence_is_followed_and_a_short_one_is_not():
    host, guest = face(0.3, size=0.3), face(0.7)
    away = follow_subject(each_second(*[[host]] * 30, *[[guest]] * 25, *[[host]] * 30))
    assert subject_at(away, 42.0).x == pytest.approx(0.7)
    brief = follow_subject(each_second(*[[host, guest]] * 30, *[[guest]] * 6, *[[host]] * 30))
    assert {round(point.x, 6) for point in brief.points} == {0.3}


def test_one_or_two_false_boxes_are_no_person():
    empty = [[]] * 10
    false = face(0.9, 0.9)
    assert follow_subject(each_second(*empty, [false], *empty, [false], *empty)).points == ()
    track = follow_subject(each_second(*[[face(0.3)]] * 10, [false], *[[face(0.3)]] * 10))
    assert {round(point.x, 6) for point in track.points} == {0.3}


def test_a_single_box_that_lies_wrong_does_not_move_the_path():
    track = follow_subject(
        each_second(*[[face(0.5)]] * 10, [face(0.65, size=0.3)], *[[face(0.5)]] * 10)
    )
    assert {round(point.x, 6) for point in track.points} == {0.5}
    assert {round(point.size, 6) for point in track.points} == {0.2}


def test_a_clip_of_one_sample_has_its_face():
    (point,) = follow_subject(each_second([face(0.4, 0.3, 0.25)])).points
    assert (point.x, point.y, point.size) == pytest.approx((0.4, 0.3, 0.25))


def test_shivering_boxes_give_a_calm_path():
    source = random.Random(1)
    shaky = [[face(0.5 + source.uniform(-0.02, 0.02))] for _ in range(300)]
    raw = max(abs(b[0].x - a[0].x) for a, b in pairwise(shaky))
    calm = speed(follow_subject(each_second(*shaky)))
    assert calm < raw / 2.5


def test_someone_who_walks_is_kept_in_the_path():
    walk = [[face(0.1 + 0.02 * n, size=0.15)] for n in range(40)]
    track = follow_subject(each_second(*walk))
    for time_s in range(3, 37):
        assert subject_at(track, time_s).x == pytest.approx(0.1 + 0.02 * time_s, abs=0.005)


def test_nobody_gives_nothing():
    assert follow_subject(FaceSamples(())) == FaceTrack(())
    assert follow_subject(each_second([], [], [])) == FaceTrack(())
    assert subject_at(FaceTrack(()), 1.0) is None


def test_positions_between_points_are_linear_and_held_at_the_ends():
    track = FaceTrack((SubjectPoint(1.0, 0.2, 0.4, 0.1), SubjectPoint(3.0, 0.6, 0.2, 0.3)))
    assert subject_at(track, 2.0) == SubjectPoint(2.0, 0.4, pytest.approx(0.3), pytest.approx(0.2))
    assert subject_at(track, 0.0) == SubjectPoint(0.0, 0.2, 0.4, 0.1)
    assert subject_at(track, 9.0) == SubjectPoint(9.0, 0.6, 0.2, 0.3)
