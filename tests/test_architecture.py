"""What the tree promises: who imports whom, what is packaged, what is small, what is not said."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports
from setuptools import find_packages

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {"flows", "tasks", "deployments"}

NOT_STEPS = {
    *("__init__", "answers", "caching", "dealing", "engine", "errors", "keys", "pool", "run"),
    *("serving", "settings", "under_prefect"),
}
STEPS = sorted(path for path in ROOT.glob("tasks/*.py") if path.stem not in NOT_STEPS)
LINES_OF_A_STEP = 120

# Written in pieces, so that this file passes its own test.
REGISTRY_HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "deb." + "debian.org",
)
MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/")
UNSAID = re.compile(
    "|".join(
        [
            *(re.escape(host) for host in REGISTRY_HOSTS),
            # a path begins there: `https://host/a/b` and `../a/b` are something else
            *(rf"(?<![\w.]){re.escape(path)}" for path in MACHINE_PATHS),
        ]
    )
)


def files_of_the_repository():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def unsaid_words_in(path):
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # a picture, a sound, a video
        return []
    return [f"{path.relative_to(ROOT)}: {word}" for word in UNSAID.findall(text)]


def test_imports_run_along_the_arrows(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    status = lint_imports(no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_the_three_packages_are_what_setuptools_finds():
    include = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    found = set(find_packages(str(ROOT), include=include))
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert {name.partition(".")[0] for name in found} == PACKAGES
    assert folders == found, "a folder with modules lacks its __init__.py"


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_a_step_stays_thin(path):
    assert len(path.read_text().splitlines()) < LINES_OF_A_STEP


def test_no_file_names_a_registry_or_a_place_on_one_machine():
    found = [line for path in files_of_the_repository() for line in unsaid_words_in(path)]
    assert found == []


@pytest.mark.parametrize("word", [*REGISTRY_HOSTS, *MACHINE_PATHS])
def test_the_unsaid_is_found_where_it_is_said(word):
    assert UNSAID.search(f"see {word}thing")


def test_locks_are_hashed_and_name_no_place():
    for lock in sorted(ROOT.glob("requirements/*.lock")):
        lines = lock.read_text().splitlines()
        pins = [line for line in lines if re.match(r"[a-z0-9]", line)]
        assert pins
        assert all(re.fullmatch(r"[\w.-]+==\S+ \\", pin) for pin in pins), lock
        assert not [line for line in lines if "://" in line or line.startswith("--")]


def test_the_development_lock_repeats_the_pins_of_the_light_one():
    run, dev = (
        set(
            re.findall(
                r"^[\w.-]+==\S+", (ROOT / f"requirements/{name}.lock").read_text(), re.MULTILINE
            )
        )
        for name in ("run", "dev")
    )
    assert run <= dev
