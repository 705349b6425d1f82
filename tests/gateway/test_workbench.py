"""`throughline parse` and `throughline render`: a line in, a line out."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import FrozenClock
from gateway.config import ConfigError
from gateway.workbench import parse_lines, render_lines
from tests.adapters.whatsapp.support import (
    ACCOUNT,
    GRAPH,
    SECRET,
    TOKEN,
    VERIFY_TOKEN,
    delivery,
    encoded,
    signed,
    text_message,
    value,
)

SETTINGS = {"phone_number_id": ACCOUNT, "access_token": TOKEN, "app_secrets": [SECRET], "verify_token": VERIFY_TOKEN}
BODY = encoded(delivery(value(messages=[text_message()])))
LINE = {
    "method": "POST",
    "headers": {"X-Hub-Signature-256": signed(BODY)["x-hub-signature-256"]},
    "body": BODY.decode(),
}
ACCEPTED = {"status": 200, "headers": {}, "body": '{"messages":[{"id":"wamid.OUT1"}]}'}
TO = "whatsapp:16505551234"


def as_lines(*lines: Any) -> list[bytes]:
    return [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]


def parsed(*lines: Any, settings: dict[str, Any] | None = None) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in parse_lines("whatsapp", settings or SETTINGS, as_lines(*lines), FrozenClock())]


def rendered(*lines: Any, settings: dict[str, Any] | None = None) -> Sequence[dict[str, Any]]:
    return [
        json.loads(line) for line in render_lines("whatsapp", settings or SETTINGS, as_lines(*lines), FrozenClock())
    ]


# --- parse --------------------------------------------------------------------------------------------------------


def test_accepted() -> None:
    """An authentic request gives its envelopes, each with its slice of the raw."""
    (line,) = parsed(LINE)
    (envelope,) = line.pop("envelopes")
    assert line == {"verdict": "accepted", "status": 200, "reply": {"headers": {}, "body": ""}}
    assert envelope["raw"] == text_message()
    assert envelope["body"] == {"kind": "message", "parts": [{"type": "text", "text": "hello"}]}


def test_the_body_may_be_in_base64() -> None:
    """Bytes that are no text reach the adapter as they were."""
    odd = BODY.replace(b"hello", b"\xff")
    line = {"headers": signed(odd), "body_b64": base64.b64encode(odd).decode()}
    (out,) = parsed(line)
    assert out["envelopes"][0]["body"]["parts"] == [{"type": "text", "text": "\ufffd"}]


def test_unauthentic() -> None:
    """A body that was altered is 401, and says nothing secret."""
    (out,) = parsed({**LINE, "body": BODY.decode() + " "})
    assert (out["verdict"], out["status"], out["envelopes"]) == ("unauthentic", 401, [])
    assert SECRET not in json.dumps(out)


def test_malformed() -> None:
    """Signed but unreadable: kept by the gateway and answered 200."""
    (out,) = parsed({"headers": signed(b"{"), "body": "{"})
    assert (out["verdict"], out["status"], out["envelopes"]) == ("malformed", 200, [])
    assert out["error"]


def test_handshake() -> None:
    """Accepted without an envelope; the challenge is the reply."""
    query = f"hub.mode=subscribe&hub.challenge=xyz&hub.verify_token={VERIFY_TOKEN}"
    for line in (
        {"method": "GET", "query": query},
        {"method": "get", "path": f"/?{query}"},
        {"method": "GET", "query": "?" + query},
    ):
        (out,) = parsed(line)
        assert (out["verdict"], out["status"], out["reply"]["body"], out["envelopes"]) == ("accepted", 200, "xyz", [])
    (out,) = parsed({"method": "GET", "query": query + "x"})
    assert (out["verdict"], out["status"]) == ("unauthentic", 401)


def test_settings_may_be_partial() -> None:
    """What a command does not need need not be there; without secrets nothing is authentic."""
    assert parsed(LINE, settings={"app_secrets": [SECRET]})[0]["verdict"] == "accepted"
    assert parsed(LINE, settings={"verify_token": "t"})[0]["verdict"] == "unauthentic"


@pytest.mark.parametrize(
    "settings", [{"app_secret": ["x"]}, {"app_secrets": "x"}, {"app_secrets": [""]}, {"graph_url": 5}]
)
def test_bad_settings_are_told_at_once(settings: dict[str, Any]) -> None:
    """Before a line is read; in words, without the value."""
    with pytest.raises(ConfigError):
        parse_lines("whatsapp", settings, [])
    with pytest.raises(ConfigError):
        render_lines("whatsapp", settings, [])


def test_an_unknown_type_names_the_nearest() -> None:
    """A slip of the finger is answered with the right word."""
    with pytest.raises(ConfigError, match="did you mean whatsapp"):
        parse_lines("whatsap", {}, [])
    with pytest.raises(ConfigError, match="webchat, whatsapp"):
        parse_lines("fax", {}, [])


def test_raw_is_one_line_of_json() -> None:
    """A pretty-printed delivery keeps its slices without its line ends."""
    body = json.dumps(delivery(value(messages=[text_message()])), indent=2).encode()
    lines = list(parse_lines("whatsapp", SETTINGS, as_lines({"headers": signed(body), "body": body.decode()})))
    assert b"\n" not in lines[0]
    assert json.loads(lines[0])["envelopes"][0]["raw"] == text_message()


def test_text_that_strict_readers_refuse() -> None:
    """Lone surrogates and NUL in a body give one line of clean JSON."""
    body = BODY.replace(b'"hello"', b'"a\\ud800\\u0000b"')
    (line,) = parse_lines("whatsapp", SETTINGS, as_lines({"headers": signed(body), "body": body.decode()}))
    assert json.loads(line.decode("utf-8"))["envelopes"][0]["body"]["parts"][0]["text"] == "a\ufffdb"


BAD_LINES = (
    b"nope\n", b"[1]\n", b"5\n", b"null\n", b"\xff\n", b"[" * 100_000 + b"\n", b'{"body":5}', b'{"headers":[]}',
    b'{"headers":{"a":5}}', b'{"body":"a","body_b64":"YQ=="}', b'{"body_b64":"?"}', b'{"method":5}', b'{"origin":"x"}',
    b'{"received_at":"yesterday"}', b'{"query":5}', b"{}", b'{"body":"\\ud800"}', b'{"id":"\\ud800","body":"\\u0000"}',
)  # fmt: skip


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_bad_line_is_a_line(line: bytes) -> None:
    """It does not stop the next one."""
    first, second = parsed(line, LINE)
    assert first["verdict"] in ("malformed", "unauthentic")
    assert first["error"]
    assert second["verdict"] == "accepted"


def test_blank_lines_are_nothing() -> None:
    """Between lines and at the end."""
    assert len(parsed(b"\n", LINE, b"  \n", LINE, b"\n")) == 2


def test_a_channel_that_answers_with_the_outcome() -> None:
    """A session is a handshake; a frame is answered with where it was placed."""
    settings = {"secret": "s" * 32, "allowed_origins": ["https://shop.example"]}
    opening = {"method": "POST", "path": "/session", "headers": {"Origin": "https://shop.example"}}
    opening |= {"body": '{"widget_key":"webchat"}'}
    (out,) = map(json.loads, parse_lines("webchat", settings, as_lines(opening), FrozenClock()))
    assert (out["verdict"], out["status"], out["envelopes"]) == ("accepted", 201, [])
    assert "session_token" in json.loads(out["reply"]["body"])
    frame = {"origin": "live", "session": "webchat/x", "body": '{"t":"msg","cid":"cid-0001","type":"text","text":"hi"}'}
    (out,) = map(json.loads, parse_lines("webchat", settings, as_lines(frame), FrozenClock()))
    assert out["verdict"] == "accepted"
    assert json.loads(out["reply"]["body"])["t"] == "ack"


# --- render -------------------------------------------------------------------------------------------------------


def text(body: str = "hello") -> dict[str, Any]:
    return {"to": TO, "body": {"parts": [{"type": "text", "text": body}]}}


def test_sent() -> None:
    """The call as it would go out, with the credential in place."""
    (out,) = rendered({"envelope": text(), "replies": [ACCEPTED]})
    (call,) = out["calls"]
    assert out["outcome"] == {"sent": ["wamid.OUT1"]}
    assert (call["kind"], call["method"], call["url"]) == ("http", "POST", f"{GRAPH}/{ACCOUNT}/messages")
    assert call["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert json.loads(call["body"])["text"] == {"body": "hello", "preview_url": False}


def test_several_steps_use_the_replies_in_order() -> None:
    """A long text is two calls and two ids."""
    second = {"status": 200, "body": '{"messages":[{"id":"wamid.OUT2"}]}'}
    (out,) = rendered({"envelope": text("a" * 5000), "replies": [ACCEPTED, second]})
    assert out["outcome"] == {"sent": ["wamid.OUT1", "wamid.OUT2"]}
    assert len(out["calls"]) == 2


def test_an_upload_is_shown() -> None:
    """Which stored bytes go into which field."""
    envelope = {"to": TO, "body": {"parts": [{"type": "image", "media": {"stored": "ab", "mime": "image/png"}}]}}
    (out,) = rendered({"envelope": envelope, "replies": [{"status": 200, "body": '{"id":"1"}'}, ACCEPTED]})
    assert out["calls"][0]["upload"]["stored"] == "ab"
    assert out["calls"][0]["headers"]["Authorization"] == f"Bearer {TOKEN}"
    assert json.loads(out["calls"][1]["body"])["image"] == {"id": "1"}


@pytest.mark.parametrize(
    ("reply", "want"),
    [
        ({"status": 0}, {"class": "NoAnswer", "code": "no_answer", "retryable": True, "certain": False}),
        ({"status": 400, "body": '{"error":{"code":131047}}'}, {"class": "WindowClosed", "retryable": False}),
        ({"status": 429, "headers": {"retry-after": "7"}}, {"class": "Throttled", "retry_after_s": 7.0}),
        ({"status": 200, "body": "?"}, {"class": "NoAnswer", "code": "no_answer", "retryable": True, "certain": False}),
    ],
)  # fmt: skip
def test_errors(reply: dict[str, Any], want: dict[str, Any]) -> None:
    """The class and the facts that the gateway would act upon."""
    (out,) = rendered({"envelope": text(), "replies": [reply]})
    error = out["outcome"]["error"]
    assert {key: error[key] for key in want} == want
    assert TOKEN not in json.dumps(out["outcome"])


def test_running_out_of_replies_is_an_error() -> None:
    """The calls up to there are shown."""
    (out,) = rendered({"envelope": text()})
    assert len(out["calls"]) == 1
    assert out["outcome"]["error"]["code"] == "no_reply"


def test_without_the_credential_nothing_goes_out() -> None:
    """As the gateway would refuse it."""
    (out,) = rendered({"envelope": text(), "replies": [ACCEPTED]}, settings={"phone_number_id": ACCOUNT})
    assert out["outcome"]["error"]["class"] == "CredentialsRefused"


def test_what_parse_printed_goes_back_to_its_sender() -> None:
    """An envelope of `parse` needs nothing added."""
    (line,) = parsed(LINE)
    (out,) = rendered({"envelope": line["envelopes"][0], "replies": [ACCEPTED]})
    assert json.loads(out["calls"][0]["body"])["to"] == "16505551234"


def test_context() -> None:
    """Facts about the send: who, which account, what it answers, which step, which links; the leg's may stand flat."""
    envelope = {"body": {"parts": [{"type": "text", "text": "a"}, {"type": "image", "media": {"stored": "ab"}}]}}
    context = {"leg": {"address": TO}, "account": "222", "step": 1, "media_urls": {"ab": "https://example.org/m"}}
    (out,) = rendered({"envelope": envelope, "context": {**context, "echo_key": "k"}, "replies": [ACCEPTED]})
    (call,) = out["calls"]
    body = json.loads(call["body"])
    assert call["url"] == f"{GRAPH}/222/messages"
    assert (body["image"], body["biz_opaque_callback_data"]) == ({"link": "https://example.org/m"}, "k")
    answer = {
        "now": "2026-01-02T03:04:05Z",
        "address": TO,
        "reply_to": "wamid.1",
        "window_until": "2020-01-01T00:00:00Z",
    }
    (out,) = rendered(
        {"envelope": {"body": {"parts": [{"type": "text", "text": "a"}]}}, "context": answer, "replies": [ACCEPTED]}
    )
    assert json.loads(out["calls"][0]["body"])["context"] == {"message_id": "wamid.1"}


