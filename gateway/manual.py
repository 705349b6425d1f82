"""The settings as people read them: a list, a table for the documents, an example file, and a masked view.

Rule: nothing here is written by hand; it all comes from the structs, so that it cannot lie.
Rule: the value of a secret is never shown, not even a part of it.
"""

import json
import re
from collections.abc import Callable, Collection, ItemsView, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct, structs

from adapters import REGISTRY
from adapters.base import Registration
from gateway.config import Registry, is_secret
from gateway.settings import SECTIONS, Config

MASK = "********"
BEGIN = "<!-- from here on written by `python -m gateway.manual` -->"
END = "<!-- up to here -->"
_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false", dict: "mapping"}


class Setting(Struct, frozen=True, kw_only=True):
    path: str
    """`section.name`; settings of an adapter stand under `endpoints.<type>`."""
    type: str
    default: Any
    """NODEFAULT: required."""
    secret: bool
    description: str
    section: str

    @property
    def name(self) -> str:
        return self.path[len(self.section) :].lstrip(".")


def describe(registry: Registry | None = None) -> Iterator[Setting]:
    """Every setting there is, in the order of the file."""
    yield from (setting for setting in _of(Config, "") if setting.path not in {*SECTIONS, "endpoints"})
    sections = {**SECTIONS, **{f"endpoints.{name}": registration.config for name, registration in _given(registry)}}
    for name, section in sections.items():
        for setting in _of(section, name):
            yield setting
            yield from _inside(section, setting)


def masked(config: Config) -> dict[str, Any]:
    """What is in force, for the operator's eyes."""
    shown: dict[str, Any] = _masked(config, lambda field: field.name != "endpoints")
    shown["endpoints"] = {
        endpoint.id: {"type": endpoint.type, **_masked(endpoint.settings)} for endpoint in config.endpoints.values()
    }
    return shown


def table(registry: Registry | None = None) -> str:
    """The settings in Markdown, a heading and a table for each section."""
    lines: list[str] = []
    section = None
    for setting in describe(registry):
        if setting.section != section:
            section = setting.section
            lines += ["", f"### {section or 'At the top'}", "", "| setting | type | default | what it is for |"]
            lines.append("|---|---|---|---|")
        default = "required" if setting.default is NODEFAULT else f"`{_yaml(setting.default)}`"
        secret = " *secret*" if setting.secret else ""
        cells = (f"`{setting.name}`", setting.type + secret, default, setting.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines).lstrip("\n") + "\n"


def example(registry: Registry | None = None, active: Collection[str] | None = None) -> str:
    """A configuration file with every setting. Defaults are commented out, as are endpoints whose type is not active.

    `active` None: all of them.
    """
    lines = ["# Every setting with its default. A line that starts with `#name:` is in force as it stands.", ""]
    lines += ["# " + _describe(Config, "key"), "key_file: throughline.key", ""]
    for name, section in SECTIONS.items():
        lines += [f"# {_summary(section)}", f"{name}:", *_lines(section, name, "  "), ""]
    lines += [f"# {_describe(Config, 'endpoints')}", "endpoints:"]
    for name, registration in _given(registry):
        block = [f"  {name}:", f"    type: {name}", *_lines(registration.config, f"endpoints.{name}", "    ")]
        lines += block if active is None or name in active else [_off(line) for line in block]
    return "\n".join(lines) + "\n"


def _lines(kind: type[Any], prefix: str, indent: str) -> Iterator[str]:
    samples = _needed(kind, prefix)
    for setting in _of(kind, prefix):
        yield f"{indent}# {setting.description}"
        if setting.name in samples:
            yield f"{indent}{setting.name}: {json.dumps(samples[setting.name])}"
        else:
            yield f"{indent}#{setting.name}: {_yaml(setting.default)}"


def _needed(kind: type[Any], prefix: str) -> dict[str, Any]:
    """What must be given before it starts, as variables: what is required, and what `problems` then asks for."""
    settings = {setting.name: setting for setting in _of(kind, prefix)}
    samples = {name: _sample(setting) for name, setting in settings.items() if setting.default is NODEFAULT}
    if not hasattr(kind, "problems"):
        return samples
    for _ in settings:
        texts = kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in samples.items()}).problems()
        asked = [name for text in texts if (name := re.split(r"\W", text)[0]) in settings.keys() - samples]
        if not asked:
            break
        samples[asked[0]] = _sample(settings[asked[0]])
    return samples


