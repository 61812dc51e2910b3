"""Why each step of a run ran, or did not: the fields of its key against the nearest earlier one."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.settings import Unit, units

LONGEST = 60
"""A value is cut to this many characters."""

PLAIN = Unit("")

Fields = Mapping[str, Any]
Noted = Callable[[str], Any]
"""Gives the JSON value of a digest, or none where it is not known."""

FOOTAGE = {"file": "the footage changed", "footage": "the footage changed"}
WHOLE = {
    "clips": "what is shown changed",
    "zoom": "zoom changed",
    "broll": "b-roll changed",
    "assets": "the b-roll's clips changed",
    "faces": "faces changed",
    "voice": "voice changed",
    "audio": "sound changed",
    "sources": "the footage changed",
    "silence": "silences changed",
    "streams": "the sound tracks changed",
    "fonts": "fonts changed",
    "stream": "the sound track changed",
    "video": "the picture stream changed",
    "videos": "the picture streams changed",
}
"""Inputs that are told as a whole."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of a key that is not as it was."""

    field: str
    old: str
    new: str
    text: str
    """For people."""
    count: int = 1
    """How often the same was found in a step's keys."""


@dataclass(frozen=True, slots=True)
class StepReason:
    """What one step did in a run, and why."""

    step: str
    state: str
    seconds: float
    why: tuple[Difference, ...] = ()
    note: str = ""
    """Said where there is nothing to compare with."""
    key: str = ""
    count: int = 1


def differences(old: Fields, new: Fields, noted: Noted) -> tuple[Difference, ...]:
    """Return the fields in which a key differs from an earlier one.

    Args:
        old: the fields of the earlier key.
        new: the fields of this one.
        noted: gives the values of digests among the inputs.
    """
    found: list[Difference] = []
    step = str(new["step"])
    if old["version"] != new["version"]:
        text = f"finecut's {step} step is version {new['version']}, was {old['version']}"
        found.append(Difference("version", str(old["version"]), str(new["version"]), text))
    for name, before, after in _pairs(old["settings"], new["settings"]):
        found.append(_setting(name, before, after))
    for name, before, after in _pairs(old["tools"], new["tools"]):
        was, now = _short(before), _short(after)
        found.append(Difference(f"tools.{name}", was, now, _tool_text(name, was, now)))
    for name, before, after in _pairs(old["inputs"], new["inputs"]):
        found += _input(name, before, after, noted)
    return tuple(found)


def settings_changed(old: Fields, new: Fields) -> tuple[Difference, ...]:
    """Return which settings two runs differ in, given each run's groups of settings."""
    out = []
    for group in dict.fromkeys([*new, *old]):
        for field, before, after in _pairs(old.get(group, {}), new.get(group, {})):
            out.append(_setting(f"{group}.{field}", before, after))
    return tuple(out)


def _setting(name: str, before: Any, after: Any) -> Difference:
    if isinstance(before, list) and isinstance(after, list):
        count = _changed([repr(each) for each in before], [repr(each) for each in after])
        return Difference(name, f"{len(before)}", f"{len(after)}", f"{name} changed ({count})")
    was, now = shown(name, before), shown(name, after)
    return Difference(name, was, now, f"{name} {was} → {now}")


def _pairs(old: Fields, new: Fields) -> list[tuple[str, Any, Any]]:
    names = list(dict.fromkeys([*new, *old]))
    return [(n, old.get(n), new.get(n)) for n in names if old.get(n) != new.get(n)]


def _tool_text(name: str, was: str, now: str) -> str:
    is_digest = len(was) >= LONGEST or len(now) >= LONGEST
    return f"another {name}" if is_digest else f"{name} {was} → {now}"


def _input(name: str, old: Any, new: Any, noted: Noted) -> list[Difference]:
    if name in FOOTAGE:
        return [Difference(name, _short(old), _short(new), FOOTAGE[name])]
    if name in ("transcript", "timeline"):
        tell = _words_text if name == "transcript" else _timeline_text
        text = tell(noted(str(old)), noted(str(new)))
        return [Difference(name, _short(old), _short(new), text)]
    if name == "subtitles":
        lines = _lines_changed(str(old or ""), str(new or ""))
        text = f"subtitles changed ({lines} line{'s' if lines != 1 else ''})"
        return [Difference(name, "", "", text)]
    if isinstance(old, Mapping) and isinstance(new, Mapping) and name not in WHOLE:
        return [
            Difference(
                f"{name}.{leaf}", _short(a), _short(b), f"{name}.{leaf} {_short(a)} → {_short(b)}"
            )
            for leaf, a, b in _pairs(old, new)
        ]
    whole = WHOLE.get(name)
    text = whole or f"{name} {_short(old)} → {_short(new)}"
    return [Difference(name, _short(old), _short(new), text)]


def _words_text(old: Any, new: Any) -> str:
    if not (isinstance(old, list) and isinstance(new, list)):
        return "transcript changed"
    count = _changed([word[0] for word in old], [word[0] for word in new])
    if count:
        return f"transcript changed ({count} word{'s' if count != 1 else ''})"
    times = sum(a[1:3] != b[1:3] for a, b in zip(old, new, strict=True))
    return f"transcript changed (times of {times} word{'s' if times != 1 else ''})"


