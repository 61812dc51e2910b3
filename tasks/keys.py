"""What the key of a result is made of. The one place that says so; it knows nothing of Prefect.

A key is the digest of: the step's name and version, the digests of its inputs' content, its own
settings as canonical JSON, and the identity of the tool or model where the result depends on it.
Never in a key: paths, times of files, log levels, run ids; nor threads or devices where the result
does not depend on them. No sets: their order changes from process to process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from tasks.timeline.document import to_canonical_json

DIGEST_BYTES = 32

VERSIONS = {
    "probe": 1,
    "audio": 1,
    "voice": 1,
    "transcript": 1,
    "faces": 1,
    "silence": 1,
    "sound": 1,
    "chunk": 1,
}
"""One number a stored step; raised whenever the step's code gives another result for the same
inputs. Each raise gets a line here that says what changed."""


@dataclass(frozen=True, slots=True)
class Key:
    """A digest, and the fields that it is the digest of."""

    digest: str
    fields: Mapping[str, Any]

    @property
    def step(self) -> str:
        return str(self.fields["step"])


def json_digest(value: Any) -> str:
    """Return the BLAKE2b-256 digest of a JSON value, written canonically."""
    text = to_canonical_json(value)
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def step_key(
    step: str,
    *,
    inputs: Mapping[str, Any],
    settings: BaseModel | None = None,
    tools: Mapping[str, str] | None = None,
) -> Key:
    """Return the key of one step's result.

    Args:
        step: the step's name, a key of `VERSIONS`.
        inputs: digests (or small values) of what the step works on, by name.
        settings: the step's own settings; defaults written out or left out are the same.
        tools: identities of programs and models that the result depends on.
    """
    fields = {
        "step": step,
        "version": VERSIONS[step],
        "inputs": dict(inputs),
        "settings": settings.model_dump(mode="json") if settings is not None else {},
        "tools": dict(tools or {}),
    }
    return Key(json_digest(fields), fields)