@pytest.mark.parametrize(
    "line",
    [
        *BAD_LINES,
        {"envelope": 5},
        {"envelope": {}},
        {"envelope": {"body": {"kind": "?"}}},
        {"envelope": {**text(), "to": "fax:1"}},
        {"envelope": {**text(), "to": "whatsapp:"}},
        {"envelope": {**text(), "to": 5}},
        {"envelope": {**text(), "v": 99}},
        {"envelope": {"body": {"parts": [{"type": "text", "text": "x"}]}}},
        {"envelope": text(), "context": 5},
        {"envelope": text(), "context": {"leg": 5}},
        {"envelope": text(), "context": {"leg": {"address": "x"}}},
        {"envelope": text(), "context": {"now": "x"}},
        {"envelope": text(), "replies": 5},
        {"envelope": text(), "replies": [5]},
        {"envelope": text(), "replies": [{"status": "200"}]},
        {"envelope": text(), "replies": [{"status": 200, "body_b64": "?"}]},
        {"envelope": {**text(), "body": {"kind": "note", "text": "x"}}},
    ],
)
def test_a_bad_line_of_render_is_a_line(line: Any) -> None:
    """It tells what is wrong, and does not stop the next one."""
    first, second = rendered(line, {"envelope": text(), "replies": [ACCEPTED]})
    assert first["outcome"]["error"]["text"]
    assert first["outcome"]["error"]["class"] != "Mistake"
    assert second["outcome"] == {"sent": ["wamid.OUT1"]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("method", "path", "query", "headers", "body", "body_b64", "origin", "session", "envelope", "context", "replies")


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5) | JSON)
@settings(max_examples=200, deadline=None)
def test_no_line_is_too_odd(line: Any) -> None:
    """Neither command ever falls over, and each gives one line."""
    for commands in (parse_lines, render_lines):
        (out,) = commands("whatsapp", SETTINGS, as_lines(line), FrozenClock())
        assert isinstance(json.loads(out), dict)


