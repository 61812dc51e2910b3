"""Nouns as documents."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from tasks.errors import BadInput
from tasks.timeline.document import from_document, to_canonical_json, to_document
from tasks.timeline.model import Clip, Timeline

TIMELINE = Timeline(Fraction(30000, 1001), (Clip(0, 3, 90), Clip(1, 0, 5)))


def test_round_trip_through_json() -> None:
    document = json.loads(json.dumps(to_document(TIMELINE)))

    assert document["schema"] == "finecut/Timeline.1"
    assert document["rate"] == "30000/1001"
    assert from_document(Timeline, document) == TIMELINE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "finecut/Timeline.9"}, "finecut/Timeline.1"),
        ({"rate": "fast"}, "rate"),
        ({"clips": [{"source": 0, "source_in": 5, "source_out": 5}]}, "clips.0"),
        ({"clips": 3}, "clips"),
    ],
)
def test_a_bad_document_names_the_field(change: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        from_document(Timeline, {**to_document(TIMELINE), **change})


@pytest.mark.parametrize("document", [None, [], "x", {}])
def test_what_is_no_document_is_refused(document: object) -> None:
    with pytest.raises(BadInput, match="schema"):
        from_document(Timeline, document)


def test_canonical_json_does_not_depend_on_order() -> None:
    assert to_canonical_json({"b": 1, "a": [2]}) == to_canonical_json({"a": [2], "b": 1})
