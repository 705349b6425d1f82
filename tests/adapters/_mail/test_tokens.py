"""Names of threads, and their proof."""

import pytest

from adapters._mail.tokens import (
    OwnId,
    anchor_for,
    check_token,
    like_own_ids,
    message_id_for,
    read_own_id,
    thread_named_by,
    thread_of,
    token_for,
)

KEY, OTHER = "k" * 32, "o" * 32
THREAD = thread_of("first@x.example")


def test_a_thread_has_one_name() -> None:
    """The same first message, the same name; another one, another."""
    assert thread_of("first@x.example") == THREAD == "i5vjrrskoes6hygw"
    assert thread_of("other@x.example") != THREAD
    assert thread_of("\ud800") != THREAD


def test_a_token_proves_its_thread() -> None:
    """In 36 letters and digits, whatever became of its case."""
    token = token_for(THREAD, KEY)
    assert len(token) == 36
    assert check_token(token, [KEY]) == check_token(token.upper(), [OTHER, KEY]) == THREAD


@pytest.mark.parametrize("place", range(36))
def test_a_token_with_one_letter_changed_is_none(place: int) -> None:
    """Neither its name nor its proof can be changed."""
    token = token_for(THREAD, KEY)
    changed = "a" if token[place] != "a" else "b"
    assert check_token(token[:place] + changed + token[place + 1 :], [KEY]) is None


@pytest.mark.parametrize("text", ["", "a" * 35, "a" * 36, "a" * 37, "1" * 36, token_for(THREAD, OTHER)])
def test_what_is_no_token_of_ours(text: str) -> None:
    """Another length, other letters, another key."""
    assert check_token(text, [KEY]) is None
    assert check_token(text, []) is None


@pytest.mark.parametrize(
    ("ref", "read"), [("cmd_ab:0", "cmd_ab:0"), ("env_ab", "env_ab"), ("cmd-A_1:12", "cmd-A_1:12")]
)
def test_a_message_id_says_which_send_it_is(ref: str, read: str) -> None:
    """What it was made from comes out of it again."""
    id = message_id_for(ref, THREAD, KEY, "shop.example")
    assert id.endswith("@shop.example")
    assert read_own_id(id, [OTHER, KEY]) == OwnId(read, THREAD)
    assert read_own_id(id, [OTHER]) is None


@pytest.mark.parametrize("ref", ["", "a b", "<x>", "é", "a" * 81, "a:b", "a:1:2"])
def test_what_can_not_stand_in_a_message_id_becomes_a_digest(ref: str) -> None:
    """It is the same one each time, and it is still ours."""
    id = message_id_for(ref, THREAD, KEY, "shop.example")
    assert id == message_id_for(ref, THREAD, KEY, "shop.example")
    assert read_own_id(id, [KEY]) is not None


def test_the_proof_of_an_id_is_for_this_send() -> None:
    """Whoever has one id of ours can make no other."""
    id = message_id_for("cmd_ab:0", THREAD, KEY, "shop.example")
    assert read_own_id(id.replace("cmd_ab", "cmd_ac"), [KEY]) is None
    assert read_own_id(f"cmd_ab.0.{THREAD}.{token_for(THREAD, KEY)[16:]}@shop.example", [KEY]) is None


def test_threads_are_named_by_ids_and_anchors() -> None:
    """By both, and by nothing else."""
    assert thread_named_by(message_id_for("cmd_ab:0", THREAD, KEY, "d.example"), [KEY]) == THREAD
    assert thread_named_by(anchor_for(THREAD, KEY, "d.example"), [KEY]) == THREAD
    assert thread_named_by("first@x.example", [KEY]) is None


def test_ids_are_found_in_a_text() -> None:
    """Each once, unproven."""
    id = message_id_for("cmd_ab:0", THREAD, KEY, "shop.example")
    assert like_own_ids(f"Message-ID: <{id}>\n> {id}\nother@x.example") == (id,)
