"""What the tests of the house look at: its files, and what stands in them."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = ("gateway", "adapters", "router", "normalizer")


def modules(*packages: str) -> list[Path]:
    """Every Python file of these packages, relative to the root."""
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path.relative_to(ROOT) for path in found if "__pycache__" not in path.parts]


@cache
def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), str(path))


def imports(path: Path) -> Iterator[str]:
    """The modules that it imports, wherever in the file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@cache
def attributes(path: Path) -> frozenset[str]:
    """Every `x` of an `a.x` in it."""
    return frozenset(node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute))


def docstrings(path: Path) -> set[str]:
    """Texts that stand alone: of modules, classes and functions, and below a field."""
    return {
        node.value.value
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def words_in_code(path: Path) -> Iterator[tuple[int, str]]:
    """Names and texts with their lines; comments and docstrings are for people and left out."""
    documentation = docstrings(path)
    for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
        is_text = token.type == tokenize.STRING and ast.literal_eval(_plain(token.string)) not in documentation
        # Python 3.12 takes f-strings apart.
        if token.type == tokenize.NAME or is_text or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            yield token.start[0], token.string


def _plain(literal: str) -> str:
    """An f-string is no literal: it is looked at as a plain text."""
    return re.sub(r"^([rRbBuU]*)[fF]([rRbB]*)", r"\1\2", literal)


def functions(path: Path) -> int:
    return sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree(path)))


def literal_events(path: Path) -> Iterator[tuple[int, bool]]:
    """Calls of a logger's methods: their lines, and whether the event is a literal text."""
    for node in ast.walk(tree(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        if name.strip("_") not in {"log", "logger", "lines"} or node.func.attr not in LEVELS:
            continue
        first = node.args[0] if node.args else None
        yield node.lineno, isinstance(first, ast.Constant) and isinstance(first.value, str)


LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
ROUTE_CALLS = {"get", "post", "put", "patch", "delete", "head", "options", "view", "route", "static"} | {
    "add_get", "add_post", "add_put", "add_patch", "add_delete", "add_head", "add_options", "add_view", "add_route",
    "add_static",
}  # fmt: skip


def routes(path: Path) -> Iterator[str]:
    """Paths that are given to aiohttp's router."""
    for node in ast.walk(tree(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        on_web = isinstance(owner, ast.Name) and owner.id == "web"
        if node.func.attr in ROUTE_CALLS and (on_web or node.func.attr.startswith("add_")):
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value[:1] == "/":
                    yield argument.value
                    break


def mirrors(path: Path) -> set[Path]:
    """Where the test of a module may be: its own or its package's; below `tests` the floor may be left out."""
    name = path.with_suffix("").parts
    own = name[:-1] if name[-1] == "__init__" else name
    places = {own, own[1:], own[:-1], own[1:-1]}
    found = {Path("tests", *place[:-1], f"test_{place[-1]}.py") for place in places if place}
    flat = {place for place in places if len(place) > 2}
    return found | {Path("tests", place[0], f"test_{'_'.join(place[1:])}.py") for place in flat}
