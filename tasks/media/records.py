"""One stored result: how it stands in the index, and when it is to be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from tasks.media.blobs import Blob
from tasks.media.digest import DIGEST_BYTES, bytes_digest
from tasks.timeline.document import to_canonical_json

SCHEMA = "finecut/Entry.2"


class Tier(StrEnum):
    """How long a step's result is kept."""

    PERMANENT = "permanent"
    """Depends on the footage and the models: removed on request only."""
    CONDITIONAL = "conditional"
    """Depends on settings too: the least recently used goes when the store is full."""
    DYNAMIC = "dynamic"
    """Cheap: made anew each time, never stored."""


class Keyed(Protocol):
    """A key, as `tasks.keys` makes it."""

    @property
    def digest(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...
    @property
    def footage(self) -> tuple[str, ...]: ...
    @property
    def step(self) -> str: ...
    @property
    def tier(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored result."""

    value: Any
    """Plain JSON."""
    blobs: Mapping[str, Path] = field(default_factory=dict)
    """Files by name; read them, never write to them."""
    seconds: float = 0.0
    """What it took to compute."""
    size_bytes: int = 0
    """Of the files."""


@dataclass(frozen=True, slots=True)
class Record:
    """One stored result, as the index holds it."""

    key: str
    step: str
    tier: str
    fields: Mapping[str, Any]
    """What the key is the digest of."""
    value: Any
    blobs: Mapping[str, Blob]
    footage: tuple[str, ...]
    """Digests of the footage that it was made from."""
    seconds: float
    """What it took to compute."""
    made_s: float
    """When, in unix time."""

    @property
    def size_bytes(self) -> int:
        return sum(blob.size_bytes for blob in self.blobs.values())


def check_of(record: Mapping[str, Any]) -> str:
    """Return the digest of a record, but for the digest itself."""
    return json_digest({name: value for name, value in record.items() if name != "check"})


def json_digest(value: Any) -> str:
    """Return the BLAKE2b-256 digest of a JSON value, written canonically."""
    return bytes_digest(to_canonical_json(value).encode())


def is_other_version(stored: Any) -> bool:
    """Return whether an entry was written by another version of finecut."""
    schema = stored.get("schema") if isinstance(stored, dict) else None
    return isinstance(schema, str) and schema.startswith("finecut/Entry.") and schema != SCHEMA


def record_of(key: str, stored: Any) -> Record | None:
    """Return a record, or none where what is stored is foreign or damaged."""
    if not isinstance(stored, dict) or stored.get("schema") != SCHEMA:
        return None
    try:
        if stored["check"] != check_of(stored) or json_digest(stored["fields"]) != key:
            return None
        return Record(
            key=key,
            step=stored["step"],
            tier=stored["tier"],
            fields=stored["fields"],
            value=stored["value"],
            blobs={name: Blob(**blob) for name, blob in stored["blobs"].items()},
            footage=tuple(stored["footage"]),
            seconds=stored["seconds"],
            made_s=stored["made_s"],
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def is_digest(text: str) -> bool:
    """Return whether a text is a digest, as hexadecimal."""
    return len(text) == 2 * DIGEST_BYTES and set(text) <= set("0123456789abcdef")
