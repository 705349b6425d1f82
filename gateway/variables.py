"""Variables of the environment that bear our name: which are settings, and which only look like one.

Rule: what has our name is a setting or a mistake: who meant one would never learn that it has no effect.
Rule: no message shows a value: it may be a secret in the wrong place.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

from msgspec import structs

from gateway.settings import SECTIONS

PREFIX = "THROUGHLINE_"
KEYS = ("KEY", "KEY_FILE")
"""Settings that stand in no section."""
NO_SETTINGS = ("CONFIG", "REQUIRE_SERVERS")
"""Where the configuration is; what must be there when the tests run."""
NEAR = 0.7
_OF_A_CLUSTER = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
"""https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables, of our own service."""
_PORT_OF_A_CLUSTER = re.compile(r"(tcp|udp|sctp)://\S+")


def settings(environ: Mapping[str, str]) -> Iterator[tuple[str, list[str], str]]:
    """Each variable that is meant for a setting, that setting's steps, and the value; in the order of their names."""
    for name, value in sorted(environ.items()):
        rest = name.removeprefix(PREFIX)
        if rest != name and ("__" in rest or rest in KEYS):
            yield name, rest.lower().split("__"), value


def strangers(environ: Mapping[str, str], used: Collection[str]) -> Iterator[tuple[str, str]]:
    """Those that are no setting, with what was probably meant. `used`: what the file itself asks for (`${NAME}`)."""
    for name, value in environ.items():
        rest = name.removeprefix(PREFIX)
        known = "__" in rest or rest in KEYS or rest in NO_SETTINGS or name in used
        if rest != name and not known and not _is_of_a_cluster(rest, value):
            yield name, f"is no setting; {_meant(rest)}"


def _is_of_a_cluster(rest: str, value: str) -> bool:
    """`THROUGHLINE_PORT=tcp://10.0.0.1:8080` is told to every program beside a service of our name."""
    return bool(_OF_A_CLUSTER.fullmatch(rest) or (rest.endswith("PORT") and _PORT_OF_A_CLUSTER.fullmatch(value)))


def _meant(rest: str) -> str:
    """A setting without its section, or with one underscore where two belong, is near to nothing else."""
    known = {name: name for name in (*KEYS, *NO_SETTINGS)}
    for section, kind in SECTIONS.items():
        for field in structs.fields(kind):
            key = field.encode_name.upper()
            variable = f"{section.upper()}__{key}"
            known |= {variable.replace("__", "_"): variable, key: known.get(key, variable)}
    near = difflib.get_close_matches(rest, known, n=1, cutoff=NEAR)
    if near:
        return f"did you mean `{PREFIX}{known[near[0]]}`?"
    return f"a setting's variable is `{PREFIX}SECTION__KEY`, with two underscores between them"
