"""Make the locks again from pyproject.toml: `make lock`, or `make lock UPGRADE=--upgrade`.

run.lock        the light install
dev.lock        the same pins, and the extras `dev`, `s3` and `whisper`
torch-cpu.lock  torch's CPU build for Linux on x86-64

All are hashed and name no place to install from. They are resolved on Linux for Python 3.11;
the hashes cover what each package offers for other systems and versions.

openai-whisper asks for triton on Linux, a gigabyte that only a GPU build of torch runs; dev.lock
leaves it out. That is why dev.lock is installed with --no-deps, and why `pip check` names triton.

torch's CPU build is a version of its own, 2.13.0+cpu, absent from the registry. torch-cpu.lock pins
it for machines whose pip is told where it lies; dev.lock pins the registry's 2.13.0, which the CPU
build satisfies once it is there. One pin cannot do both: pip prefers a file whose hash is known
before download, so the registry's CUDA build would win.
"""

import os
import subprocess
import sys
from pathlib import Path

from pip._internal.req.constructors import install_req_from_line
from piptools.locations import CACHE_DIR
from piptools.repositories import PyPIRepository

HERE = Path(__file__).parent
OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--strip-extras",
    "--all-build-deps",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
    "--no-emit-options",
    "--unsafe-package=pip",
    "--unsafe-package=triton",
)
HEADER = f"""#
# This file is made by `make lock`; {Path(__file__).name} says how it is meant.
#
"""


def compile_lock(name: str, *options: str) -> Path:
    """Resolve pyproject.toml into requirements/`name`; pins already there are kept."""
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *options]
    target = f"requirements/{name}"
    subprocess.run(
        [*command, f"--output-file={target}", "pyproject.toml"],
        cwd=HERE.parent,
        env={**os.environ, "CUSTOM_COMPILE_COMMAND": "make lock"},
        check=True,
    )
    return HERE.parent / target


def pin(requirement: str) -> str:
    """Write a pinned requirement with the hashes of all its files."""
    repository = PyPIRepository([], cache_dir=CACHE_DIR)
    with repository.allow_all_wheels():
        # `===` compares as text, so that 2.13.0 does not also mean 2.13.0+cpu
        wanted = install_req_from_line(requirement.replace("==", "==="))
        hashes = sorted(repository.get_hashes(wanted))
    return " \\\n".join([requirement, *(f"    --hash={digest}" for digest in hashes)]) + "\n"


def entry_of(name: str, lock: str) -> str:
    """Cut the entry of one package, its pin and hashes, out of a lock."""
    start = lock.index(f"\n{name}==") + 1
    return lock[start : lock.index("    # via", start)]


def main() -> None:
    """Make the three locks."""
    upgrade = sys.argv[1:]
    compile_lock("run.lock", *upgrade)
    dev = compile_lock(
        "dev.lock",
        *("--extra=dev", "--extra=s3", "--extra=whisper"),
        "--constraint=requirements/run.lock",
        *upgrade,
    )
    lock = dev.read_text()
    found = entry_of("torch", lock)
    version, _, build = found.split()[0].removeprefix("torch==").partition("+")
    dev.write_text(lock.replace(found, pin(f"torch=={version}")))
    if build:  # pip was told of a place that has it
        (HERE / "torch-cpu.lock").write_text(HEADER + pin(f"torch=={version}+{build}"))


if __name__ == "__main__":
    main()
