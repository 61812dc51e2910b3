"""The output's sound: rendered once, whole, streaming, and encoded once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tasks.media.audio import BLOCK_SAMPLES, SampleReader
from tasks.media.files import written_whole
from tasks.timeline.model import Source


class _Segment:
    pass
