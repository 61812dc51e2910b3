"""Settings: units, bounds, names."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.settings import EditSettings, SilenceSettings, SubtitleSettings


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0.2s", 0.2), ("200ms", 0.2), ("0.2", 0.2), (0.2, 0.2), ("0.05 min", 3.0)],
)
def test_times_carry_their_unit(value: object, seconds: float) -> None:
    assert SilenceSettings(padding=value).padding == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["-35dB", "-35 dBFS", "-35", -35])
def test_levels_carry_their_unit(value: object) -> None:
    assert SilenceSettings(threshold=value).threshold == -35


def test_shares_carry_their_unit() -> None:
    assert SubtitleSettings(size="4%").size == pytest.approx(0.04)


@pytest.mark.parametrize(
    "values",
    [
        {"zoom": {"max": 0.5}},
        {"zoom": {"period": "6 apples"}},
        {"zoom": {"mx": 1.2}},
        {"silence": {"padding": "-1s"}},
        {"subtitles": {"color": "red"}},
        {"render": {"quality": "superb"}},
        {"nothing": {}},
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        EditSettings.model_validate(values)
