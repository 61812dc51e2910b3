"""Twenty kills at random instants: `make soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import SAMPLE
from tests.soak.killing import kill_and_go_on


@pytest.mark.timeout(3600)
@pytest.mark.models
def soak_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    kill_and_go_on(tmp_path, SAMPLE, instants=20, seed=20261124)
