"""Keys: what changes them, and what does not. A changed golden key is a deliberate diff."""

from __future__ import annotations

import pytest

from tasks.keys import VERSIONS, step_key
from tasks.settings import SilenceSettings, TranscriptSettings, ZoomSettings


def key(step: str = "faces", **changes: object) -> str:
    fields = {"inputs": {"file": "ab"}, "settings": ZoomSettings(), "tools": {"x": "1"}}
    return step_key(step, **{**fields, **changes}).digest  # type: ignore[arg-type]


def test_a_golden_key() -> None:
    assert VERSIONS["faces"] == 1
    assert key() == "b18f1e1321973f711e3a9f7de8cccc2b4b1ff52b8acf11fa0a9f98e64b8d73ce"


def test_everything_in_it_changes_it() -> None:
    keys = {
        key(),
        key("chunk"),
        key(inputs={"file": "cd"}),
        key(inputs={"name": "ab"}),
        key(settings=ZoomSettings(max=1.2)),
        key(settings=SilenceSettings()),
        key(tools={"x": "2"}),
    }

    assert len(keys) == 7


def test_a_default_written_out_is_a_default_left_out() -> None:
    assert key(settings=ZoomSettings(max=1.15, period="6s")) == key(settings=ZoomSettings())


def test_order_does_not_matter() -> None:
    assert key(inputs={"a": 1, "b": 2}) == key(inputs={"b": 2, "a": 1})


def test_units_are_the_same_value() -> None:
    assert key(settings=SilenceSettings(padding="200ms")) == key(
        settings=SilenceSettings(padding=0.2)
    )


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(KeyError):
        step_key("nothing", inputs={})


def test_settings_hold_no_sets() -> None:
    for model in (SilenceSettings, TranscriptSettings, ZoomSettings):
        assert "set" not in str([field.annotation for field in model.model_fields.values()])
