"""A run that was killed goes on from what is whole: a sample; `make soak` does twenty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import sample
from tests.soak.killing import kill_and_go_on


@pytest.mark.models
@pytest.mark.timeout(400)
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    talk = sample(tmp_path / "talk.mp4", 14)

    kill_and_go_on(tmp_path, talk, instants=2, seed=3)
