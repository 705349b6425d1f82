"""The settings as people read them."""

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec import NODEFAULT

from gateway.config import ConfigError, build, parse
from gateway.manual import MASK, describe, example, masked, metrics_table, rewritten, table, words
from gateway.settings import ChannelLimits
from tests.gateway.settings_kit import KEY, REGISTRY, Line

POST = {"type": "post", "token": "s3cret", "spare_tokens": ["s3cret"], "site": "s"}


def test_every_setting_has_a_description_and_a_place_of_its_own() -> None:
    settings = list(describe(REGISTRY))
    paths = [setting.path for setting in settings]
    assert len(set(paths)) == len(paths)
    assert [setting.path for setting in settings if not setting.description] == []


def test_settings_of_the_top_of_sections_of_items_and_of_adapters_are_there() -> None:
    found = {setting.path: setting for setting in describe(REGISTRY)}
    assert (found["key"].secret, found["key"].default) == (True, NODEFAULT)
    assert found["server.port"].default == 8080
    assert found["transport.channels.*.per_second"].type == "number above 0 or nothing"
    assert found["endpoints.post.lines[].number"].description == "Its number."
    assert (found["endpoints.post.spare_tokens"].secret, found["endpoints.post.site"].secret) == (True, False)


def test_a_masked_configuration_holds_no_secret() -> None:
    config = build({"key": KEY, "endpoints": {"a": POST}}, Path("/etc"), {}, REGISTRY)
    shown = masked(config)
    assert "s3cret" not in repr(shown)
    assert shown["key"] == shown["store"]["url"] == shown["endpoints"]["a"]["token"] == MASK
    assert (shown["endpoints"]["a"]["type"], shown["endpoints"]["a"]["size"]) == ("post", 3)
    assert shown["endpoints"]["a"]["spare_tokens"] == MASK


def test_the_example_is_the_defaults_and_asks_for_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "throughline.key").write_text(KEY)
    text = example(REGISTRY)
    assert set(re.findall(r"\$\{(\w+)\}", text)) == {"POST_TOKEN", "POST_SITE"}
    config = build(parse(text), tmp_path, {"POST_TOKEN": "t", "POST_SITE": "s"}, REGISTRY)
    assert config.endpoints.keys() == {"post"}
    assert build({"key": KEY}, tmp_path, {}, REGISTRY).server == config.server


def test_the_examples_comments_are_settings_with_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "throughline.key").write_text(KEY)
    environ = {"POST_TOKEN": "t", "POST_SITE": "s"}
    said = re.sub(r"^( *)#(?=\w+: )", r"\1", example(REGISTRY), flags=re.MULTILINE)
    assert build(parse(said), tmp_path, environ, REGISTRY) == build(
        parse(example(REGISTRY)), tmp_path, environ, REGISTRY
    )


def test_the_example_without_active_types_has_no_endpoint(tmp_path: Path) -> None:
    (tmp_path / "throughline.key").write_text(KEY)
    assert build(parse(example(REGISTRY, active=[])), tmp_path, {}, REGISTRY).endpoints == {}
    with pytest.raises(ConfigError, match="the environment has no POST_TOKEN"):
        build(parse(example(REGISTRY, active=["post"])), tmp_path, {}, REGISTRY)


@pytest.mark.parametrize(
    ("kind", "want"),
    [
        (int, "whole number"),
        (str | None, "text or nothing"),
        (tuple[str, ...], "list of text"),
        (dict[str, ChannelLimits], "mapping to mapping"),
        (tuple[Line, ...], "list of mapping"),
        (bool, "true or false"),
    ],
)
def test_types_are_written_in_words(kind: Any, want: str) -> None:
    assert words(kind) == want


def test_the_table_has_a_row_for_each_setting() -> None:
    text = table(REGISTRY)
    assert "| `token` | text *secret* | required | A secret. |" in text
    assert "| `size` | whole number from 1 | `3` | A number. |" in text
    assert len(re.findall(r"^\| `", text, re.MULTILINE)) == len(list(describe(REGISTRY)))


def test_only_what_is_between_the_marks_is_rewritten() -> None:
    page = "a\n<!-- from here on written by `python -m gateway.manual` -->\nold\n<!-- up to here -->\nb\n"
    assert rewritten(page, "new\n") == page.replace("\nold\n", "\n\nnew\n\n")
    with pytest.raises(AssertionError):
        rewritten("no marks", "new")


def test_the_metrics_table_names_what_prometheus_sees() -> None:
    assert "| `throughline_received_total` | counter | `endpoint`, `verdict` |" in metrics_table()
