"""The house is held to its own rules, so that a reader may rely on them.

A rule that has an exception names it here, with its reason; a list of exceptions only gets shorter.
"""

import re
import tomllib
from pathlib import Path

import pytest
from msgspec import structs

from adapters import REGISTRY
from gateway.config import build, parse
from gateway.manual import describe, example, metrics_table, rewritten, table
from gateway.observe import Metrics
from gateway.settings import SECTIONS, Config
from tests import house
from tests.adapters.mail_sendgrid import support as sendgrid
from tests.adapters.mail_ses import support as ses
from tests.house import FLOORS, ROOT, modules, text

MAX_LINES = 400
UNTESTED = {
    "gateway/__main__.py": "one call; tests/gateway/test_cli.py runs it as a program",
    "gateway/settings.py": "values; tests/gateway/test_config.py reads all of them",
}
NAMES = ("facebook", "messenger", "slack", "twilio", "wamid", "waba", "whatsapp", "webchat")
"""Providers and their words, with and without an adapter here; `test_no_adapter_is_named` adds the registered types."""
WORDS = {"mail"}
"""A channel type that is also the name of what it carries."""
MAY_NAME = {
    "normalizer/address.py": "schemes are vocabulary",
    "normalizer/identity.py": "schemes are vocabulary",
}
PURE = ("adapters", "router", "normalizer")
EXAMPLES = {
    "ORIGINS": "https://shop.example",
    "ADDRESSES": "support@shop.example",
    "VERIFICATION_KEYS": sendgrid.public(sendgrid.PRIVATE),
    "SIGNING_CERTIFICATES": ses.pem("amazon"),
    "TOPIC_ARNS": ses.TOPIC,
}
"""For settings of the example file that are no free text, by the end of their variables' names."""
IMPURE = {
    "aiohttp", "asyncio", "http.client", "logging", "os", "pathlib", "queue", "random", "secrets", "select", "socket",
    "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "sqlalchemy", "structlog",
}  # fmt: skip


def folder(type_: str) -> Path:
    return Path("adapters", type_)


# --- adapters -----------------------------------------------------------------------------------------------------


def test_every_adapter_has_a_folder_and_every_folder_is_registered() -> None:
    folders = {path.parent.name for path in ROOT.glob("adapters/[!_]*/__init__.py")} - {"base"}
    assert folders == set(REGISTRY)
    assert {registration.type for registration in REGISTRY.values()} == set(REGISTRY)


@pytest.mark.parametrize("type_", REGISTRY)
def test_every_adapter_is_documented(type_: str) -> None:
    assert (ROOT / "docs" / "adapters" / f"{type_}.md").is_file()


@pytest.mark.parametrize("type_", REGISTRY)
def test_every_adapter_has_its_simulator(type_: str) -> None:
    assert (ROOT / folder(type_) / "simulator.py").is_file()


@pytest.mark.parametrize("type_", REGISTRY)
def test_every_setting_of_an_adapter_is_in_its_guide_and_in_use(type_: str) -> None:
    names = {field.name for field in structs.fields(REGISTRY[type_].config)}
    guide = (ROOT / "docs" / "adapters" / f"{type_}.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in guide and f"{name}:" not in guide} == set()
    family = [path for path in modules("adapters") if path.parts[1].startswith("_")]
    used = set().union(*map(house.attributes, [*modules(str(folder(type_))), *family]))
    assert {name for name in names if name not in used} == set()


def test_adapters_are_held_apart_by_the_import_rules() -> None:
    contracts = tomllib.loads(text(Path("pyproject.toml")))["tool"]["importlinter"]["contracts"]
    (apart,) = [contract for contract in contracts if contract["name"] == "Adapters do not know each other"]
    assert set(apart["modules"]) == {f"adapters.{type_}" for type_ in REGISTRY}


# --- documents that cannot lie ------------------------------------------------------------------------------------

RENEW = "out of date: run `python -m gateway.manual`"


def test_the_example_has_every_setting_and_nothing_else() -> None:
    assert text(Path("deploy/throughline.example.yaml")) == example(), RENEW


def test_the_example_loads(tmp_path: Path) -> None:
    (tmp_path / "throughline.key").write_text("k" * 43)
    said = parse(text(Path("deploy/throughline.example.yaml")))
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example()), "1" * 40)
    for ending, value in EXAMPLES.items():
        environ |= dict.fromkeys((name for name in environ if name.endswith(ending)), value)
    assert build(said, tmp_path, environ).endpoints.keys() == set(REGISTRY)


def test_every_setting_is_in_its_table() -> None:
    page = text(Path("docs/configuration.md"))
    assert page == rewritten(page, table()), RENEW
    assert all(f"`{setting.name}`" in page for setting in describe())


def test_every_metric_is_documented() -> None:
    page = text(Path("docs/metrics.md"))
    assert page == rewritten(page, metrics_table()), RENEW


def test_every_route_is_documented() -> None:
    found = {route for path in modules("gateway") for route in house.routes(path)}
    pages = "".join(page.read_text(encoding="utf-8") for page in ROOT.glob("docs/**/*.md"))
    assert found, "no route was found: has the way to write them changed?"
    assert {route for route in found if route not in pages} == set()


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))]
    assert links
    assert [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["README", "ARCHITECTURE", "GLOSSARY", "CONTRIBUTING", "CHANGELOG"])
def test_every_document_that_people_look_for_is_there(name: str) -> None:
    assert (ROOT / f"{name}.md").is_file()


