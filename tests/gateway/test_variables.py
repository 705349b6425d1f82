"""Variables with our name: every one is a setting, somebody else's, or a mistake that is named."""

import pytest

from gateway.settings import SECTIONS
from gateway.variables import settings, strangers

SHAPE = "is no setting; a setting's variable is `THROUGHLINE_SECTION__KEY`, with two underscores between them"


def said(**environ: str) -> dict[str, str]:
    return dict(strangers(environ, {"THROUGHLINE_OWN_TOKEN"}))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("THROUGHLINE_PORT", "THROUGHLINE_SERVER__PORT"),
        ("THROUGHLINE_SERVER_PORT", "THROUGHLINE_SERVER__PORT"),
        ("THROUGHLINE_SEVER_PROT", "THROUGHLINE_SERVER__PORT"),
        ("THROUGHLINE_PUBLIC_URL", "THROUGHLINE_SERVER__PUBLIC_URL"),
        ("THROUGHLINE_DATA_DIR", "THROUGHLINE_STORE__DATA_DIR"),
        ("THROUGHLINE_LOG_LEVEL", "THROUGHLINE_LOG__LEVEL"),
        ("THROUGHLINE_KEYFILE", "THROUGHLINE_KEY_FILE"),
        ("THROUGHLINE_CONFIG_", "THROUGHLINE_CONFIG"),
        ("THROUGHLINE_CONFIGS", "THROUGHLINE_CONFIG"),
    ],
)
def test_what_was_probably_meant_is_named(name: str, meant: str) -> None:
    assert said(**{name: "hunter2"}) == {name: f"is no setting; did you mean `{meant}`?"}


@pytest.mark.parametrize("name", ["THROUGHLINE_ENDPOINTS_SHOP_ACCESS_TOKEN", "THROUGHLINE_XYZ", "THROUGHLINE_"])
def test_where_nothing_is_near_the_shape_is_told(name: str) -> None:
    assert said(**{name: "hunter2"}) == {name: SHAPE}


def test_every_setting_is_found_with_one_underscore_instead_of_two() -> None:
    for section, kind in SECTIONS.items():
        for key in kind.__struct_fields__:
            right = f"THROUGHLINE_{section}__{key}".upper()
            wrong = right.replace("__", "_")
            assert said(**{right: "1", wrong: "1"}) == {wrong: f"is no setting; did you mean `{right}`?"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THROUGHLINE_KEY", "k"),
        ("THROUGHLINE_KEY_FILE", "k"),
        ("THROUGHLINE_CONFIG", "x.yaml"),
        ("THROUGHLINE_REQUIRE_SERVERS", "1"),
        ("THROUGHLINE_OWN_TOKEN", "t"),
        ("THROUGHLINE_SERVER__PRT", "said where settings are read"),
        ("THROUGHLINE_SERVICE_HOST", "10.0.0.1"),
        ("THROUGHLINE_SERVICE_PORT", "8080"),
        ("THROUGHLINE_SERVICE_PORT_HTTP", "8080"),
        ("THROUGHLINE_PORT", "tcp://10.0.0.1:8080"),
        ("THROUGHLINE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("THROUGHLINE_PORT_8080_TCP_PROTO", "tcp"),
        ("THROUGHLINE_PORT_8080_TCP_PORT", "8080"),
        ("THROUGHLINE_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("THROUGHLINE_POSTGRES_SERVICE_HOST", "10.0.0.2"),
        ("THROUGHLINE_POSTGRES_PORT", "tcp://10.0.0.2:5432"),
        ("MY_THROUGHLINE_PORT", "1"),
        ("_THROUGHLINE_COMPLETE", "bash_source"),
        ("PORT", "1"),
    ],
)
def test_settings_and_what_is_somebody_elses_are_left_alone(name: str, value: str) -> None:
    assert said(**{name: value}) == {}


def test_settings_are_told_with_their_steps() -> None:
    environ = {"THROUGHLINE_KEY": "k", "THROUGHLINE_AI__ENGINE": "e", "THROUGHLINE_PORT": "1", "AI__ENGINE": "x"}
    assert list(settings(environ)) == [
        ("THROUGHLINE_AI__ENGINE", ["ai", "engine"], "e"),
        ("THROUGHLINE_KEY", ["key"], "k"),
    ]
