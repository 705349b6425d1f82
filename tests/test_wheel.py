"""What is installed is what lies here: a wheel without the widget's script or the tables would start and fail later."""

import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.house import FLOORS, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return ZipFile(path)


def sources() -> set[str]:
    files = (path for floor in FLOORS for path in (ROOT / floor).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}


def test_it_holds_every_file_of_the_packages_and_nothing_else(wheel: ZipFile) -> None:
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == sources()


@pytest.mark.parametrize("kind", ["widget/*.js", "sources/*.md", "sandbox/static/*", "store/migrations/versions/*.py"])
def test_it_holds_what_is_no_import(wheel: ZipFile, kind: str) -> None:
    assert any(Path(name).match(f"gateway/{kind}") for name in wheel.namelist())


def test_it_says_what_it_is(wheel: ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    said = message_from_bytes(wheel.read(name))
    assert (said["Name"], said["Description-Content-Type"]) == ("throughline", "text/markdown")
    assert str(said.get_payload()).startswith("# throughline")
