"""`init`."""

from pathlib import Path

import pytest

from gateway.commands import Failed
from gateway.commands.start import begin
from gateway.config import load


def test_it_writes_a_configuration_that_loads(tmp_path: Path) -> None:
    begun = begin(tmp_path / "new" / "t.yaml", [])
    assert (begun.key_is_new, begun.variables) == (True, ())
    assert load(begun.config, {}).key == begun.key.read_text().strip()


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert begin(tmp_path / "t.yaml", []).key.stat().st_mode & 0o777 == 0o600


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    one, two = begin(tmp_path / "a" / "t.yaml", []), begin(tmp_path / "b" / "t.yaml", [])
    assert one.key.read_text() != two.key.read_text()


def test_a_key_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "throughline.key").write_text("precious")
    assert not begin(tmp_path / "t.yaml", []).key_is_new
    assert (tmp_path / "throughline.key").read_text() == "precious"


def test_a_configuration_that_is_there_stays_and_no_key_is_made(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("mine")
    with pytest.raises(Failed, match="left as it is"):
        begin(tmp_path / "t.yaml", [])
    assert (tmp_path / "t.yaml").read_text() == "mine"
    assert not (tmp_path / "throughline.key").exists()


def test_an_unknown_type_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="unknown type; did you mean `webchat`"):
        begin(tmp_path / "t.yaml", ["webchatt"])
    assert list(tmp_path.iterdir()) == []


def test_an_active_type_asks_for_its_variables(tmp_path: Path) -> None:
    assert "WHATSAPP_VERIFY_TOKEN" in begin(tmp_path / "t.yaml", ["whatsapp"]).variables
