"""Reading the configuration: what comes from where, and what is said about mistakes."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError, build, load, parse, settings_of
from gateway.settings import Config
from normalizer.ids import EndpointId
from tests.gateway.settings_kit import KEY, REGISTRY, PostSettings

HERE = Path("/etc/throughline")
POST = {"type": "post", "token": "t1", "site": "s"}


def read(tree: dict[str, Any], folder: Path = HERE, **environ: str) -> Config:
    return build({"key": KEY, **tree}, folder, environ, REGISTRY)


def mistakes(tree: dict[str, Any], folder: Path = HERE, **environ: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        read(tree, folder, **environ)
    return {problem.path: problem.text for problem in caught.value.problems}


def settings(config: Config, name: str) -> Any:
    return config.endpoints[EndpointId(name)].settings


def test_all_defaults_need_only_a_key() -> None:
    config = read({})
    assert config.server.port == 8080
    assert config.public_url == "http://127.0.0.1:8080"
    assert config.store.url == "sqlite:////etc/throughline/data/throughline.db"


def test_without_a_key_it_does_not_start() -> None:
    with pytest.raises(ConfigError) as caught:
        build({}, HERE, {}, REGISTRY)
    assert str(caught.value) == "key: missing; `key_file` names a file that holds it"


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        build({"key": "hunter2"}, HERE, {}, REGISTRY)
    assert str(caught.value) == "key: expected text of length >= 32"


def test_a_section_that_says_nothing_is_all_defaults() -> None:
    assert read({"server": None, "endpoints": None}) == read({})


def test_every_mistake_is_reported_at_once_with_its_path() -> None:
    tree = {
        "servr": {},
        "server": {"prot": 1, "port": "x", "max_body_bytes": 1},
        "ai": {"engine": "oracle", "deadline_ms": 0},
        "log": [],
        "endpoints": {
            "a": {"type": "post", "size": 0},
            "b": {"type": "pots"},
            "C!": POST,
            "d": 5,
            "e": {"type": "post", "token": "t", "tokn": "t", "lines": [{"channel": 7}, {"chanel": "x"}]},
        },
    }
    assert mistakes(tree) == {
        "servr": "unknown setting; did you mean `server`?",
        "server.prot": "unknown setting; did you mean `port`?",
        "server.port": "expected a whole number, got text",
        "server.max_body_bytes": "expected a whole number >= 3145728",
        "ai.engine": "expected one of: builtin, echo, none",
        "ai.deadline_ms": "expected a whole number >= 1",
        "log": "expected a mapping of keys",
        "endpoints.a.token": "missing; `token_file` names a file that holds it",
        "endpoints.a.size": "expected a whole number >= 1",
        "endpoints.b.type": "unknown type; did you mean `post`?",
        "endpoints.C!": "a name has at most 63 lower-case letters, digits, `-` and `_`",
        "endpoints.d": "expected a mapping of keys, `type` among them",
        "endpoints.e.tokn": "unknown setting; did you mean `token`?",
        "endpoints.e.lines[0].channel": "expected text, got a whole number; put it in quotes",
        "endpoints.e.lines[0].number": "missing",
        "endpoints.e.lines[1].chanel": "unknown setting; did you mean `channel`?",
        "endpoints.e.lines[1].channel": "missing",
        "endpoints.e.lines[1].number": "missing",
    }


def test_what_may_be_left_out_and_is_wrong_is_told_what_it_should_be() -> None:
    """A number without quotes where an optional text belongs: the commonest mistake of all, with ids of digits."""
    assert mistakes({"server": {"public_url": 5}}) == {
        "server.public_url": "expected text, got a whole number; put it in quotes"
    }


def test_what_the_adapter_misses_is_said_with_its_path() -> None:
    assert mistakes({"endpoints": {"a": {"type": "post", "token": "t"}}}) == {"endpoints.a.site": "name the site"}


@pytest.mark.parametrize(
    ("name", "value", "where", "want"),
    [
        ("THROUGHLINE_SERVER__PORT", "9", ("server", "port"), 9),
        ("THROUGHLINE_POLICY__MARK_READ", "false", ("policy", "mark_read"), False),
        ("THROUGHLINE_AI__MIN_CONFIDENCE", "0.25", ("ai", "min_confidence"), 0.25),
        ("THROUGHLINE_ROOMS__RAW_RETENTION_DAYS", "null", ("rooms", "raw_retention_days"), None),
        ("THROUGHLINE_POLICY__HANDOFF_TEXT", "[1, 2]", ("policy", "handoff_text"), "[1, 2]"),
        ("THROUGHLINE_POLICY__DEFAULT_QUEUE", "12", ("policy", "default_queue"), "12"),
        ("THROUGHLINE_GUARD__ALLOW_NETWORKS", "::1, ::2", ("guard", "allow_networks"), ("::1", "::2")),
        ("THROUGHLINE_GUARD__ALLOW_NETWORKS", "[10.0.0.0/8]", ("guard", "allow_networks"), ("10.0.0.0/8",)),
        ("THROUGHLINE_SERVER__HOST", "${HOME}", ("server", "host"), "${HOME}"),
    ],
)  # fmt: skip
def test_a_variable_is_read_as_its_setting_wants_it(name: str, value: str, where: tuple[str, str], want: Any) -> None:
    section, key = where
    config = build({"key": KEY}, HERE, {name: value}, REGISTRY)
    assert getattr(getattr(config, section), key) == want


def test_the_environment_comes_over_the_file() -> None:
    config = read({"server": {"port": 1, "host": "h"}}, THROUGHLINE_SERVER__PORT="2")
    assert (config.server.port, config.server.host) == (2, "h")


def test_the_environment_reaches_endpoints_and_channels_whose_names_have_a_dash() -> None:
    tree = {"endpoints": {"my-post": POST}, "transport": {"channels": {"my-post": {"per_second": 1}}}}
    config = read(
        tree,
        THROUGHLINE_ENDPOINTS__MY_POST__TOKEN="t2",
        THROUGHLINE_ENDPOINTS__MY_POST__SPARE_TOKENS="x,y",
        THROUGHLINE_TRANSPORT__CHANNELS__MY_POST__PER_SECOND="2.5",
    )
    assert (settings(config, "my-post").token, settings(config, "my-post").spare_tokens) == ("t2", ("x", "y"))
    assert config.transport.channels["my-post"].per_second == 2.5


def test_an_endpoint_may_come_from_the_environment_alone() -> None:
    config = read(
        {},
        THROUGHLINE_ENDPOINTS__WA__TYPE="post",
        THROUGHLINE_ENDPOINTS__WA__TOKEN="t",
        THROUGHLINE_ENDPOINTS__WA__LINES="[{channel: a, number: '1'}]",
        THROUGHLINE_ENDPOINTS__WA__SITE="s",
    )
    assert [(channel.id, channel.account) for channel in config.endpoints[EndpointId("wa")].channels] == [("a", "1")]


def test_variables_of_others_with_our_prefix_are_left_alone() -> None:
    assert read({}, THROUGHLINE_CONFIG="x.yaml", THROUGHLINE_SERVICE_HOST="10.0.0.1") == read({})


def test_a_variable_that_only_looks_like_a_setting_is_a_mistake_unless_the_file_asks_for_it() -> None:
    tree = {"server": {"host": "${THROUGHLINE_BIND}"}}
    assert mistakes(tree, THROUGHLINE_BIND="h", THROUGHLINE_SERVER_PORT="hunter2", THROUGHLINE_SERVER__PRT="1") == {
        "THROUGHLINE_SERVER_PORT": "is no setting; did you mean `THROUGHLINE_SERVER__PORT`?",
        "server.prt": "unknown setting; did you mean `port`?",
    }


def test_an_unknown_variable_is_a_mistake() -> None:
    assert mistakes({}, THROUGHLINE_SERVER__PRT="1", THROUGHLINE_KEY__X="1", THROUGHLINE_SEVER__PORT="1") == {
        "THROUGHLINE_KEY__X": "`key` has no keys of its own",
        "server.prt": "unknown setting; did you mean `port`?",
        "sever": "unknown setting; did you mean `server`?",
    }


def test_variables_in_the_file_are_filled_in() -> None:
    tree = {
        "server": {"port": "${PORT}", "host": "${HOST:-h}"},
        "policy": {"handoff_text": "a ${WHO} b $${WHO} $5 {WHO}"},
    }
    config = read(tree, PORT="9", WHO="c")
    assert (config.server.port, config.server.host) == (9, "h")
    assert config.policy.handoff_text == "a c b ${WHO} $5 {WHO}"


def test_a_variable_that_is_missing_is_the_only_thing_said_about_its_setting() -> None:
    tree = {"server": {"port": "${PORT}"}, "endpoints": {"a": {**POST, "token": "${T}", "spare_tokens": ["${U}"]}}}
    assert mistakes(tree) == {
        "endpoints.a.spare_tokens[0]": "the environment has no U",
        "endpoints.a.token": "the environment has no T",
        "server.port": "the environment has no PORT",
    }


def test_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from file\n")
    (tmp_path / "more").write_text("x\ny\n")
    tree = {"endpoints": {"a": {"type": "post", "site": "s", "token_file": "token", "spare_tokens_file": "more"}}}
    found = settings(read(tree, tmp_path), "a")
    assert (found.token, found.spare_tokens) == ("from file", ("x", "y"))


def test_a_file_of_the_environment_replaces_the_value_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("n" * 40)
    (tmp_path / "t").write_text("t2")
    tree = {"endpoints": {"a": POST}}
    config = read(tree, tmp_path, THROUGHLINE_KEY_FILE=str(tmp_path / "key"), THROUGHLINE_ENDPOINTS__A__TOKEN_FILE="t")
    assert (config.key, settings(config, "a").token) == ("n" * 40, "t2")


@pytest.mark.parametrize(
    ("fields", "path", "text"),
    [
        ({"token": "t", "token_file": "f"}, "token", "is given twice: `token` and `token_file`"),
        ({"token_file": "none"}, "token_file", "the file cannot be read: No such file or directory"),
        ({"token_file": "empty"}, "token_file", "the file is empty"),
        ({"token_file": "large"}, "token_file", "the file is too large for a secret"),
        ({"token_file": "binary"}, "token_file", "the file cannot be read: it is not UTF-8 text"),
        ({"token_file": 5}, "token_file", "expected the path of a file"),
        ({"token": "t", "site_file": "f"}, "site_file", "only secrets may come from a file"),
    ],
)
def test_a_secret_that_cannot_be_had_is_a_mistake(tmp_path: Path, fields: dict[str, Any], path: str, text: str) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "large").write_text("x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    tree = {"endpoints": {"a": {"type": "post", "site": "s", **fields}}}
    assert mistakes(tree, tmp_path) == {f"endpoints.a.{path}": text}


def test_both_a_secret_and_its_file_in_the_environment_are_a_mistake() -> None:
    assert mistakes({"endpoints": {"a": POST}}, THROUGHLINE_ENDPOINTS__A__TOKEN="x",
                    THROUGHLINE_ENDPOINTS__A__TOKEN_FILE="y") == {
        "endpoints.a.token": "is given twice: `token` and `token_file`"
    }  # fmt: skip


def test_no_mistake_shows_a_value() -> None:
    found = mistakes({"server": {"port": "s3cret", "s3cret": {}}, "log": {"level": "s3cret"}})
    assert "s3cret" not in " ".join(found.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "the configuration, line 1: "),
        ("a: 1\nb: 2\na: 3", "the configuration, line 3: the key 'a' stands twice"),
        ("- a", "the configuration must be a mapping of sections"),
        ("just words", "the configuration must be a mapping of sections"),
        ("a: !!python/object:os.system x", "the configuration, line 1: could not determine a constructor"),
        ("[1]: 2\n[1]: 3", "the configuration"),
        ("a: \x07", "the configuration is not YAML: ReaderError"),
        ("a: 2026-13-45", "the configuration is not YAML: ValueError"),
        ("server: &a {port: *a}", "the configuration, line 1: an alias stands for something that holds it"),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).startswith(said)


def test_an_empty_file_is_an_empty_configuration() -> None:
    assert parse("# nothing\n") == {}


def test_load_reads_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "texts").mkdir()
    path = tmp_path / "throughline.yaml"
    (tmp_path / "ca.pem").write_text("")
    path.write_text("key_file: key\nstore: {data_dir: d}\nai: {sources: texts}\nlisten: {ca_file: ca.pem}\n")
    config = load(path, {}, REGISTRY)
    assert config.store.data_dir == str(tmp_path / "d")
    assert config.store.url == f"sqlite:///{tmp_path}/d/throughline.db"
    assert config.ai.sources == str(tmp_path / "texts")
    assert config.listen.ca_file == str(tmp_path / "ca.pem")


def test_load_of_what_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; `throughline init` writes one"):
        load(tmp_path / "x.yaml", {}, REGISTRY)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {}, REGISTRY)


def test_one_adapters_settings_are_read_alone() -> None:
    found = settings_of(PostSettings, {"token": "${T}"}, {"T": "t"}, HERE)
    assert found == PostSettings(token="t")
    with pytest.raises(ConfigError, match="tokn: unknown setting; did you mean `token`"):
        settings_of(PostSettings, {"token": "t", "tokn": 1}, {}, HERE)


def test_a_configuration_shows_no_secret_in_its_repr() -> None:
    config = read({"endpoints": {"a": {**POST, "token": "s3cret"}}})
    assert "s3cret" not in repr(config) + repr(config.endpoints)
    assert KEY not in repr(config)
