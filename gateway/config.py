"""Reads the configuration: one YAML file, the environment over it, and secrets from files.

    file   server: {port: 8080}            ${NAME} and ${NAME:-default} are filled in, `$${` stands for `${`
    over   THROUGHLINE_SERVER__PORT=8080   section and key, two underscores between them
    and    app_secret_file: path           for every secret; also as THROUGHLINE_..._FILE

Rule: all mistakes are found in one go, each with its path; nobody fixes a file one error at a time.
Rule: no mistake is answered with a guess; no message shows a value: it may be a secret in the wrong place.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct, structs

from adapters import REGISTRY
from adapters.base import Registration
from gateway import variables
from gateway.contradictions import contradictions, unknown
from gateway.settings import SECTIONS, Config, Endpoint
from normalizer.ids import EndpointId

MAX_SECRET_BYTES = 65_536
ENDPOINT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_VARIABLE = re.compile(r"\$(\$)?\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_WORDS = {
    "`int`": "a whole number",
    "`float`": "a number",
    "`str`": "text",
    "`bool`": "true or false",
    "`null`": "nothing",
    "`array`": "a list",
    "`object`": "a mapping of keys",
}

NO_VARIABLE = "the environment has no"
_LISTS = {tuple, list, frozenset}

Registry = Mapping[str, Registration]


class Problem(Struct, frozen=True, order=True):
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class ConfigError(Exception):
    """The configuration is wrong; `problems` says everything that is."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class FromEnvironment(str):
    """A value that was text only because the environment knows nothing else."""

    __slots__ = ()


def load(path: Path | str, environ: Mapping[str, str], registry: Registry | None = None) -> Config:
    """The configuration in the file at `path`. Raises ConfigError with all that is wrong."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([Problem("", f"{path} does not exist; `throughline init` writes one")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem("", f"{path} cannot be read: {_why(error)}")]) from None
    return build(parse(text, str(path)), path.parent, environ, registry)


def build(
    tree: Mapping[str, Any], folder: Path, environ: Mapping[str, str], registry: Registry | None = None
) -> Config:
    """The configuration that `tree` describes; relative paths are below `folder`."""
    reader = _Reader(folder.absolute(), environ)
    registry = REGISTRY if registry is None else registry
    overlaid = reader.overlay(reader.substitute(dict(tree), ""))
    config = _resolved(reader.config(overlaid, registry), reader.folder)
    unsound = [problem.path for problem in reader.problems]
    reader.problems += [Problem(path, text) for path, text in contradictions(config, unsound)]
    if reader.problems:
        raise ConfigError(_once(reader.problems))
    return config


def settings_of(kind: type[Any], tree: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> Any:
    """One adapter's settings alone, as `parse` and `render` take them. Raises ConfigError."""
    reader = _Reader(folder.absolute(), environ)
    settings = reader.struct(kind, reader.substitute(dict(tree), ""), "")
    if reader.problems or settings is None:
        raise ConfigError(_once(reader.problems))
    return settings


def parse(text: str, name: str = "the configuration") -> dict[str, Any]:
    """YAML into a mapping. Raises ConfigError for what is none."""
    import yaml

    from gateway import strict_yaml

    try:
        tree = strict_yaml.read(text)
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError([Problem("", f"{name}{where}: {error.problem or 'this is not YAML'}")]) from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise ConfigError([Problem("", f"{name} is not YAML: {type(error).__name__}")]) from None
    if tree is not None and not isinstance(tree, dict):
        raise ConfigError([Problem("", f"{name} must be a mapping of sections")])
    return tree or {}


# --- reading ------------------------------------------------------------------------------------------------


