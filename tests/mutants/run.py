"""Puts a bug into a copy of the tree and runs tests there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.house import FLOORS, ROOT
from tests.mutants.catalogue import Mutant

LIMIT_S = 300
COPIED = (*FLOORS, "tests", "deploy", "docs", "pyproject.toml", "README.md")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "bench", "chaos", "powercut")
TESTS_FAILED = 1
"""pytest's exit code for that; others mean that it could not run, or found nothing."""


class DoesNotApply(Exception):
    """The code that the mutant breaks reads otherwise by now."""


def broken(mutant: Mutant, source: str) -> str:
    """The file's text with the bug in it."""
    for old, new in mutant.edits:
        if source.count(old) != 1:
            raise DoesNotApply(f"{mutant.name}: found {source.count(old)} times in {mutant.file}: {old!r}")
        source = source.replace(old, new)
    return source


@contextmanager
def copied() -> Iterator[Path]:
    """The tree, without what tests of the rooms do not need."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        root = Path(name)
        for one in COPIED:
            source = ROOT / one
            if source.is_dir():
                shutil.copytree(source, root / one, ignore=LEFT_OUT)
            else:
                shutil.copy(source, root / one)
        yield root


def put_in(mutant: Mutant, root: Path) -> None:
    path = root / mutant.file
    path.write_text(broken(mutant, path.read_text(encoding="utf-8")), encoding="utf-8")


def run_tests(root: Path, tests: tuple[str, ...]) -> tuple[int, str]:
    """pytest's exit code in the copy, and the end of what it said."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "--tb=line",
        "--timeout=90",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    environ = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done.returncode, (done.stdout + done.stderr)[-2000:]


def where(root: Path) -> str:
    """Which `gateway` a program started in the copy gets."""
    code = "import gateway; print(gateway.__file__)"
    environ = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environ, capture_output=True, text=True, check=True
    ).stdout.strip()


def is_noticed(mutant: Mutant) -> tuple[bool, str]:
    """True: the tests failed. The text is for people."""
    with copied() as root:
        put_in(mutant, root)
        code, said = run_tests(root, mutant.tests)
        return code == TESTS_FAILED, said
