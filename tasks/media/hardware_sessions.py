"""Sessions of hardware encoders: a card encodes but a few streams at once."""

from __future__ import annotations

import platform

SESSIONS = 2
"""How many a machine has unless its worker was told otherwise: what the smallest cards allow."""


def is_hardware(encoder: str) -> bool:
    """Return whether FFmpeg's encoder of that name is a card's: software ones are libraries."""
    return not encoder.startswith("lib")


def limit_name(encoder: str) -> str:
    """Return the name of the limit that a family of encoders has on this machine."""
    family = encoder.rpartition("_")[2]
    node = "".join(sign if sign.isalnum() else "-" for sign in platform.node())
    return f"finecut-{family}-{node}"