def test_the_readme_has_exactly_two_commands() -> None:
    commands = re.findall(r"```sh\n(.*?)```", text(Path("README.md")), re.DOTALL)
    assert [line for block in commands for line in block.split("\n") if line] == ["make demo", "make test"]


def test_the_glossary_has_each_word_once() -> None:
    words = re.findall(r"^\| \*\*(.+?)\*\*", text(Path("GLOSSARY.md")), re.MULTILINE)
    assert len(words) > 20
    assert len(set(words)) == len(words)


# --- settings and metrics are in use ------------------------------------------------------------------------------


def _used_by_gateway(*but: str) -> set[str]:
    return set().union(*(house.attributes(path) for path in modules("gateway") if path.name not in but))


def test_every_setting_is_in_use() -> None:
    used = _used_by_gateway("settings.py", "contradictions.py", "config.py", "manual.py")
    named = {f"{name}.{field.name}" for name, section in SECTIONS.items() for field in structs.fields(section)}
    handed_on = {f"{name}.{field}" for name in ("policy", "ai") for field in attributes_of_router_policy()}
    assert {path for path in named - handed_on if path.partition(".")[2] not in used} == set()
    assert {name for name in SECTIONS if name not in used} == set()


def attributes_of_router_policy() -> set[str]:
    """What `Config.router_policy` hands on; the router's own tests see to its use."""
    return {
        "default_queue",
        "handoff_text",
        "engine_down_text",
        "mark_read",
        "queue_due_ms",
        "deadline_ms",
        "first_holder",
    }


def test_every_metric_is_counted_somewhere() -> None:
    metrics = {name for name in vars(Metrics()) if name not in {"registry", "rows"}}
    assert metrics - _used_by_gateway("observe.py") == set()


def test_the_sections_are_the_configurations() -> None:
    assert {field.name for field in structs.fields(Config)} == {*SECTIONS, "key", "endpoints"}


# --- code ---------------------------------------------------------------------------------------------------------


def test_no_adapter_is_named_by_the_core() -> None:
    named = re.compile("|".join({*NAMES, *REGISTRY} - WORDS), re.IGNORECASE)
    found = [
        f"{path}:{line} {word}"
        for path in modules("gateway", "router", "normalizer")
        if str(path) not in MAY_NAME and "sandbox" not in path.parts
        for line, word in house.words_in_code(path)
        if named.search(word)
    ]
    assert found == []


def test_below_the_gateway_there_is_no_io_no_clock_and_no_chance() -> None:
    found = [f"{path}: {name}" for path in modules(*PURE) for name in house.imports(path) if name in IMPURE]
    assert found == []


def test_every_module_says_what_lives_there() -> None:
    import ast

    found = [str(path) for path in modules(*FLOORS) if "versions" not in path.parts]
    assert [path for path in found if not ast.get_docstring(house.tree(Path(path)))] == []


def test_no_file_is_too_long_to_read() -> None:
    long = {str(path) for path in modules(*FLOORS) if len(text(path).splitlines()) > MAX_LINES}
    assert long == set()


def test_every_module_has_its_mirror_test() -> None:
    missing = {
        str(path)
        for path in modules(*FLOORS)
        if house.functions(path) and "versions" not in path.parts
        if not any((ROOT / mirror).is_file() for mirror in house.mirrors(path))
    }
    assert missing == {path for path in UNTESTED if house.functions(Path(path))}


def test_log_events_are_literal() -> None:
    found = [f"{path}:{line}" for path in modules("gateway") for line, ok in house.literal_events(path) if not ok]
    assert found == []


# --- the instruments themselves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "mirror"),
    [
        ("router/decide.py", "tests/router/test_decide.py"),
        ("gateway/store/intake.py", "tests/store/test_intake.py"),
        ("gateway/store/intake.py", "tests/gateway/store/test_intake.py"),
        ("gateway/transport/guard.py", "tests/gateway/test_transport_guard.py"),
        ("gateway/media/links.py", "tests/gateway/test_media.py"),
        ("adapters/whatsapp/__init__.py", "tests/adapters/test_whatsapp.py"),
    ],
)
def test_a_mirror_is_looked_for_where_it_may_be(path: str, mirror: str) -> None:
    assert Path(mirror) in house.mirrors(Path(path))


def test_a_mirror_of_another_module_is_none() -> None:
    assert Path("tests/test_intake.py") not in house.mirrors(Path("gateway/store/intake.py"))
    assert Path("tests/store/test_outbox.py") not in house.mirrors(Path("gateway/store/intake.py"))


def test_words_in_code_are_names_and_texts_without_documentation(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text('"""doc slack"""\n# slack\nslack_name = f"slack {1}"\nother = "twilio"\n')
    words = " ".join(word for _, word in house.words_in_code(tmp_path / "x.py"))
    assert ("slack_name" in words, "twilio" in words, "doc" in words, "#" in words) == (True, True, False, False)


def test_events_and_routes_are_seen(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        'self._log.info("a")\nlog.error(f"b {x}")\nother.info(x)\n'
        'web.get("/a/{b}", f)\napp.router.add_route("GET", "/c", f)\nsettings.get("/d")\n'
    )
    assert list(house.literal_events(tmp_path / "x.py")) == [(1, True), (2, False)]
    assert set(house.routes(tmp_path / "x.py")) == {"/a/{b}", "/c"}
