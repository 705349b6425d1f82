"""The command line, in this process; and what it costs to ask for help."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.commands import Failed
from gateway.operator.tokens import Token
from gateway.security import Scope

HEAVY = {
    "adapters", "aiohttp", "alembic", "asyncio", "cryptography", "importlib.metadata", "msgspec", "phonenumbers",
    "prometheus_client", "rich", "sqlalchemy", "structlog", "uvloop", "yaml",
}  # fmt: skip
COMMANDS = {
    "check", "demo", "doctor", "init", "migrate", "openapi", "parse", "prune", "render", "replay", "schema", "send",
    "serve", "simulate", "token", "trace",
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THROUGHLINE_CONFIG", raising=False)
    return tmp_path


def run(*arguments: str, given: str = "") -> Result:
    result = CliRunner().invoke(main, arguments, input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def operator(here: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What does the work, replaced: these tests are about what is asked of it."""
    run("init")
    module = ModuleType("gateway.operator")
    monkeypatch.setitem(sys.modules, "gateway.operator", module)
    monkeypatch.setattr("gateway.operator", module, raising=False)
    return module


def test_every_command_is_there() -> None:
    assert main.commands.keys() == COMMANDS


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--help"], "Commands:"),
        (["serve", "--help"], "Usage:"),
        (["token", "list", "--help"], "Usage:"),
        (["sreve"], "No such command"),
        (["serve", "--prot"], "No such option"),
    ],
)
def test_help_and_what_was_misspelt_import_nothing_heavy(arguments: list[str], said: str) -> None:
    code = (
        "import sys\nbefore = set(sys.modules)\nfrom gateway.cli import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit:\n    pass\n"
        "print('loaded', *sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    errors, _, modules = done.stderr.rpartition("loaded")
    loaded = set(modules.split())
    assert said in done.stdout + errors
    assert "click" in loaded
    assert loaded & HEAVY == set()
    assert len(loaded) < 130


@pytest.mark.parametrize("arguments", [(), ("token",)])
def test_no_command_is_explained_with_half_a_sentence(arguments: tuple[str, ...]) -> None:
    shown = run(*arguments, "--help").stdout
    assert "Commands:" in shown
    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {name}")


def test_python_dash_m_gateway_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("throughline ")


def test_init_then_check_is_in_order(here: Path) -> None:
    assert run("init").exit_code == 0
    result = run("check")
    assert (result.exit_code, result.stdout) == (0, "throughline.yaml is in order. Endpoints: none yet\n")


def test_what_is_written_is_for_its_owner_alone(here: Path) -> None:
    mask = os.umask(0o022)
    try:
        run("init")
        run("migrate")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(mask)
    made = [here / name for name in ("throughline.yaml", "throughline.key", "data", "data/throughline.db")]
    assert [path.stat().st_mode & 0o077 for path in made] == [0, 0, 0, 0]


def test_init_names_the_variables_that_it_leaves_open(here: Path) -> None:
    result = run("init", "--with", "whatsapp", "conf/t.yaml")
    assert "WHATSAPP_ACCESS_TOKEN" in result.stdout
    assert "throughline serve -c conf/t.yaml" in result.stdout


def test_init_overwrites_nothing(here: Path) -> None:
    (here / "throughline.yaml").write_text("mine")
    result = run("init")
    assert (result.exit_code, result.stderr) == (1, "throughline.yaml is there already; it was left as it is\n")
    assert (here / "throughline.yaml").read_text() == "mine"


def test_check_lists_every_mistake_without_a_traceback(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init")
    monkeypatch.setenv("THROUGHLINE_SERVER__PROT", "1")
    monkeypatch.setenv("THROUGHLINE_AI__ENGINE", "oracle")
    result = run("check")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "The configuration has 2 mistakes:",
        "  ai.engine: expected one of: builtin, echo, none",
        "  server.prot: unknown setting; did you mean `port`?",
    ]


def test_check_shows_what_is_in_force_without_secrets(here: Path) -> None:
    run("init")
    key = (here / "throughline.key").read_text().strip()
    result = run("check", "--show")
    assert "port: 8080" in result.stdout
    assert key not in result.output


@pytest.mark.parametrize(
    "arguments",
    [("serve",), ("check",), ("doctor",), ("migrate",), ("token", "create", "x"), ("token", "list"),
     ("token", "revoke", "x"), ("send", "a", "b"), ("replay",), ("trace", "x"), ("prune",)],
)  # fmt: skip
def test_without_a_configuration_nothing_starts(here: Path, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "throughline.yaml does not exist; `throughline init` writes one" in result.stderr


def test_the_environment_names_the_configuration(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init", "other.yaml")
    monkeypatch.setenv("THROUGHLINE_CONFIG", "other.yaml")
    assert run("check").stdout.startswith("other.yaml is in order")


def test_schema_is_a_json_schema() -> None:
    document = json.loads(run("schema").stdout)
    assert document["$defs"]["Envelope"]["properties"]["v"] == {"const": 1}


def test_token_create_passes_its_scope_on_and_prints_the_key_once(operator: Any) -> None:
    asked: list[tuple[object, ...]] = []

    def create_token(_config: object, *rest: object) -> str:
        asked.append(rest)
        return "tl_a_b"

    operator.create_token = create_token
    assert run("token", "create", "crm", "--scope", "write", "--days", "30").stdout == "tl_a_b\n"
    assert asked == [("crm", Scope.WRITE, 30)]
    assert run("token", "create", "crm", "--scope", "root").exit_code == 2


def test_token_list_shows_what_is_kept_of_each(operator: Any) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    key = Token(id="a", name="crm", scope="read", created_at=at, expires_at=None, revoked_at=None)
    operator.list_tokens = lambda _config: []
    assert run("token", "list").stdout == "There is no key yet.\n"
    operator.list_tokens = lambda _config: [key]
    assert json.loads(run("token", "list", "--json").stdout)["name"] == "crm"


def test_token_revoke_says_whether_there_was_one(operator: Any) -> None:
    known = {"tl_a_secret"}

    def revoke_token(_config: object, id: str) -> bool:
        found = id in known
        known.discard(id)
        return found

    operator.revoke_token = revoke_token
    assert run("token", "revoke", "tl_a_secret").stdout == "Revoked\n"
    result = run("token", "revoke", "tl_a_secret")
    assert (result.exit_code, result.stderr) == (1, "No such key, or it was revoked before\n")


def test_what_a_command_could_not_do_is_said_and_is_exit_code_1(operator: Any) -> None:
    def migrate(_config: object) -> str:
        raise Failed("the database is newer than this program")

    operator.migrate = migrate
    result = run("migrate")
    assert (result.exit_code, result.stderr) == (1, "the database is newer than this program\n")


def test_trouble_with_the_system_is_said_with_its_place(operator: Any) -> None:
    def migrate(_config: object) -> str:
        raise PermissionError(13, "Permission denied", "/srv/data")

    operator.migrate = migrate
    result = run("migrate")
    assert (result.exit_code, result.stderr) == (1, "/srv/data: Permission denied\n")


def test_a_bug_of_ours_keeps_its_traceback(operator: Any) -> None:
    def migrate(_config: object) -> str:
        raise AssertionError("ours")

    operator.migrate = migrate
    with pytest.raises(AssertionError, match="ours"):
        run("migrate")


def test_replay_lists_or_replays(operator: Any) -> None:
    asked: list[object] = []
    operator.list_dead = lambda _config: []

    def replay(_config: object, ids: object) -> int:
        asked.append(ids)
        return 2

    operator.replay = replay
    assert run("replay").stdout == "Nothing is dead.\n"
    assert run("replay", "5", "7").stdout == "Replayed: 2\n"
    run("replay", "--all")
    assert asked == [(5, 7), None]


def test_trace_of_what_nobody_knows_fails(operator: Any) -> None:
    operator.trace = lambda _config, _id: []
    result = run("trace", "x")
    assert (result.exit_code, result.stdout) == (1, "Nothing here knows it.\n")


@pytest.mark.parametrize("name", ["parse", "render"])
@pytest.mark.parametrize("settings", ["[1]", "{", "[" * 100_000])
def test_settings_that_are_no_json_object_are_a_usage_error(
    name: str, settings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = ModuleType("gateway.workbench")
    module.parse_lines = module.render_lines = lambda *_: iter(())
    monkeypatch.setitem(sys.modules, "gateway.workbench", module)
    result = run(name, "whatsapp", "--settings", settings)
    assert result.exit_code == 2
    assert "--settings" in result.stderr


@pytest.mark.parametrize("name", ["parse", "render"])
def test_lines_go_through_the_workbench(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, object, bytes]] = []

    def work(type_: str, settings: object, lines: io.BufferedIOBase) -> Iterator[bytes]:
        asked.append((type_, settings, lines.read()))
        yield b'{"a":1}'
        yield b'{"b":2}\n'

    module: Any = ModuleType("gateway.workbench")
    module.parse_lines = module.render_lines = work
    monkeypatch.setitem(sys.modules, "gateway.workbench", module)
    result = run(name, "post", "--settings", '{"x": 1}', given="line\n")
    assert result.stdout == '{"a":1}\n{"b":2}\n'
    assert asked == [("post", {"x": 1}, b"line\n")]


@pytest.mark.parametrize(
    "arguments",
    [("replay", str(2**63)), ("replay", "--", "-1"), ("token", "create", "crm", "--days", "36501"),
     ("token", "create", "crm", "--days", "0")],
)  # fmt: skip
def test_a_number_that_nothing_here_can_have_is_a_usage_error(operator: Any, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, "is not in the range" in result.stderr) == (2, True)


def test_the_options_of_one_meaning_have_one_name() -> None:
    names = {option.name for command in main.commands.values() for option in command.params
             if isinstance(option, click.Option) and "--config" in option.opts}  # fmt: skip
    assert names == {"config_path"}
