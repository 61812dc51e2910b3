"""The README tells of every command and every group of settings, and its settings are real."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer.main

from deployments.cli.main import app
from tasks.settings import EditSettings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_shows_each_command(command: str) -> None:
    assert re.search(rf"^finecut {command}\b", README, re.MULTILINE)


@pytest.mark.parametrize("group", list(EditSettings.model_fields))
def test_readme_shows_each_group_of_settings(group: str) -> None:
    assert f"\n[{group}]\n" in README


def test_the_settings_in_the_readme_are_valid() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)

    settings = EditSettings.model_validate(tomllib.loads(block))

    assert settings.silence.padding == 0.15


def test_defaults_in_the_readme_are_the_defaults() -> None:
    defaults = EditSettings()

    assert f"max = {defaults.zoom.max}" in README
    assert f'period = "{defaults.zoom.period:g}s"' in README
    assert f'highlight = "{defaults.subtitles.highlight}"' in README
    assert f'model = "{defaults.transcript.model}"' in README


@pytest.mark.parametrize("name", re.findall(r"^\| `(\w+/)`", README, re.MULTILINE))
def test_folders_in_the_map_exist(name: str) -> None:
    assert (Path(__file__).parents[1] / name).is_dir()


def test_every_setting_has_a_description() -> None:
    for group in EditSettings.model_fields:
        for name, field in type(getattr(EditSettings(), group)).model_fields.items():
            assert field.description, f"{group}.{name}"
            assert field.description.endswith((".", "…")), f"{group}.{name}"
