"""Session tokens and attachment ids."""

import base64
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Unauthentic
from adapters.webchat.identity import Identified
from adapters.webchat.session import Session, Tokens, bearer, from_micros, micros, offered_token, peek_session
from adapters.webchat.wire import SessionRequest
from normalizer.address import Address, Scheme
from normalizer.envelope import MediaRef
from normalizer.ids import EndpointId
from tests.adapters.webchat.support import ENDPOINT, NOW, config, http, live

TOKENS = Tokens(config(), ENDPOINT)
SESSION = TOKENS.open("raw-1", "w1", NOW)
TOKEN = TOKENS.sign(SESSION)
PAYLOAD, MAC = TOKEN.removeprefix("wst_").split(".")
FILE = MediaRef(stored="ab" * 32, sniffed="image/png", mime="image/jpeg", size=5, filename="a.png")
ATTACHMENT = TOKENS.attach(FILE, SESSION, NOW)


def forged(**changes: object) -> str:
    """The payload with other contents under the old signature."""
    fields = json.loads(base64.urlsafe_b64decode(PAYLOAD + "=" * (-len(PAYLOAD) % 4))) | changes
    return f"wst_{base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip('=')}.{MAC}"


FORGED = {
    "nothing": "",
    "the prefix": "wst_",
    "prefix and dot": "wst_.",
    "no prefix": f"{PAYLOAD}.{MAC}",
    "another prefix": f"wat_{PAYLOAD}.{MAC}",
    "prefix in capitals": f"WST_{PAYLOAD}.{MAC}",
    "no mac": f"wst_{PAYLOAD}",
    "empty mac": f"wst_{PAYLOAD}.",
    "empty payload": f"wst_.{MAC}",
    "mac cut": TOKEN[:-1],
    "mac longer": TOKEN + "A",
    "mac padded": TOKEN + "=",
    "spare bits of the mac": TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1),
    "mac of another": f"wst_{PAYLOAD}.{TOKENS.sign(TOKENS.open('raw-2', 'w1', NOW)).split('.')[1]}",
    "parts exchanged": f"wst_{MAC}.{PAYLOAD}",
    "payload twice": f"wst_{PAYLOAD}{PAYLOAD}.{MAC}",
    "payload padded": f"wst_{PAYLOAD}=.{MAC}",
    "another session": forged(sid="a" * 26),
    "another widget": forged(widget="w2"),
    "lives longer": forged(exp=micros(NOW) * 2),
    "issued later": forged(iat=micros(NOW) + 1),
    "somebody": forged(sub="u1"),
    "blank in front": " " + TOKEN,
    "blank behind": TOKEN + " ",
    "newline behind": TOKEN + "\n",
    "a third part": TOKEN + "." + MAC,
    "not ASCII": TOKEN + "\u00e9",
    "a lone surrogate": TOKEN + "\ud800",
    "NUL": TOKEN + "\x00",
    "very long": "wst_" + "A" * 100_000 + "." + MAC,
    "an attachment id": ATTACHMENT,
    "the other prefix on an attachment id": "wst" + ATTACHMENT.removeprefix("wat"),
    "of another endpoint": Tokens(config(), EndpointId("web2")).sign(SESSION),
    "of another secret": Tokens(config(secret="x" * 32), ENDPOINT).sign(SESSION),
    "a JWT": "eyJhbGciOiJub25lIn0.e30.",
    "unsigned JSON": "wst_eyJzaWQiOiJhIn0.",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
def test_forged_session_tokens_are_refused(token: str) -> None:
    with pytest.raises(Unauthentic):
        TOKENS.read(token, NOW)


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_one_changed_character_is_enough_to_be_refused(place: int, other: str) -> None:
    if other != TOKEN[place]:
        with pytest.raises(Unauthentic):
            TOKENS.read(TOKEN[:place] + other + TOKEN[place + 1 :], NOW)


def test_a_token_says_whose_it_is_and_lasts_thirty_days() -> None:
    last = NOW + timedelta(days=30) - timedelta(microseconds=1)
    assert TOKENS.read(TOKEN, last) == SESSION
    assert SESSION.address == Address(Scheme.WEB, f"w1/{SESSION.sid}")
    assert (SESSION.issued_at, SESSION.expires_at) == (NOW, NOW + timedelta(days=30))
    with pytest.raises(Unauthentic):
        TOKENS.read(TOKEN, NOW + timedelta(days=30))


def test_the_id_of_a_session_is_the_requests_and_nobody_elses() -> None:
    assert TOKENS.open("raw-1", "w1", NOW + timedelta(hours=1)).sid == SESSION.sid
    others = {TOKENS.open(f"raw-{place}", "w1", NOW).sid for place in range(100)}
    assert len(others) == 100
    assert "raw" not in SESSION.sid
    assert Tokens(config(secret="x" * 32), ENDPOINT).open("raw-1", "w1", NOW).sid != SESSION.sid


def test_renewing_lengthens_a_session_and_does_not_make_its_credential_younger() -> None:
    later = NOW + timedelta(days=29)
    renewed = TOKENS.renewed(SESSION, later)
    assert (renewed.sid, renewed.issued_at) == (SESSION.sid, NOW)
    assert renewed.expires_at == later + timedelta(days=30)