def _timeline_text(old: Any, new: Any) -> str:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return "timeline changed"
    if old.get("rate") != new.get("rate"):
        return f"frame rate {old.get('rate')} → {new.get('rate')}"
    clips = [[repr(clip) for clip in each.get("clips", [])] for each in (old, new)]
    count = _changed(*clips)
    return f"timeline changed ({count} clip{'s' if count != 1 else ''})"


def _lines_changed(old: str, new: str) -> int:
    return _changed(old.splitlines(), new.splitlines())


def _changed(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many items were replaced, put in or taken out."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return sum(
        max(a1 - a0, b1 - b0) for tag, a0, a1, b0, b1 in matcher.get_opcodes() if tag != "equal"
    )


def shown(name: str, value: Any) -> str:
    """Return a setting's value as people write it: ``-30dB``, ``0.5s``, ``20%``."""
    if value is None or isinstance(value, str):
        return value or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return f"{len(value) or 'none'}"
    unit = units().get(name, PLAIN)
    return f"{value / unit.worth:g}{unit.sign}" if isinstance(value, float) else f"{value}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def nearest(new: Fields, earlier: Sequence[Fields]) -> Fields | None:
    """Return the earlier key of a step that this one differs from least; the latest of equals.

    Args:
        new: the fields of this key.
        earlier: fields of earlier keys of the same step, oldest first.
    """
    return min(reversed(earlier), key=lambda old: _distance(old, new), default=None)


def _distance(old: Fields, new: Fields) -> tuple[int, int]:
    """Return how far apart two keys are: first by what they are about, then by what changed."""
    about = ("file", "footage", "clips", "sound", "audio", "sources")
    apart = sum(old["inputs"].get(name) != new["inputs"].get(name) for name in about)
    parts = ("settings", "tools", "inputs")
    rest = sum(len(_pairs(old[part], new[part])) for part in parts)
    return apart, rest + (old["version"] != new["version"])


def explained(
    run: Fields,
    earlier_runs: Sequence[Fields],
    kept: Mapping[str, tuple[float, Fields]],
    noted: Noted,
) -> tuple[StepReason, ...]:
    """Return what each step of a run did and why, one by one, in the run's order.

    Args:
        run: the document of the run.
        earlier_runs: documents of the runs before it, oldest first.
        kept: for each kept result, when it was made (unix time) and the fields of its key.
        noted: gives the values of digests among the inputs.
    """
    before: dict[str, list[Fields]] = {}
    seen: set[str] = set()
    for earlier in earlier_runs:
        for line in earlier["steps"]:
            seen.add(line["key"])
            if line["fields"]:
                before.setdefault(line["step"], []).append(line["fields"])
    for made_s, fields in sorted(kept.values(), key=lambda item: item[0]):
        if made_s < run["started_s"]:
            before.setdefault(str(fields["step"]), []).append(fields)
    return tuple(_reason(line, before, seen, kept, noted) for line in run["steps"])


def _reason(
    line: Fields,
    before: Mapping[str, list[Fields]],
    seen: set[str],
    kept: Mapping[str, tuple[float, Fields]],
    noted: Noted,
) -> StepReason:
    plain = StepReason(line["step"], line["state"], line["seconds"], key=line["key"])
    if line["state"] not in ("miss", "computed") or not line["key"]:
        return plain
    why, note = _compared(line, before, seen, kept, noted)
    return StepReason(plain.step, plain.state, plain.seconds, why, note, plain.key)


def _compared(
    line: Fields,
    before: Mapping[str, list[Fields]],
    seen: set[str],
    kept: Mapping[str, tuple[float, Fields]],
    noted: Noted,
) -> tuple[tuple[Difference, ...], str]:
    is_kept = line["state"] == "miss"
    if line["key"] in seen:
        return (), "made before, but no longer kept" if is_kept else ""
    fields = line["fields"] or kept.get(line["key"], (0.0, None))[1]
    if fields is None:
        return (), "no longer kept, so there is nothing to compare"
    old = nearest(fields, before.get(line["step"], []))
    if old is None:
        return (), "nothing earlier to go by"
    return differences(old, fields, noted), ""


def summed(reasons: Sequence[StepReason]) -> tuple[StepReason, ...]:
    """Return one reason for each step and state, equal differences counted."""
    groups: dict[tuple[str, str], list[StepReason]] = {}
    for reason in reasons:
        groups.setdefault((reason.step, reason.state), []).append(reason)
    out = []
    for (step, state), members in groups.items():
        told = [change for member in members for change in member.why]
        if len(members) > 1:  # how many lines of each chunk changed says nothing of all
            told = [replace(each, text=each.text.partition(" (")[0]) for each in told]
        counts = Counter(change.text for change in told)
        first = {change.text: change for change in reversed(told)}
        why = tuple(
            Difference(c.field, c.old, c.new, text, counts[text])
            for text, c in reversed(first.items())
        )
        notes = "; ".join(dict.fromkeys(member.note for member in members if member.note))
        seconds = round(sum(member.seconds for member in members), 3)
        out.append(StepReason(step, state, seconds, why, notes, "", len(members)))
    return tuple(out)