def _off(line: str) -> str:
    bare = line.lstrip()
    return line if bare.startswith("#") else f"{line[: len(line) - len(bare)]}#{bare}"


def _sample(setting: Setting) -> Any:
    variable = "${" + setting.path.removeprefix("endpoints.").replace(".", "_").upper() + "}"
    return [variable] if setting.type.startswith("list") else variable


def _of(kind: type[Any], prefix: str) -> Iterator[Setting]:
    for field in structs.fields(kind):
        metas = _metas(field.type)
        yield Setting(
            path=f"{prefix}.{field.encode_name}" if prefix else field.encode_name,
            type=words(field.type),
            default=_default(field),
            secret=is_secret(field.type),
            description=next((meta.description for meta in metas if meta.description), ""),
            section=prefix,
        )


def _inside(kind: type[Any], outer: Setting) -> Iterator[Setting]:
    """The settings of a mapping's or list's items."""
    field = next(field for field in structs.fields(kind) if field.encode_name == outer.name)
    plain = get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type
    items = [item for item in get_args(plain) if isinstance(item, type) and issubclass(item, Struct)]
    path = outer.path + (".*" if get_origin(plain) is dict else "[]")
    for setting in (found for item in items for found in _of(item, path)):
        yield structs.replace(setting, section=outer.section)


def _given(registry: Registry | None) -> ItemsView[str, Registration]:
    return (REGISTRY if registry is None else registry).items()


def _default(field: structs.FieldInfo) -> Any:
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return field.default


def words(kind: Any) -> str:
    """A type with its limits, for people."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return _plain_words(plain) + "".join(_limits(meta) for meta in _metas(kind))


def _plain_words(plain: Any) -> str:
    inner = get_args(plain)
    origin = get_origin(plain)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in {Union, UnionType}:
        return " or ".join("nothing" if member is NoneType else words(member) for member in inner)
    if origin in {tuple, list, frozenset}:
        return f"list of {words(inner[0])}"
    if origin is dict:
        return f"mapping to {words(inner[1])}"
    return _NAMES.get(plain, "mapping")


def _limits(meta: Meta) -> str:
    bounds = (("from", meta.ge), ("above", meta.gt), ("to", meta.le), ("below", meta.lt))
    # 1.0 is shown as 1: `Annotated` takes the two for the same, and keeps whichever it met first.
    shown = ((word, int(bound) if bound == int(bound) else bound) for word, bound in bounds if bound is not None)
    return "".join(f" {word} {bound}" for word, bound in shown)


def _metas(kind: Any) -> tuple[Meta, ...]:
    metas = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return tuple(meta for meta in reversed(metas) if isinstance(meta, Meta))


def _describe(kind: type[Any], name: str) -> str:
    return next(setting.description for setting in _of(kind, "") if setting.name == name)


def _summary(kind: type[Any]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def _masked(value: Any, wanted: Callable[[structs.FieldInfo], bool] = lambda _: True) -> Any:
    match value:
        case Struct():
            return {
                field.encode_name: MASK if is_secret(field.type) else _masked(getattr(value, field.name))
                for field in structs.fields(value)
                if wanted(field)
            }
        case dict():
            return {key: _masked(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(item) for item in value]
        case _:
            return value


def _yaml(value: Any) -> str:
    """JSON is YAML."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False)


def rewritten(page: str, text: str) -> str:
    """`page` with `text` between its two marks."""
    before, mark, rest = page.partition(BEGIN)
    assert mark, "the page has lost its first mark"
    assert END in rest, "the page has lost its second mark"
    return f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}"


def write(root: Path) -> None:
    """Renews what the repository holds of this; `tests/test_house.py` fails while it is not up to date."""
    pages = {
        root / "docs" / "configuration.md": table(),
        root / "docs" / "metrics.md": metrics_table(),
    }
    for path, text in pages.items():
        path.write_text(rewritten(path.read_text(encoding="utf-8"), text), encoding="utf-8")
    (root / "deploy" / "throughline.example.yaml").write_text(example(), encoding="utf-8")


def metrics_table() -> str:
    from gateway.observe import Metrics

    lines = ["| metric | type | labels | what it says |", "|---|---|---|---|"]
    for row in Metrics().rows:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `{row.name}` | {row.type} | {labels} | {row.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write(Path(__file__).parent.parent)
