"""The command line: names, options and what is printed. What a command does stands in the module that it calls.

Exit codes: 0 it worked, 1 it did not, 2 it was asked wrongly (usage, configuration).

Rule: this module imports click and the standard library's light parts only; `--help` answers at once.
Rule: a mistake of the operator's is answered with what is wrong and where, never with a traceback.
"""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from gateway.settings import Config

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_CONFIG = "throughline.yaml"
MAX_NUMBER = 2**63 - 1
"""What a database can count to."""
MAX_DAYS = 36_500


class Commands(click.Group):
    """Turns what is expected to go wrong into words and an exit code."""

    group_class = type

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            # A command's help or a misspelt option costs nothing: the words for everything else are not loaded.
            raise
        except Exception as error:
            from gateway.commands.words import in_words

            said = in_words(error)
            if said is None:
                raise
            _stop(*said)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its first sentence, whole: click would cut it at the line's end."""
        commands = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, (one.help or "").partition(".")[0] + ".") for name, one in commands])


def _stop(code: int, lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line, err=True)
    raise click.exceptions.Exit(code)


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"throughline {version('throughline')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="The version.")
@click.pass_context
def main(ctx: click.Context) -> None:
    """One customer, one conversation, every channel."""
    # What we write is for our own user: conversations, files, a configuration that may hold secrets.
    before = os.umask(0o077)
    ctx.call_on_close(lambda: os.umask(before))


def with_config(command: F) -> F:
    return click.option(
        "--config", "-c", "config_path", envvar="THROUGHLINE_CONFIG", default=DEFAULT_CONFIG, show_default=True,
        type=click.Path(dir_okay=False, path_type=Path), help="The configuration; also THROUGHLINE_CONFIG.",
    )(command)  # fmt: skip


def with_json(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="JSON lines instead of a table.")(command)


def with_data_dir(command: F) -> F:
    return click.option(
        "--data-dir", default="./demo-data", show_default=True, type=click.Path(file_okay=False, path_type=Path),
        help="Where the demo keeps its conversations.",
    )(command)  # fmt: skip


def _load(path: Path) -> "Config":
    from gateway.config import load

    return load(path, os.environ)


# --- run ----------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@with_data_dir
def demo(host: str, port: int, data_dir: Path) -> None:
    """A gateway with every provider simulated on this machine; needs no account and no configuration."""
    from gateway import app, observe, sandbox
    from gateway.commands.demo import welcome

    config = sandbox.demo_config(data_dir, host=host, port=port, environ=os.environ)
    observe.configure(config.log.level, config.log.format, sys.stderr)
    app.run(config, sandbox=True, ready=lambda url: welcome(config, wished_port=port))


@main.command()
@with_config
def serve(config_path: Path) -> None:
    """Run the gateway until SIGTERM, which drains it."""
    config = _load(config_path)
    from gateway import app

    app.run(config, sandbox=False)


# --- set up -------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--with", "types", multiple=True, metavar="TYPE", help="An endpoint of this type, ready to fill in.")
@click.argument("path", default=DEFAULT_CONFIG, type=click.Path(dir_okay=False, path_type=Path))
def init(path: Path, types: tuple[str, ...]) -> None:
    """Write a configuration and a key to begin with. Overwrites nothing."""
    from gateway.commands.start import begin

    begun = begin(path, types)
    click.echo(f"Wrote {begun.config}")
    click.echo(f"Wrote {begun.key}; keep a copy elsewhere" if begun.key_is_new else f"Kept {begun.key}")
    if begun.variables:
        click.echo(f"Set these variables, or put their values in the file: {', '.join(begun.variables)}")
    option = "" if str(path) == DEFAULT_CONFIG else f" -c {path}"
    click.echo(f"Next: throughline check{option}, throughline migrate{option}, throughline serve{option}")


