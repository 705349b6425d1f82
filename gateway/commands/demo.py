"""`demo`: what is said once it serves, to people and to programs.

Rule: the first line starts with `Ready: ` and the address, also where nobody reads the rest.
"""

import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from gateway.sandbox.attach import read_note
from gateway.sandbox.demo import EVERYWHERE, PHONE_ENDPOINT
from gateway.settings import Config

NAME = "throughline"
TRY = (
    "on the phone ask: How long do I have to return something?",
    "from the same number send a text message, or call: it is the same conversation",
    "write a mail, mention the app in the workspace, open the shop's chat: these are others",
    "anywhere ask for a person, then answer behind the counter",
)


def welcome(config: Config, *, wished_port: int) -> None:
    from rich.console import Console
    from rich.text import Text

    note = read_note(Path(config.store.data_dir))
    assert note is not None, "the sandbox wrote it before it was served"
    click.echo(f"Ready: {note.url}/sandbox")
    console = Console(soft_wrap=True, highlight=False)
    for label, lines in _said(config, note.url, note.token, wished_port):
        for place, line in enumerate(lines):
            console.print(Text(f"{'' if place else label:>8}  ", style="dim"), Text(line), sep="", end="\n")


def _said(config: Config, url: str, token: str, wished_port: int) -> list[tuple[str, tuple[str, ...]]]:
    said = [
        ("open", (f"{url}/sandbox",)),
        ("try", (*TRY, f"from another shell: {_simulate(Path(config.store.data_dir))}")),
        ("API", (f"curl -H 'Authorization: Bearer {token}' {url}/v1/conversations",)),
        ("data", (f"{config.store.data_dir}: kept; delete the folder to begin anew",)),
        ("stop", ("Ctrl-C",)),
    ]
    port = urlsplit(url).port or 80
    if wished_port not in (0, port):
        said.insert(0, ("note", (f"port {wished_port} is taken by another program",)))
    if config.server.host in EVERYWHERE:
        said.insert(0, ("note", ("it listens on every address: whoever reaches this machine can read and write here",)))
    return said


def _simulate(data_dir: Path) -> str:
    """As it works from where this was typed: `make demo` puts no program into anybody's PATH."""
    folder = [] if data_dir == Path("demo-data").absolute() else ["--data-dir", str(data_dir)]
    return shlex.join([*_program(), "simulate", PHONE_ENDPOINT, "Where is my order?", *folder])


def _program() -> list[str]:
    typed, found = Path(sys.argv[0]), shutil.which(NAME)
    if typed.name != NAME:
        return [sys.executable, "-m", "gateway"]
    return [NAME] if found is not None and typed.exists() and typed.samefile(found) else [str(typed)]
