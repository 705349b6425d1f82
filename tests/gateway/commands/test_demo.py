"""What `demo` says once it serves."""

from pathlib import Path

import msgspec
import pytest

from gateway.commands.demo import welcome
from gateway.sandbox.attach import Note
from gateway.sandbox.demo import demo_config


def said(folder: Path, capsys: pytest.CaptureFixture[str], host: str = "127.0.0.1", wished: int = 0) -> str:
    config = demo_config(folder, host=host, port=0, environ={})
    (folder / "sandbox.json").write_bytes(msgspec.json.encode(Note(config.public_url, "tl_a_b")))
    welcome(config, wished_port=wished or config.server.port)
    return capsys.readouterr().out


def test_the_first_line_is_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *rest = said(tmp_path, capsys).splitlines()
    assert first.startswith("Ready: http://127.0.0.1:")
    assert first.endswith("/sandbox")
    assert "Bearer tl_a_b" in "\n".join(rest)
    assert str(tmp_path) in "\n".join(rest)


def test_what_to_type_in_another_shell_works_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "throughline"
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["bin/throughline"])
    monkeypatch.setenv("PATH", "/nowhere")
    asks = "simulate whatsapp 'Where is my order?'"
    assert f"from another shell: bin/throughline {asks}\n" in said(tmp_path / "demo-data", capsys)
    monkeypatch.setenv("PATH", str(program.parent))
    assert f"from another shell: throughline {asks}\n" in said(tmp_path / "demo-data", capsys)
    other = tmp_path / "my data"
    assert f"from another shell: throughline {asks} --data-dir '{other}'\n" in said(other, capsys)
    monkeypatch.setattr("sys.argv", ["gateway/__main__.py"])
    assert f"-m gateway {asks}" in said(tmp_path / "demo-data", capsys)


def test_a_port_that_was_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "port 1 is taken by another program" in said(tmp_path, capsys, wished=1)
    assert "is taken" not in said(tmp_path, capsys)


def test_listening_everywhere_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "whoever reaches this machine" in said(tmp_path, capsys, host="0.0.0.0")
