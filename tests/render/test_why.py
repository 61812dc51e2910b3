"""The sentences in which a run explains itself."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.render.why import differences, explained, nearest, settings_changed, shown, summed

PLAIN: dict[str, Any] = {
    "step": "zoom",
    "version": 3,
    "settings": {},
    "inputs": {},
    "tools": {},
}
WORDS = [["so", 0.0, 0.4, 1.0, False], ["we", 0.5, 0.7, 1.0, False], ["go", 0.8, 1.0, 1.0, True]]
SAID = {
    "one": WORDS,
    "two": [WORDS[0], ["they", 0.5, 0.7, 1.0, False], WORDS[2], ["now", 1.1, 1.3, 1.0, True]],
    "late": [WORDS[0], ["we", 0.6, 0.7, 1.0, False], WORDS[2]],
    "cut": {"rate": "25", "clips": [{"source_in": 0}, {"source_in": 50}]},
    "uncut": {"rate": "25", "clips": [{"source_in": 0}]},
}


@pytest.mark.parametrize(
    ("part", "name", "old", "new", "text"),
    [
        ("settings", "silence.threshold", -35.0, -30.0, "silence.threshold -35dB → -30dB"),
        ("settings", "silence.padding", 0.12, 0.2, "silence.padding 0.12s → 0.2s"),
        ("settings", "subtitles.size", 0.05, 0.06, "subtitles.size 5% → 6%"),
        ("settings", "faces.min_score", 0.5, 0.7, "faces.min_score 50% → 70%"),
        ("settings", "zoom.max", 1.15, 1.3, "zoom.max 1.15 → 1.3"),
        ("settings", "sound.bitrate", 192_000, 96_000, "sound.bitrate 192000 → 96000"),
        ("settings", "silence.enabled", True, False, "silence.enabled on → off"),
        ("settings", "transcript.prompt", None, "Names.", "transcript.prompt none → Names."),
        ("tools", "pyav", "18.0", "18.1", "pyav 18.0 → 18.1"),
        ("tools", "model", "a" * 64, "b" * 64, "another model"),
        ("inputs", "transcript", "one", "two", "transcript changed (2 words)"),
        ("inputs", "transcript", "one", "late", "transcript changed (times of 1 word)"),
        ("inputs", "transcript", "one", "lost", "transcript changed"),
        ("inputs", "timeline", "cut", "uncut", "timeline changed (1 clip)"),
        ("inputs", "file", "ab", "cd", "the footage changed"),
        ("inputs", "faces", "ab", "cd", "faces changed"),
        ("inputs", "broll", None, {"windows": []}, "b-roll changed"),
        ("inputs", "broll", {"windows": [1]}, {"windows": [2]}, "b-roll changed"),
        ("inputs", "assets", {}, {"ab": {}}, "the b-roll's clips changed"),
        ("settings", "broll.clips", [{"at": 1}], [{"at": 2}, {"at": 3}], "broll.clips changed (2)"),
        ("settings", "broll.clips", None, [{"at": 2}], "broll.clips none → 1"),
        ("inputs", "subtitles", "a\nb\nc", "a\nx\ny", "subtitles changed (2 lines)"),
        (
            "inputs",
            "encoding",
            {"quality": 20, "p": 1},
            {"quality": 18, "p": 1},
            "encoding.quality 20 → 18",
        ),
    ],
)
def test_what_changed_is_told(part: str, name: str, old: Any, new: Any, text: str) -> None:
    found = differences(
        {**PLAIN, part: {name: old, "same": 1}}, {**PLAIN, part: {name: new, "same": 1}}, SAID.get
    )

    assert [change.text for change in found] == [text]


def test_changed_settings_are_told() -> None:
    old = {"zoom": {"max": 1.15, "enabled": True}, "sound": {"track": None}}
    new = {"zoom": {"max": 1.3, "enabled": True}, "sound": {"track": 1}}

    told = [change.text for change in settings_changed(old, new)]

    assert told == ["zoom.max 1.15 → 1.3", "sound.track none → 1"]


def test_a_newer_step_is_told() -> None:
    (found,) = differences(PLAIN, {**PLAIN, "version": 4}, SAID.get)

    assert found.text == "finecut's zoom step is version 4, was 3"


def test_long_values_are_cut() -> None:
    assert len(shown("subtitles.font", "x")) == 1
    (found,) = differences(
        {**PLAIN, "inputs": {"language": "x" * 500}},
        {**PLAIN, "inputs": {"language": "y"}},
        SAID.get,
    )
    assert len(found.text) < 100


def test_the_nearest_is_about_the_same_and_the_latest_of_equals() -> None:
    def fields(file: str, **settings: int) -> dict[str, Any]:
        return {**PLAIN, "inputs": {"file": file}, "settings": settings}

    new = fields("ab", a=1, b=1)
    earlier = [fields("cd", a=1, b=1), fields("ab", a=2, b=2), fields("ab", a=2, b=1)]

    assert nearest(new, earlier) is earlier[2]
    assert nearest(new, [*earlier, dict(earlier[2])]) is not earlier[2]
    assert nearest(new, []) is None


def run(at_s: float, *lines: dict[str, Any]) -> dict[str, Any]:
    return {"started_s": at_s, "steps": list(lines)}


def line(key: str, state: str = "miss", **settings: float) -> dict[str, Any]:
    fields = {**PLAIN, "settings": {f"zoom.{name}": value for name, value in settings.items()}}
    return {"step": "zoom", "state": state, "seconds": 1.0, "key": key, "fields": fields}


def test_a_hit_needs_no_reason_and_a_lost_result_has_one() -> None:
    earlier = [run(1.0, line("k1", max=1.1)), run(2.0, line("k2", max=1.2))]
    told = explained(
        run(3.0, line("k1", "hit"), line("k2", max=1.2), line("k3", "computed", max=1.3)),
        earlier,
        {},
        SAID.get,
    )

    assert told[0].why == () and told[0].note == ""
    assert told[1].note == "made before, but no longer kept"
    assert [change.text for change in told[2].why] == ["zoom.max 1.2 → 1.3"]


def test_equal_reasons_are_counted() -> None:
    earlier = [run(1.0, line("k1", max=1.1))]
    now = run(2.0, *(line(f"n{number}", max=1.4) for number in range(3)), line("k1", "hit"))

    told = summed(explained(now, earlier, {}, SAID.get))

    assert [(reason.state, reason.count) for reason in told] == [("miss", 3), ("hit", 1)]
    assert [(change.text, change.count) for change in told[0].why] == [("zoom.max 1.1 → 1.4", 3)]