class _Reader:
    """Turns a tree into structs and remembers everything that was wrong with it."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self.problems: list[Problem] = []
        self.filled_in: set[str] = set()
        """Names of the variables that the file asks for."""

    def wrong(self, path: str, text: str) -> Any:
        """Returns None, so that it can be what became of the value."""
        self.problems.append(Problem(path, text))

    def substitute(self, value: Any, path: str) -> Any:
        match value:
            case str():
                return _VARIABLE.sub(lambda found: self._variable(found, path), value)
            case dict():
                return {key: self.substitute(item, _below(path, str(key))) for key, item in value.items()}
            case list():
                return [self.substitute(item, f"{path}[{place}]") for place, item in enumerate(value)]
            case _:
                return value

    def _variable(self, found: re.Match[str], path: str) -> str:
        escaped, name, default = found.groups()
        if escaped:
            return found.group(0)[1:]
        self.filled_in.add(name)
        if name not in self.environ and default is None:
            self.wrong(path, f"{NO_VARIABLE} {name}")
        return self.environ.get(name, default or "")

    def overlay(self, tree: dict[str, Any]) -> dict[str, Any]:
        """The environment over the file."""
        self.problems += [Problem(name, text) for name, text in variables.strangers(self.environ, self.filled_in)]
        for name, steps, value in variables.settings(self.environ):
            self._put(tree, steps, FromEnvironment(value), name)
        return tree

    def _put(self, tree: dict[str, Any], steps: Sequence[str], value: str, name: str) -> None:
        for step in steps[:-1]:
            key = _matching(tree, step)
            if not isinstance(tree.get(key), dict | NoneType):
                self.wrong(name, f"`{key}` has no keys of its own")
                return
            tree[key] = dict(tree.get(key) or {})
            tree = tree[key]
        key = _matching(tree, steps[-1])
        # It replaces what the file says in either form, as a value or as the name of a file that holds it.
        other = key.removesuffix("_file") if key.endswith("_file") else f"{key}_file"
        if not isinstance(tree.get(other), FromEnvironment):
            tree.pop(other, None)
        tree[key] = value

    def config(self, tree: dict[str, Any], registry: Registry) -> Config:
        """All that could be read: defaults stand for what has a mistake, and nothing for an endpoint that has one."""
        endpoints = self._endpoints(tree.pop("endpoints", None) or {}, registry)
        return Config(**{"key": "", **_sound(self._fields(Config, tree, "")), "endpoints": endpoints})

    def _endpoints(self, tree: Any, registry: Registry) -> dict[EndpointId, Endpoint]:
        if not isinstance(tree, dict):
            self.wrong("endpoints", "expected a mapping of endpoints by their names")
            return {}
        found = (self._endpoint(str(name), fields, registry) for name, fields in tree.items())
        return {endpoint.id: endpoint for endpoint in found if endpoint}

    def _endpoint(self, name: str, tree: Any, registry: Registry) -> Any:
        """The Endpoint, or None after its problems were noted."""
        path = f"endpoints.{name}"
        if not ENDPOINT_ID.fullmatch(name):
            self.wrong(path, "a name has at most 63 lower-case letters, digits, `-` and `_`")
        if not isinstance(tree, dict):
            return self.wrong(path, "expected a mapping of keys, `type` among them")
        kind = str(tree.get("type", ""))
        if kind not in registry:
            return self.wrong(f"{path}.type", unknown(kind, registry, "type") if kind else "missing")
        fields = {key: value for key, value in tree.items() if key != "type"}
        settings = self.struct(registry[kind].config, fields, path, extra=("type",))
        if settings is None:
            return None
        before = len(self.problems)
        self.problems += [_placed(path, text, settings) for text in settings.problems()]
        if len(self.problems) > before:
            return None
        channels = settings.channels(EndpointId(name))
        return Endpoint(id=EndpointId(name), type=kind, settings=settings, channels=channels)

    def struct(self, kind: type[Any], tree: Any, path: str, extra: tuple[str, ...] = ()) -> Any:
        """The struct, or None after its problems were noted. A section that says nothing is all defaults."""
        tree = {} if tree is None else tree
        if not isinstance(tree, dict):
            return self.wrong(path, "expected a mapping of keys")
        before = len(self.problems)
        values = self._fields(kind, tree, path, extra)
        if len(self.problems) > before:
            # What is right in a section can still contradict another: both are said in one go.
            return kind(**_sound(values)) if path in SECTIONS else None
        try:
            return kind(**values)
        except (TypeError, ValueError) as error:  # what the struct itself refuses, in its own words
            return self.wrong(path, str(error))

    def _fields(self, kind: type[Any], tree: dict[str, Any], path: str, extra: tuple[str, ...] = ()) -> dict[str, Any]:
        """What is given, by the struct's names; None stands for what has a mistake."""
        fields = {field.encode_name: field for field in structs.fields(kind)}
        names = [
            *fields,
            *(f"{name}_file" for name, field in fields.items() if _may_be_file(field.type)),
            *extra,
        ]
        for key in tree:
            if str(key).removesuffix("_file") in fields and key not in names:
                self.wrong(_below(path, str(key)), "only secrets may come from a file")
            elif key not in names:
                self.wrong(_below(path, str(key)), unknown(str(key), names, "setting"))
        values = {field.name: self._field(field, tree, path) for field in fields.values()}
        return {name: value for name, value in values.items() if value is not NODEFAULT}

    def _field(self, field: structs.FieldInfo, tree: dict[str, Any], path: str) -> Any:
        key, here = field.encode_name, _below(path, field.encode_name)
        if _may_be_file(field.type) and f"{key}_file" in tree:
            if key in tree:
                return self.wrong(here, f"is given twice: `{key}` and `{key}_file`")
            return self._secret(field.type, tree[f"{key}_file"], _below(path, f"{key}_file"))
        if key not in tree:
            if field.required:
                hint = f"; `{key}_file` names a file that holds it" if _may_be_file(field.type) else ""
                self.wrong(here, f"missing{hint}")
            return NODEFAULT
        return self.value(field.type, tree[key], here)

    def _secret(self, kind: Any, name: Any, path: str) -> Any:
        if not isinstance(name, str) or not name:
            return self.wrong(path, "expected the path of a file")
        try:
            with (self.folder / name).expanduser().open("rb") as file:
                text = file.read(MAX_SECRET_BYTES + 1).decode("utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            return self.wrong(path, f"the file cannot be read: {_why(error)}")
        if not text or len(text) >= MAX_SECRET_BYTES:
            return self.wrong(path, "the file is empty" if not text else "the file is too large for a secret")
        plain, _ = _unwrapped(kind)
        return self.value(kind, text.split() if get_origin(plain) in _LISTS else text, path)

    def value(self, kind: Any, value: Any, path: str) -> Any:
        """`value` as `kind`; structs inside of it are read field by field: all their mistakes show."""
        plain, _ = _unwrapped(kind)
        inner = [member for member in get_args(plain) if member is not NoneType and member is not Ellipsis]
        if isinstance(value, FromEnvironment):
            value = _typed(value, plain)
        if _is_struct(plain):
            return self.struct(plain, value, path)
        if not inner or not _is_struct(_unwrapped(inner[-1])[0]) or value is None:
            return self._plain(kind, value, path)
        match get_origin(plain), value:
            case origin, list() if origin in {tuple, list}:
                return origin(self.value(inner[-1], item, f"{path}[{i}]") for i, item in enumerate(value))
            case origin, dict() if origin is dict:
                return {key: self.value(inner[-1], item, f"{path}.{key}") for key, item in value.items()}
            case origin, _ if origin in {tuple, list, dict}:
                return self.wrong(path, f"expected {'a mapping' if origin is dict else 'a list'}")
            case _:
                return self.value(inner[-1], value, path)

    def _plain(self, kind: Any, value: Any, path: str) -> Any:
        try:
            return msgspec.convert(value, kind, strict=False)
        except msgspec.ValidationError as error:
            return self.wrong(*_in_words(str(error), kind, path))


def _sound(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _typed(value: str, plain: Any) -> Any:
    """A variable's text as lists and mappings want it: YAML, and for lists also words between commas."""
    import yaml

    origin = get_origin(plain)
    if origin in _LISTS and not value.lstrip().startswith("["):
        return [word.strip() for word in value.split(",") if word.strip()]
    if origin not in {*_LISTS, dict}:
        return str(value)
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return str(value)


def _in_words(message: str, kind: Any, path: str) -> tuple[str, str]:
    text, _, inside = message.partition(" - at `$")
    if text.startswith("Invalid enum value"):
        text = f"expected one of: {', '.join(map(str, get_args(_unwrapped(kind)[0])))}"
    # That it may also be left out is no help to somebody who wants to give it.
    text = text.replace(" | null`", "`")
    for word, ours in _WORDS.items():
        text = text.replace(word, ours)
    quoted = "; put it in quotes" if text == "Expected text, got a whole number" else ""
    return path + inside.rstrip("`").replace("[...]", ""), text[:1].lower() + text[1:] + quoted


def _unwrapped(kind: Any) -> tuple[Any, tuple[Meta, ...]]:
    """The type without its `Annotated`, and what stood there."""
    if get_origin(kind) is not Annotated:
        return kind, ()
    plain, *metas = get_args(kind)
    return plain, tuple(meta for meta in metas if isinstance(meta, Meta))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def is_secret(kind: Any) -> bool:
    """Also of lists of secrets, and of secrets that may be absent."""
    plain, metas = _unwrapped(kind)
    return any((meta.extra or {}).get("secret") for meta in metas) or any(map(is_secret, get_args(plain)))


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Where a variable is missing, whatever else is wrong with the value says nothing more."""
    found = sorted(set(problems))
    missing = {problem.path for problem in found if problem.text.startswith(NO_VARIABLE)}
    return [p for p in found if p.text.startswith(NO_VARIABLE) or p.path not in missing]


def _may_be_file(kind: Any) -> bool:
    return is_secret(kind) and get_origin(_unwrapped(kind)[0]) is not dict


def _placed(path: str, text: str, settings: Struct) -> Problem:
    """Adapters put the key before a colon: `allowed_origins: name the site`."""
    key, _, rest = text.partition(": ")
    known = rest and re.split(r"[.\[]", key)[0] in settings.__struct_fields__
    return Problem(_below(path, key), rest) if known else Problem(path, text)


def _matching(tree: Mapping[str, Any], step: str) -> str:
    """Names of endpoints and channels may hold what a variable's name cannot."""
    return next((key for key in tree if re.sub(r"[^a-z0-9]", "_", str(key).lower()) == step), step)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _why(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not UTF-8 text"


def _resolved(config: Config, folder: Path) -> Config:
    data_dir = str((folder / config.store.data_dir).expanduser().absolute())
    url = config.store.url.replace("{data_dir}", data_dir)
    store = structs.replace(config.store, data_dir=data_dir, url=url)
    sources = config.ai.sources and str((folder / config.ai.sources).expanduser().absolute())
    ca_file = config.listen.ca_file and str((folder / config.listen.ca_file).expanduser().absolute())
    listen = structs.replace(config.listen, ca_file=ca_file)
    return structs.replace(config, store=store, listen=listen, ai=structs.replace(config.ai, sources=sources))