def test_an_identity_change_makes_a_new_credential_of_the_same_session() -> None:
    later = NOW + timedelta(microseconds=3)
    rotated = TOKENS.rotated(SESSION, Identified("u1", ()), later)
    assert (rotated.sid, rotated.sub, rotated.issued_at) == (SESSION.sid, "u1", later)
    assert TOKENS.read(TOKENS.sign(rotated), later) == rotated


def test_a_changed_secret_keeps_sessions_alive_while_the_old_one_is_listed() -> None:
    rotated = Tokens(config(secret="n" * 32, previous_secrets=(config().secret,)), ENDPOINT)
    assert rotated.read(TOKEN, NOW) == SESSION
    assert rotated.sign(SESSION) != TOKEN
    with pytest.raises(Unauthentic):
        Tokens(config(secret="n" * 32), ENDPOINT).read(TOKEN, NOW)


def test_a_changed_widget_key_keeps_sessions_and_their_addresses() -> None:
    assert Tokens(config(widget_key="w9"), ENDPOINT).read(TOKEN, NOW).address == SESSION.address


def test_asking_for_a_session_with_a_good_token_goes_on_with_it() -> None:
    raw = http(id="raw-9", now=NOW + timedelta(days=1))
    assert TOKENS.asked(SessionRequest(session_token=TOKEN), raw, "w1") == (SESSION, True)
    for token in (None, "", "junk", TOKEN[:-1], ATTACHMENT):
        session, old = TOKENS.asked(SessionRequest(session_token=token), raw, "w1")
        assert (old, session.sid) == (False, TOKENS.open("raw-9", "w1", NOW).sid)


def test_what_was_kept_is_read_after_it_expired_and_keys_were_rotated() -> None:
    assert peek_session(http(token=TOKEN, now=NOW + timedelta(days=99))) == SESSION
    for token in (None, "", "wst_", "wst_!.x", "wst_e30.x", "wst_" + "W1tb" * 400 + ".x"):
        with pytest.raises((ValueError, RecursionError)):
            peek_session(http(token=token))


def test_an_attachment_id_says_what_was_stored() -> None:
    found = TOKENS.attachment(ATTACHMENT, SESSION.address.value, NOW)
    assert found is not None
    assert found.media == MediaRef(stored="ab" * 32, sniffed="image/png", mime="image/png", size=5, filename="a.png")


def test_an_attachment_is_the_sessions_for_an_hour() -> None:
    last = NOW + timedelta(hours=1) - timedelta(microseconds=1)
    assert TOKENS.attachment(ATTACHMENT, SESSION.address.value, last)
    assert TOKENS.attachment(ATTACHMENT, SESSION.address.value, NOW + timedelta(hours=1)) is None
    assert TOKENS.attachment(ATTACHMENT, "w1/somebody", NOW) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "wat_",
        TOKEN,
        "wat" + TOKEN.removeprefix("wst"),
        ATTACHMENT[:-1],
        ATTACHMENT + "A",
        "ab" * 32,
        "\ud800",
        Tokens(config(), EndpointId("web2")).attach(FILE, SESSION, NOW),
        ATTACHMENT.replace(".", ""),
    ],
)
def test_forged_attachment_ids_are_unknown(token: str) -> None:
    assert TOKENS.attachment(token, SESSION.address.value, NOW) is None


def test_the_same_file_again_makes_the_same_message() -> None:
    again = TOKENS.attach(FILE, SESSION, NOW + timedelta(hours=2))
    found = TOKENS.attachment(again, SESSION.address.value, NOW + timedelta(hours=2))
    first = TOKENS.attachment(ATTACHMENT, SESSION.address.value, NOW)
    assert found is not None
    assert first is not None
    assert (found.media, again != ATTACHMENT) == (first.media, True)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        ("abc", None),
    ],
)
def test_the_bearer_is_read(header: str, token: str | None) -> None:
    assert bearer(http(headers={"authorization": header})) == token


@pytest.mark.parametrize(
    ("offered", "token"),
    [("v1.chat, t.abc", "abc"), ("t.abc,v1.chat", "abc"), ("t.abc", None), ("v1.chat", None), ("", None)],
)
def test_a_token_may_stand_among_the_subprotocols(offered: str, token: str | None) -> None:
    assert offered_token(live(headers={"sec-websocket-protocol": offered})) == token


def test_a_token_can_stand_in_a_header_and_a_subprotocol() -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert set(TOKEN) | set(ATTACHMENT) <= allowed


@given(st.integers(0, 4_000_000_000_000_000))
def test_times_are_exact_to_the_microsecond(count: int) -> None:
    assert micros(from_micros(count)) == count


def test_the_longest_session_fits_into_a_token() -> None:
    longest = Session(
        sid=SESSION.sid, widget="w" * 64, iat=SESSION.iat, exp=SESSION.exp, sub="\U0001f600" * 255, proof="p" * 16
    )
    assert TOKENS.read(TOKENS.sign(longest), NOW) == longest
