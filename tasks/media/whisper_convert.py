"""Whisper weights in CTranslate2's form, read as the state that openai-whisper loads.

CTranslate2's converter only renames the tensors and puts query, key and value (in the encoder and
in the decoder's self-attention) or key and value (in its cross-attention) on top of one another;
both forms hold the same 16-bit numbers, so nothing is lost on the way back. The layout of
``model.bin`` is that of ``ModelSpec._serialize`` in ``ctranslate2/specs/model_spec.py``.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tasks.errors import BadInput

BINARY_VERSION = 6
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
"""CTranslate2's numbers for types; 5, bfloat16, has no counterpart in NumPy."""

_SIMPLE = (
    (r"decoder/embeddings/weight", "decoder.token_embedding.weight"),
    (r"(encoder|decoder)/position_encodings/encodings", r"\1.positional_embedding"),
    (r"encoder/(conv[12])/(weight|bias)", r"encoder.\1.\2"),
    (r"encoder/layer_norm/(gamma|beta)", r"encoder.ln_post.\1"),
    (r"decoder/layer_norm/(gamma|beta)", r"decoder.ln.\1"),
    (r"(\w+)/layer_(\d+)/self_attention/layer_norm/(gamma|beta)", r"\1.blocks.\2.attn_ln.\3"),
    (r"(\w+)/layer_(\d+)/attention/layer_norm/(gamma|beta)", r"\1.blocks.\2.cross_attn_ln.\3"),
    (r"(\w+)/layer_(\d+)/ffn/layer_norm/(gamma|beta)", r"\1.blocks.\2.mlp_ln.\3"),
    (r"(\w+)/layer_(\d+)/ffn/linear_0/(weight|bias)", r"\1.blocks.\2.mlp.0.\3"),
    (r"(\w+)/layer_(\d+)/ffn/linear_1/(weight|bias)", r"\1.blocks.\2.mlp.2.\3"),
)
_ATTENTION = re.compile(r"(\w+)/layer_(\d+)/(self_attention|attention)/linear_(\d)/(weight|bias)")
_STACKED = {
    ("self_attention", "0"): ("query", "key", "value"),
    ("self_attention", "1"): ("out",),
    ("attention", "0"): ("query",),
    ("attention", "1"): ("key", "value"),
    ("attention", "2"): ("out",),
}


@dataclass(frozen=True, slots=True)
class WhisperWeights:
    """What openai-whisper needs to build a model."""

    dims: dict[str, int]
    """The fields of openai-whisper's ``ModelDimensions``."""
    state: dict[str, np.ndarray]
    """The tensors by openai-whisper's names."""
    alignment_heads: tuple[tuple[int, int], ...]
    """(layer, head) of the attention heads that follow time; empty: the later half of them."""


def read_weights(folder: Path) -> WhisperWeights:
    """Read the Whisper model that lies in CTranslate2's form in `folder`.

    Raises:
        BadInput: it is no Whisper model, or one in a form or precision that this cannot read.
    """
    path = folder / "model.bin"
    try:
        with path.open("rb") as handle:
            raw = dict(_variables(handle))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, struct.error, KeyError, ValueError) as error:
        raise BadInput(
            f"{path} cannot be read as a Whisper model of CTranslate2's ({error})",
            "name a folder with model.bin and config.json, in float16 or float32",
        ) from error
    state: dict[str, np.ndarray] = {}
    for name, tensor in raw.items():
        state |= _renamed(name, tensor)
    heads = tuple((int(layer), int(head)) for layer, head in config.get("alignment_heads") or ())
    return WhisperWeights(_dims(raw, state), state, heads)


def _text(handle: BinaryIO) -> str:
    (length,) = struct.unpack("<H", handle.read(2))
    return handle.read(length).rstrip(b"\0").decode("utf-8")


def _variables(handle: BinaryIO) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and value of each variable of a ``model.bin``."""
    (version,) = struct.unpack("<I", handle.read(4))
    specification = _text(handle) if version == BINARY_VERSION else ""
    if specification != "WhisperSpec":
        raise ValueError(f"binary version {version}, {specification or 'unknown'!r}")
    _revision, count = struct.unpack("<II", handle.read(8))
    for _ in range(count):
        name = _text(handle)
        (rank,) = struct.unpack("<B", handle.read(1))
        shape = struct.unpack(f"<{rank}I", handle.read(4 * rank))
        kind, size_bytes = struct.unpack("<BI", handle.read(5))
        if kind not in _TYPES:
            raise ValueError(f"{name} has the type {kind}")
        yield name, np.frombuffer(handle.read(size_bytes), _TYPES[kind]).reshape(shape)


def _renamed(name: str, tensor: np.ndarray) -> dict[str, np.ndarray]:
    """Return a tensor under openai-whisper's name or, unstacked, under its names."""
    if match := _ATTENTION.fullmatch(name):
        side, layer, kind, linear, what = match.groups()
        parts = _STACKED[kind, linear]
        module = "attn" if kind == "self_attention" else "cross_attn"
        pieces = zip(parts, np.split(tensor, len(parts)), strict=True)
        return {
            f"{side}.blocks.{layer}.{module}.{part}.{what}": piece
            for part, piece in pieces
            if (part, what) != ("key", "bias")  # Whisper's keys have none; it is filled with 0
        }
    for pattern, replacement in _SIMPLE:
        if re.fullmatch(pattern, name):
            new = re.sub(pattern, replacement, name)
            return {new.replace("gamma", "weight").replace("beta", "bias"): tensor}
    return {}  # a flag of CTranslate2's own


def _dims(raw: dict[str, np.ndarray], state: dict[str, np.ndarray]) -> dict[str, int]:
    vocabulary, text_state = state["decoder.token_embedding.weight"].shape
    audio_context, audio_state = state["encoder.positional_embedding"].shape

    def layers(side: str) -> int:
        return sum(
            1 for name in state if re.fullmatch(rf"{side}\.blocks\.\d+\.attn_ln\.bias", name)
        )

    return {
        "n_mels": state["encoder.conv1.weight"].shape[1],
        "n_audio_ctx": audio_context,
        "n_audio_state": audio_state,
        "n_audio_head": int(raw["encoder/num_heads"]),
        "n_audio_layer": layers("encoder"),
        "n_vocab": vocabulary,
        "n_text_ctx": state["decoder.positional_embedding"].shape[0],
        "n_text_state": text_state,
        "n_text_head": int(raw["decoder/num_heads"]),
        "n_text_layer": layers("decoder"),
    }
