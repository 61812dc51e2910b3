"""The command line: exit codes, one message, one JSON object, and no footage overwritten."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import threading
from fractions import Fraction
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deployments.cli import environment, paths
from deployments.cli.main import app
from deployments.cli.running import told_plainly
from tasks import errors
from tasks.media.probe import probe
from tasks.render.report import plan_document, pretty
from tasks.timeline.model import Clip
from tests.builders import barcode_video, render_plan


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return barcode_video(tmp_path_factory.mktemp("footage") / "talk.mp4", Fraction(25), 50)


@pytest.fixture(autouse=True)
def no_flow(monkeypatch):
    """Let no test of this file get as far as a flow."""
    monkeypatch.setattr("deployments.cli.main._run", lambda *a, **k: pytest.fail("a flow started"))


def call(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def bad(*arguments: object) -> str:
    """Return the message of a command that must end with code 2, told alike as text and JSON."""
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("finecut: ") and "Traceback" not in err
    code, out, err = call(*arguments, "--json")
    assert (code, err) == (2, "")
    told = json.loads(out)
    assert told["ok"] is False and told["error"]["code"] in ("bad_input", "bad_settings")
    assert set(told["error"]) == {"code", "message", "hint"}
    return told["error"]["message"]


def test_missing_footage_and_a_folder(tmp_path):
    assert "no such file" in bad("edit", tmp_path / "none.mp4")
    assert "is a folder" in bad("edit", tmp_path)
    assert "no such file" in bad("plan", tmp_path / "none.mp4")


def test_wrong_settings(clip):
    assert "zoom.max" in bad("edit", clip, "--set", "zoom.max=9")


def test_an_output_that_cannot_be(clip, tmp_path):
    assert "does not end in" in bad("edit", clip, "-o", tmp_path / "film.gif")
    assert "cannot write" in bad("edit", clip, "-o", clip / "film.mp4")
    assert "cannot write" in bad("edit", clip, "-o", "/proc/film.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert "is a folder" in bad("edit", clip, "-o", tmp_path / "folder.mp4")
    (tmp_path / "film.finecut").write_text("in the way")
    assert "is in the way" in bad("edit", clip, "-o", tmp_path / "film.mp4")
    assert "cannot write" in bad("plan", clip, "-o", clip / "plan.json")


def test_footage_is_never_the_output(clip, tmp_path):
    before = clip.read_bytes()
    (tmp_path / "soft.mp4").symlink_to(clip)
    os.link(clip, tmp_path / "hard.mp4")
    (tmp_path / "way").symlink_to(clip.parent)
    for same in (clip, tmp_path / "soft.mp4", tmp_path / "hard.mp4", tmp_path / "way" / "talk.mp4"):
        assert "is the footage itself" in bad("edit", clip, "-o", same)
    assert "is the footage itself" in bad("edit", tmp_path / "soft.mp4", clip, "-o", clip)
    assert "is the footage itself" in bad("plan", clip, "-o", clip)
    assert clip.read_bytes() == before


def test_the_names_of_film_and_folder():
    film = paths.output_for([Path("/tmp/talk.mov")], None)
    assert film == Path("/tmp/talk.finecut.mp4")
    assert paths.artifacts_for(film) == Path("/tmp/talk.finecut")
    assert paths.artifacts_for(Path("/tmp/b.mkv")) == Path("/tmp/b.finecut")


def test_plans_that_cannot_be_rendered(tmp_path, clip):
    plan, film = tmp_path / "plan.json", tmp_path / "film.mp4"
    assert "cannot read" in bad("render", plan, "-o", film)
    for content, says in (
        ("{", "is no JSON"),
        ("[" * 100_000, "is no"),
        ("[]", "is no plan"),
        ("{}", "schema"),
    ):
        plan.write_text(content)
        assert says in bad("render", plan, "-o", film)
    plan.write_bytes(b"\xff\xfe\x00")
    assert "is no JSON" in bad("render", plan, "-o", film)
    source = probe(clip)
    document = plan_document(render_plan((source,), (Clip(0, 0, 40),)))
    document["timeline"]["clips"][0]["source"] = 3
    plan.write_text(pretty(document))
    assert "timeline.clips.0.source" in bad("render", plan, "-o", film)
    assert not film.exists()


def test_a_flow_is_given_the_name_of_a_plan_or_what_a_pipe_holds(tmp_path, clip, monkeypatch):
    plan, passed = tmp_path / "plan.json", []
    document = plan_document(render_plan((probe(clip),), (Clip(0, 0, 40),)))
    plan.write_text(pretty(document))

    def run(_flow, values, **_options):
        passed.append(values["plan"])
        raise errors.BadInput("enough")

    monkeypatch.setattr("deployments.cli.main._run", run)
    bad("render", plan, "-o", tmp_path / "film.mp4")
    assert passed == [plan, plan]

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for _ in range(2):
        threading.Thread(target=pipe.write_text, args=(pretty(document),), daemon=True).start()
        call("render", pipe, "-o", tmp_path / "film.mp4")
    assert passed[2:] == [document, document]


def test_a_plan_is_not_overwritten_by_its_film(tmp_path):
    plan = tmp_path / "plan.mp4"
    plan.write_text("{}")
    assert "is the footage itself" in bad("render", plan, "-o", plan)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (errors.BadInput("x", "y"), 2, "x"),
        (errors.Missing("x"), 3, "x"),
        (errors.VerificationFailed("x"), 4, "x"),
        (errors.ToolFailed("x"), 5, "x"),
        (errors.Interrupted("x"), 130, "x"),
        (KeyboardInterrupt(), 130, "stopped"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "/x: Permission denied"),
        (sqlite3.OperationalError("database or disk is full"), 1, "disk is full"),
        (sqlite3.OperationalError("database is locked"), 1, "database is locked"),
        (RuntimeError("Failed to reach API at http://x/"), 3, "server"),
        (RuntimeError("a\nsurprise"), 1, "unexpected: RuntimeError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_every_error_becomes_one_object_and_its_code(error, code, says, capsys):
    with pytest.raises(typer.Exit) as caught, told_plainly(as_json=True, verbose=False):
        raise error
    assert caught.value.exit_code == code
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert says in told["error"]["message"]


def test_markup_in_a_message_is_shown_as_it_is(capsys):
    with pytest.raises(typer.Exit), told_plainly(as_json=False, verbose=False):
        raise errors.BadInput("no such file: [red]x[/].mp4")
    assert "[red]x[/].mp4" in capsys.readouterr().err


def test_usage_errors_end_with_2():
    code, out, err = call("edit")
    assert code == 2 and not out and "Traceback" not in err
    assert call("edit", "--nonsense")[0] == 2
    assert call("--help")[0] == 0


def test_without_a_home_prefect_is_given_one_in_the_store(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.pop("PREFECT_HOME", None)
    os.environ.update(HOME=str(tmp_path / "file" / "home"), FINECUT_CACHE=str(tmp_path / "store"))
    environment.prepare(verbose=False)
    assert os.environ["PREFECT_HOME"] == str(tmp_path / "store" / "prefect")


def test_a_command_may_choose_its_own_exit_code(capsys):
    with pytest.raises(typer.Exit) as caught, told_plainly(as_json=False, verbose=False):
        raise typer.Exit(3)

    assert caught.value.exit_code == 3
    assert capsys.readouterr() == ("", "")
