"""The font that comes with finecut, so that every machine draws the same subtitles.

Inter Bold by The Inter Project Authors, SIL Open Font License 1.1 (the licence lies beside its
folder), cut down to Latin, Greek, Cyrillic and common symbols, with an empty glyph for U+2060.
A character that it lacks (Chinese, Arabic, emoji, …), and a family that is not bundled, are taken
from the fonts of the machine by fontconfig where there are any: those pictures may differ from
machine to machine.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tasks.media.digest import bytes_digest, file_digest

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FONTS_DIR = Path(__file__).resolve().parent / "assets" / "fonts" / "ttf"
"""What FFmpeg's option ``fontsdir`` must name; libass takes every file in it for a font."""

BUNDLED_FAMILY = "Inter"
FONT_FILE = FONTS_DIR / "Inter-Bold.ttf"

OTHER_FAMILY_MARGIN = 1.25
"""A font that is not bundled may be wider than Inter Bold by this much (DejaVu Sans Bold: 1.21)."""

KERNING_MARGIN = 1.03
"""Few pairs of Inter are set wider by kerning; a line of nothing but "W" gains 2.1 %."""

_MEASURED_EM = 1000
_COVERED = ((0x20, 0x24F), (0x2B0, 0x52F), (0x1E00, 0x20CF), (0x2100, 0x22FF))
"""Blocks that the bundled font covers; outside them an advance is guessed, on the wide side."""


def is_bundled(family: str) -> bool:
    """Return whether a font family comes with finecut."""
    return family.strip().casefold() == BUNDLED_FAMILY.casefold()


@cache
def digest() -> str:
    """Return the digest of the bundled font file; what is drawn with it depends on it."""
    return file_digest(FONT_FILE)


def is_drawn_alone(document: str) -> bool:
    """Return whether the bundled font draws all of an ASS document, whatever the machine has."""
    families = re.findall(r"^Style: [^,]*,([^,]*),", document, re.MULTILINE)
    return all(is_bundled(family) for family in families) and not uncovered(
        document.replace("\n", " ")
    )


@cache
def machine_digest() -> str:
    """Return a digest of what fonts this machine has, by their names and sizes."""
    home = Path.home()
    folders = (
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        Path("/Library/Fonts"),
        Path("/System/Library/Fonts"),
        Path(os.environ.get("WINDIR", "/nonexistent")) / "Fonts",
        home / ".fonts",
        home / "Library" / "Fonts",
        platformdirs.user_data_path() / "fonts",
    )
    found = sorted(
        f"{path.name} {path.stat().st_size}"
        for folder in folders
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.is_file()
    )
    return bytes_digest("\n".join(found).encode())


def measure(text: str, size_px: int) -> float:
    """Return the width in pixels of a text in the bundled font at an em of `size_px`.

    Kerning, which mostly narrows, is covered by `KERNING_MARGIN`; characters from elsewhere count
    1.1 em if wide, 0.8 em if not: the result is an upper bound in practice.
    """
    return sum(_advance_em(char) for char in text) * size_px * KERNING_MARGIN


def measurer(family: str) -> Callable[[str, int], float]:
    """Return `measure` for a family: with a margin where the font is not the bundled one."""
    if is_bundled(family):
        return measure
    return lambda text, size_px: measure(text, size_px) * OTHER_FAMILY_MARGIN


def uncovered(text: str) -> str:
    """Return the characters of a text, each once, that the bundled font does not cover.

    They are drawn with a font of this machine, or as boxes where it has none.
    """
    return "".join(c for c in dict.fromkeys(text) if not _covers(c) and not _is_mark(c))


@cache
def _font() -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(FONT_FILE), _MEASURED_EM, layout_engine=ImageFont.Layout.BASIC)


@cache
def _advance_em(char: str) -> float:
    """Return how far a character moves the pen, in em."""
    if _covers(char):
        return _font().getlength(char) / _MEASURED_EM
    if _is_mark(char):
        return 0.0
    return 1.1 if unicodedata.east_asian_width(char) in "WF" else 0.8


def _covers(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in _COVERED)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me", "Cf")
