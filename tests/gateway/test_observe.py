"""What reaches a log line, and what never does; and the metrics."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gateway.observe import FIELDS, METRICS_TYPE, Metrics, configure, lines, only_listed, where


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure("info", "json", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def said(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def kept(**fields: Any) -> dict[str, Any]:
    return dict(only_listed(None, "info", {"event": "e", **fields}))


def test_a_line_is_json_with_its_room_level_and_time(output: io.StringIO) -> None:
    lines("receive").info("received", endpoint_id="shop", intake_id=7, verdict="accepted", duration_ms=1.5)
    (line,) = said(output)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "received", "room": "receive", "level": "info", "endpoint_id": "shop", "intake_id": 7,
        "verdict": "accepted", "duration_ms": 1.5,
    }  # fmt: skip


def test_lines_below_the_level_are_not_written(output: io.StringIO) -> None:
    lines("receive").debug("received")
    assert output.getvalue() == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("text", "hello"),
        ("body", b"hello"),
        ("address", "tel:+4915112345678"),
        ("external_id", "wamid.HBgN"),
        ("conversation_id", "+4915112345678"),
        ("conversation_id", "4915112345678"),
        ("contact_id", "ann@example.com"),
        ("contact_id", "two words"),
        ("contact_id", "x" * 81),
        ("code", "Where is my parcel?"),
        ("code", "1234567"),
        ("reason", "because: ann@example.com"),
        ("duration_ms", "12"),
        ("certain", "yes"),
        ("where", "päckchen"),
        ("kind", ["message"]),
        ("kind", {"a": 1}),
    ],
)
def test_what_is_not_listed_or_has_another_shape_is_dropped_and_named(key: str, value: Any) -> None:
    assert kept(**{key: value}) == {"event": "e", "dropped": [key]}


def test_a_key_that_is_itself_an_address_is_not_named() -> None:
    assert kept(**{"+4915112345678": 1}) == {"event": "e", "dropped": ["?"]}


@pytest.mark.parametrize("event", ["call me on 4915112345678", "ann@example.com wrote", "a\nb", "", 5])
def test_an_event_that_could_quote_somebody_is_dropped(event: Any) -> None:
    assert dict(only_listed(None, "info", {"event": event})) == {"event": "line", "dropped": ["event"]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("conversation_id", "cnv_abcdefghijklmnopqrstuvwxyz"),
        ("channel_id", "shop-1"),
        ("intake_id", 2**62),
        ("code", "131047"),
        ("status", 200),
        ("certain", False),
        ("route", "/hooks/{endpoint_id}"),
        ("attempt", 3),
    ],
)
def test_ids_numbers_and_codes_pass(key: str, value: Any) -> None:
    assert kept(**{key: value}) == {"event": "e", key: value}


def test_what_is_nothing_is_left_out_in_silence() -> None:
    assert kept(seq=None, text=None) == {"event": "e"}


def test_no_listed_field_could_hold_words_or_addresses() -> None:
    assert {key for key, shape in FIELDS.items() if shape == "words"} == {"event"}
    assert not {"text", "body", "name", "address", "external_id", "url", "email", "phone"} & FIELDS.keys()


def test_an_exception_shows_its_class_and_place_and_not_its_message(output: io.StringIO) -> None:
    try:
        raise ValueError("Ann wrote: where is my parcel?")
    except ValueError:
        lines("process").exception("item failed", envelope_id="env_1")
    (line,) = said(output)
    assert (line["error"], line["envelope_id"], line["level"]) == ("ValueError", "env_1", "error")
    assert line["where"].startswith("test_observe.py:")
    assert "parcel" not in output.getvalue()


def test_where_of_nothing_is_unknown() -> None:
    assert where(None) == "unknown"


def test_a_librarys_line_is_shown_without_its_arguments(output: io.StringIO) -> None:
    logging.getLogger("some.library").warning("sent %s to ann@example.com at +4915112345678", "Hello Ann")
    (line,) = said(output)
    assert (line["logger"], line["level"], line["event"]) == ("some.library", "warning", "sent s to (address) at #")


def test_a_librarys_exception_is_shown_without_its_message(output: io.StringIO) -> None:
    try:
        raise KeyError("+4915112345678")
    except KeyError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: <Task 'Hello Ann'>")
    (line,) = said(output)
    assert (line["event"], line["error"]) == ("Task exception was never retrieved", "KeyError")
    assert "4915112345678" not in output.getvalue()


def test_on_a_console_lines_are_for_people_and_drop_the_same(output: io.StringIO) -> None:
    configure("info", "console", output)
    lines("receive").info("received", text="hello Ann", endpoint_id="shop")
    assert "received" in output.getvalue()
    assert "shop" in output.getvalue()
    assert "hello Ann" not in output.getvalue()


def test_metrics_of_two_gateways_in_one_process_are_apart() -> None:
    one, two = Metrics(), Metrics()
    one.received.labels("shop", "accepted").inc(3)
    assert one.registry.get_sample_value("throughline_received_total", {"endpoint": "shop", "verdict": "accepted"}) == 3
    assert (
        two.registry.get_sample_value("throughline_received_total", {"endpoint": "shop", "verdict": "accepted"}) is None
    )


def test_every_metric_is_rendered_under_the_name_that_its_row_says() -> None:
    metrics = Metrics()
    text = metrics.render().decode()
    for row in metrics.rows:
        assert f"# TYPE {row.name} {row.type}\n" in text
    assert len({row.name for row in metrics.rows}) == len(metrics.rows) > 20
    assert METRICS_TYPE.startswith("text/plain")


def test_sizes_and_seconds_fall_into_their_buckets() -> None:
    metrics = Metrics()
    metrics.batch_size.labels("process").observe(64)
    metrics.commit_seconds.labels("process").observe(0.004)
    value = metrics.registry.get_sample_value
    assert value("throughline_batch_size_bucket", {"room": "process", "le": "32.0"}) == 0
    assert value("throughline_batch_size_bucket", {"room": "process", "le": "64.0"}) == 1
    assert value("throughline_commit_seconds_bucket", {"room": "process", "le": "0.005"}) == 1


def test_a_library_that_quotes_mails_and_passwords_is_silent(output: io.StringIO) -> None:
    logging.getLogger("aioimaplib.aioimaplib").error("unknown data received b'Dear Ann'")
    assert output.getvalue() == ""


def test_lines_that_say_nothing_are_not_written(output: io.StringIO) -> None:
    log = logging.getLogger("alembic.runtime.migration")
    log.info("Running %s", "r0001")
    log.warning("odd")
    assert [line["event"] for line in said(output)] == ["odd"]