# --- mails --------------------------------------------------------------------------------------------------------

MAILBOX = {
    "addresses": ["support@shop.example"], "token_keys": ["k" * 32], "imap_host": "imap.shop.example",
    "imap_password": "pass-in", "smtp_host": "smtp.shop.example", "smtp_user": "desk", "smtp_password": "pass-out",
}  # fmt: skip
LETTER = {
    "envelope": {"body": {"parts": [{"type": "text", "text": "Hello"}]}, "to": "mailto:joe@x.example"},
    "context": {"leg": {"subject": "A question", "last_inbound": "q1@x.example", "before": ["q0@x.example"]}},
}


def mailed(*replies: dict[str, Any]) -> dict[str, Any]:
    line = json.dumps({**LETTER, "replies": replies}).encode()
    (shown,) = render_lines("mail", MAILBOX, [line], FrozenClock())
    found: dict[str, Any] = json.loads(shown)
    return found


def test_a_mail_is_shown_as_it_would_go_out() -> None:
    """With the credential in its place, the subject of what it answers, and what was said before."""
    (call,) = mailed({"status": 250, "body": "2.0.0 queued"})["calls"]
    assert (call["kind"], call["server"]["host"], call["login"]["secret"]) == ("mail", "smtp.shop.example", "pass-out")
    assert (call["sender"], call["recipients"]) == ("support@shop.example", ["joe@x.example"])
    assert "Subject: Re: A question\r\n" in call["body"]
    assert "References: <q0@x.example> <q1@x.example>\r\n" in call["body"]


