"""Written words: cleaned, measured for the eye, joined, and where they may break."""

from __future__ import annotations

import re
import unicodedata

_CLOSING = "\"'”’»)]』」）】"
_SENTENCE_END = re.compile(rf"[.!?…。！？؟۔।][{re.escape(_CLOSING)}]*$")
CLAUSE_END = re.compile(rf"[,;:،、，；：–—][{re.escape(_CLOSING)}]*$")
_ABBREVIATION = re.compile(
    r"(?:\w\.){2,}|[A-HJ-Z]\.|\d{1,2}\.|(?i:mr|mrs|ms|dr|st|vs|prof|bzw|ca|sr|sra)\."
)
ONLY_CLOSING = re.compile(rf"[\s{re.escape(_CLOSING)}.!?…,;:%。！？、，；：؟،]+")
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u3400-\u9fff\uf900-\ufaff"
    "\uff01-\uff65\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Chinese and Japanese: written without spaces between words."""
_LEADING = """
and or but nor so because that which who when where while if as than of in on at to for from
with by about into over after before the a an und oder aber weil dass wenn als von im am auf zu
mit für der die das ein eine et ou mais que qui quand si de du des en dans sur pour avec le la
les un une y o pero porque cuando con por para el los las e mas quando com em no na os um uma il
lo gli i ma che di da per
"""
LEADING_WORDS = frozenset(_LEADING.split())
"""Conjunctions, prepositions, articles: they lean on what follows (en, de, fr, es, pt, it)."""


def gap(before: str, after: str) -> str:
    """Return what stands between two words: a space, or nothing in a script without spaces."""
    if ONLY_CLOSING.fullmatch(after):
        return ""
    return "" if UNSPACED.match(before[-1]) and UNSPACED.match(after[0]) else " "


def columns(text: str) -> int:
    """Return the length of a text for the eye: wide East Asian characters count two, marks none."""
    return sum(
        0 if unicodedata.category(char) in ("Mn", "Me", "Cf") else 1 + (_is_wide(char))
        for char in text
    )


def clean_text(text: str) -> str:
    """Return the text without control characters, direction overrides and doubled spaces."""
    kept = (" " if char.isspace() else char for char in text if _is_drawable(char))
    return " ".join("".join(kept).split())


def _is_drawable(char: str) -> bool:
    category = unicodedata.category(char)
    if category == "Cf":  # joiners shape Arabic, Indic and emoji; the rest reorders or hides text
        return char in "\u200c\u200d" or "\u0600" <= char <= "\u08e2"
    return char.isspace() or category not in ("Cc", "Cs")


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def ends_sentence(text: str) -> bool:
    """Return whether a word closes a sentence (``Dr.``, ``e.g.`` and ``3.`` do not)."""
    return bool(_SENTENCE_END.search(text)) and not _ABBREVIATION.fullmatch(text)