@main.command()
@with_config
@click.option("--show", is_flag=True, help="Print what is in force, without secrets.")
def check(config_path: Path, show: bool) -> None:
    """Read the configuration and say everything that is wrong with it."""
    config = _load(config_path)
    if show:
        import yaml

        from gateway.manual import masked

        click.echo(yaml.safe_dump(masked(config), sort_keys=False, allow_unicode=True), nl=False)
        return
    names = ", ".join(f"{endpoint.id} ({endpoint.type})" for endpoint in config.endpoints.values())
    click.echo(f"{config_path} is in order. Endpoints: {names or 'none yet'}")


@main.command()
@with_config
@with_json
def doctor(config_path: Path, as_json: bool) -> None:
    """Ask every channel's provider whether our credentials and addresses work; the store and the disk as well."""
    config = _load(config_path)
    from gateway import operator
    from gateway.commands.show import rows

    findings = operator.doctor(config)
    rows(findings, as_json=as_json)
    if not all(finding.ok for finding in findings):
        raise click.exceptions.Exit(1)


@main.command()
@with_config
def migrate(config_path: Path) -> None:
    """Bring the database to this version's schema; harmless to repeat."""
    config = _load(config_path)
    from gateway import operator

    click.echo(f"The database is at revision {operator.migrate(config)}")


@main.group()
def token() -> None:
    """Keys for the HTTP API."""


@token.command("create")
@with_config
@click.argument("name")
@click.option(
    "--scope", default="read", show_default=True, type=click.Choice(["read", "write", "admin"]),
    help="Each implies those before it.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, MAX_DAYS), help="Valid this long. Default: until it is revoked.")
def token_create(config_path: Path, name: str, scope: str, days: int | None) -> None:
    """Make a key for NAME and print it, once: only its digest is kept."""
    config = _load(config_path)
    from gateway import operator
    from gateway.security import Scope

    click.echo(operator.create_token(config, name, Scope.named(scope), days))


@token.command("list")
@with_config
@with_json
def token_list(config_path: Path, as_json: bool) -> None:
    """Every key that was made: its id, name, scope and times. The keys themselves are kept nowhere."""
    config = _load(config_path)
    from gateway import operator
    from gateway.commands.show import rows

    rows(operator.list_tokens(config), as_json=as_json, empty="There is no key yet.")


@token.command("revoke")
@with_config
@click.argument("id")
def token_revoke(config_path: Path, id: str) -> None:
    """Make a key useless, by its ID or by the key itself; a running gateway knows within seconds."""
    config = _load(config_path)
    from gateway import operator

    if not operator.revoke_token(config, id):
        # What was typed may be a key: it is not repeated.
        _stop(1, ["No such key, or it was revoked before"])
    click.echo("Revoked")


# --- look and act -------------------------------------------------------------------------------------------------


@main.command()
@with_config
@click.argument("to")
@click.argument("text")
@click.option("--channel", help="Needed when TO is an address: the channel to send on.")
def send(config_path: Path, to: str, text: str, channel: str | None) -> None:
    """Send TEXT to TO, a conversation's id or an address (`scheme:value`), as an agent would."""
    config = _load(config_path)
    from gateway import operator

    click.echo(operator.send(config, to, text, channel))


@main.command()
@with_config
@with_json
@click.argument("ids", nargs=-1, type=click.IntRange(0, MAX_NUMBER))
@click.option("--all", "everything", is_flag=True, help="All that are inbound; commands are repeated by id.")
def replay(config_path: Path, ids: tuple[int, ...], everything: bool, as_json: bool) -> None:
    """Put dead letters back to work, by their IDS; without any, list them."""
    config = _load(config_path)
    from gateway import operator
    from gateway.commands.show import rows

    if ids or everything:
        click.echo(f"Replayed: {operator.replay(config, ids or None)}")
    else:
        rows(operator.list_dead(config), as_json=as_json, empty="Nothing is dead.")


@main.command()
@with_config
@with_json
@click.argument("external_id")
def trace(config_path: Path, external_id: str, as_json: bool) -> None:
    """Every row and room that touched EXTERNAL_ID (a provider's, or an id of ours). Ids only."""
    config = _load(config_path)
    from gateway import operator
    from gateway.commands.show import rows

    found = operator.trace(config, external_id)
    rows(found, as_json=as_json, empty="Nothing here knows it.")
    if not found:
        raise click.exceptions.Exit(1)


@main.command()
@with_data_dir
@click.argument("endpoint")
@click.argument("text", required=False)
@click.option("--sender", help="The customer's number; a new one gets a phone. Default: one of the simulator's own.")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1000), help="How many messages.")
@click.option(
    "--wait", "wait_s", default=10.0, show_default=True, type=click.FloatRange(0, 600),
    help="Seconds to wait for an answer; 0 waits for none.",
)  # fmt: skip
@click.option("--set", "switches", multiple=True, metavar="NAME=VALUE", help="A switch, `faults=429,500`, `usual`.")
@click.option("--url", help="Where the demo listens. Default: the one that used the folder last.")
def simulate(data_dir: Path, url: str | None, **facts: Any) -> None:
    """Write TEXT to ENDPOINT of a running demo as a customer, and print what is answered. Without TEXT: only switch."""
    from gateway.sandbox.caller import Script
    from gateway.sandbox.remote import simulate as run

    if facts["text"] is None and not facts["switches"]:
        raise click.UsageError("nothing to do: neither TEXT nor --set")
    run(Script(**facts), data_dir, url, click.echo)