@pytest.mark.parametrize(
    ("body", "code"),
    [("5.1.1 nobody", "550 5.1.1"), ('{"text":"5.2.1 closed","refused":{"joe@x.example":[550,"5.2.1"]}}', "550 5.2.1")],
)
def test_a_mail_server_answers_in_its_own_words_or_in_full(body: str, code: str) -> None:
    error = mailed({"status": 550, "body": body})["outcome"]["error"]
    assert (error["class"], error["provider_code"]) == ("Unreachable", code)


def test_a_mail_server_that_says_nothing() -> None:
    assert mailed({"status": 0})["outcome"]["error"]["certain"] is False


# --- sockets ------------------------------------------------------------------------------------------------------

CALLS = {"account_sid": "AC1", "auth_tokens": ["t"], "number": "+15550002222"}
CHAT = {"secret": "s" * 32, "widget_key": "w1", "allowed_origins": ["https://shop.example"]}
STORED = {"stored": "aa", "mime": "audio/mpeg"}


def pushed(type: str, body: Any, context: dict[str, Any] | None = None) -> Any:
    """The frame of the only call."""
    settings, to = (CALLS, "tel:+15550001111") if type == "twilio_voice" else (CHAT, "web:w1/s1")
    line = {"envelope": {"id": "m1", "body": body, "to": to}, "context": context or {}}
    (shown,) = render_lines(type, settings, as_lines(line), FrozenClock())
    (call,) = json.loads(shown)["calls"]
    assert (call.pop("kind"), set(call)) == ("push", {"body"})
    return json.loads(call["body"]) if call["body"] else None


def says(text: str) -> dict[str, Any]:
    return {"parts": [{"type": "text", "text": text}]}


def test_what_a_socket_reads_of_a_message_is_shown() -> None:
    """The push itself says nothing: whoever is woken reads the message where it is stored."""
    assert pushed("twilio_voice", says("**Hello** there")) == {"type": "text", "token": "Hello there", "last": True}
    frame = pushed("webchat", says("Hello"))
    assert (frame["t"], frame["seq"], frame["id"], frame["content"]) == ("msg", 1, "m1", {"text": "Hello"})


def test_files_are_shown_where_the_context_says_that_they_are() -> None:
    recording, urls = {"parts": [{"type": "audio", "media": STORED}]}, {"aa": "https://gw.example/aa"}
    assert pushed("twilio_voice", recording, {"media_urls": urls})["source"] == urls["aa"]
    assert pushed("twilio_voice", recording) is None


def test_what_is_shown_once_is_the_push_itself() -> None:
    assert pushed("webchat", {"kind": "typing", "on": True})["t"] == "typing"
