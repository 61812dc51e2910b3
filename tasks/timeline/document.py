"""Nouns as versioned JSON documents: ``{"schema": "finecut/RenderPlan.1", …}`` and back.

Pydantic does the work on plain frozen dataclasses; a `Fraction` is written as ``"30000/1001"``.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from tasks.errors import BadInput

T = TypeVar("T")


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type) -> TypeAdapter[Any]:
    """Return what reads and writes a noun; building one takes tens of milliseconds."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def schema_name(kind: type, version: int) -> str:
    """Return the schema tag of a noun: ``finecut/Timeline.1``."""
    return f"finecut/{kind.__name__}.{version}"


def to_document(value: Any, version: int = 1) -> dict[str, Any]:
    """Return a frozen dataclass as a JSON document with its schema tag."""
    body = _adapter(type(value)).dump_python(value, mode="json")
    return {"schema": schema_name(type(value), version), **body}


def to_canonical_json(document: Any) -> str:
    """Return JSON that is the same for equal documents: sorted keys, no spaces, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_document(kind: type[T], document: Any, version: int = 1) -> T:
    """Return the noun that a document holds.

    Raises:
        BadInput: the document is of another schema or version, or a field is missing or wrong.
    """
    expected = schema_name(kind, version)
    found = document.get("schema") if isinstance(document, dict) else None
    if found != expected:
        raise BadInput(
            f"expected a document with schema {expected!r}, got {found!r}",
            "it was written by another version of finecut, or it is another kind of file",
        )
    body = {key: value for key, value in document.items() if key != "schema"}
    try:
        value: T = _adapter(kind).validate_python(body, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise BadInput(
            f"{expected}: {where}: {first['msg']} (got {first.get('input')!r:.80})",
            "mend that field, or make the document again",
        ) from error
    return value