@main.command()
@with_config
@click.option("--dry-run", is_flag=True, help="Count, delete nothing.")
def prune(config_path: Path, dry_run: bool) -> None:
    """Delete what the retention settings no longer keep."""
    config = _load(config_path)
    from gateway import operator
    from gateway.commands.show import rows

    rows(operator.prune(config, dry_run=dry_run), as_json=False, empty="Nothing was old enough.")


# --- for those who write adapters and clients -----------------------------------------------------------------------


@main.command()
def schema() -> None:
    """The JSON Schema of an envelope."""
    from normalizer.codec import json_schema

    _print_json(json_schema())


@main.command()
def openapi() -> None:
    """The OpenAPI document of the HTTP API."""
    from gateway.api import openapi as document

    _print_json(document())


def with_adapter(command: F) -> F:
    wrapped: F = click.option("--settings", default="{}", metavar="JSON", help="The adapter's settings.")(command)
    return click.argument("type_", metavar="TYPE")(wrapped)


@main.command()
@with_adapter
def parse(type_: str, settings: str) -> None:
    """Requests as JSON lines in, verdicts and envelopes as JSON lines out; needs no server.

    \b
    In:  {"method", "path", "query", "headers", "body" or "body_b64"}
    Out: {"verdict", "status", "reply", "envelopes", "error"}
    """
    from gateway.workbench import parse_lines

    _stream(parse_lines(type_, _settings(settings), sys.stdin.buffer))


@main.command()
@with_adapter
def render(type_: str, settings: str) -> None:
    """Envelopes and a provider's answers as JSON lines in, calls and their outcome out; needs no server.

    \b
    In:  {"envelope", "context", "replies": [{"status", "headers", "body"}]}
    Out: {"calls": [...], "outcome": {"sent": [...]} or {"error": {...}}}
    """
    from gateway.workbench import render_lines

    _stream(render_lines(type_, _settings(settings), sys.stdin.buffer))


def _settings(text: str) -> dict[str, Any]:
    import json

    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"this is not JSON: {error}", param_hint="--settings") from None
    if not isinstance(settings, dict):
        raise click.BadParameter("a JSON object is expected", param_hint="--settings")
    return settings


def _stream(lines: Iterable[bytes]) -> None:
    """Each line as soon as it is known: somebody may be talking to us through a pipe."""
    out = sys.stdout.buffer
    for line in lines:
        out.write(line.rstrip(b"\n") + b"\n")
        out.flush()


def _print_json(document: Any) -> None:
    import json

    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
