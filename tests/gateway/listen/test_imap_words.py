"""What servers say in their own ways is found; what is not there is not made up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.listen.imap_words import bodies, codes, listed, numbers, quoted, uid_set, utf7


def test_codes_of_a_select() -> None:
    lines = [b"4 EXISTS", b"OK [uidvalidity 7] valid", b"OK [UIDNEXT 12] next", b"[READ-WRITE] done"]
    assert codes(lines) == {b"UIDVALIDITY": 7, b"UIDNEXT": 12}
    assert codes([b"4 EXISTS"]) == {}


@pytest.mark.parametrize(
    ("lines", "found"),
    [([b"3 1 2"], [1, 2, 3]), ([b""], []), ([], []), ([b"1", b"2 1"], [1, 2]), ([b"SEARCH x 5"], [5])],
)
def test_numbers(lines: list[bytes], found: list[int]) -> None:
    assert numbers(lines) == found


@pytest.mark.parametrize(
    ("line", "date"),
    [
        (b'1 FETCH (UID 5 RFC822.SIZE 73 INTERNALDATE " 7-Feb-2026 10:11:12 +0130")',
         datetime(2026, 2, 7, 8, 41, 12, tzinfo=UTC)),
        (b'1 FETCH (internaldate "17-JUL-2026 02:44:25 -0700" rfc822.size 73 uid 5)',
         datetime(2026, 7, 17, 9, 44, 25, tzinfo=UTC)),
        (b'1 FETCH (UID 5 INTERNALDATE "31-Feb-2026 10:11:12 +0000" RFC822.SIZE 73 FLAGS (\\Seen))', None),
        (b'1 FETCH (UID 5 INTERNALDATE "07-Xyz-2026 10:11:12 +0000" RFC822.SIZE 73)', None),
        (b"1 FETCH (UID 5 RFC822.SIZE 73)", None),
    ],
)  # fmt: skip
def test_what_is_in_a_mailbox(line: bytes, date: datetime | None) -> None:
    (one,) = listed([line])
    assert (one.uid, one.size, one.date) == (5, 73, date)


def test_news_of_flags_is_no_mail() -> None:
    lines = [b"3 FETCH (FLAGS (\\Seen))", b"2 FETCH (UID 9 RFC822.SIZE 1)", b"1 FETCH (UID 8 RFC822.SIZE 1)"]
    assert [one.uid for one in listed(lines)] == [8, 9]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([b"1 FETCH (UID 11 BODY[] {3}", bytearray(b"abc"), b")"], {11: b"abc"}),
        ([b"1 FETCH (BODY[] {3}", bytearray(b"abc"), b" UID 11)"], {11: b"abc"}),
        ([b"1 FETCH (BODY[HEADER] {3}", bytearray(b"abc"), b" FLAGS (\\Seen) UID 11)"], {11: b"abc"}),
        ([b'1 FETCH (UID 11 BODY[] "a \\"b\\" \\\\c")'], {11: b'a "b" \\c'}),
        ([b"1 FETCH (UID 11 BODY[] NIL)"], {11: b""}),
        ([b"1 FETCH (UID 11 BODY[] {0}", bytearray(b""), b")"], {11: b""}),
        ([b"1 FETCH (UID 1 BODY[] {1}", bytearray(b"a"), b")", b"7 FETCH (FLAGS ())", b"2 FETCH (UID 2 BODY[] {1}",
          bytearray(b"b"), b")"], {1: b"a", 2: b"b"}),
        ([b"1 FETCH (UID 11 FLAGS (\\Seen))"], {}),
        ([bytearray(b"lost")], {}),
        ([], {}),
    ],
)  # fmt: skip
def test_bodies_are_found_by_their_uid(lines: list[bytes | bytearray], found: dict[int, bytes]) -> None:
    assert bodies(lines) == found


@pytest.mark.parametrize(
    ("uids", "text"), [([1], "1"), ([1, 2, 3, 7], "1:3,7"), ([7, 5, 6, 5], "5:7"), ([1, 3, 5], "1,3,5")]
)
def test_sets_are_written_in_runs(uids: list[int], text: str) -> None:
    assert uid_set(uids) == text


@pytest.mark.parametrize(
    ("name", "written"),
    [("INBOX", "INBOX"), ("a&b", "a&-b"), ("Größe", "Gr&APYA3w-e"), ("~peter/台北/日本", "~peter/&U,BTFw-/&ZeVnLA-"),
     ("😀", "&2D3eAA-")],
)  # fmt: skip
def test_names_of_mailboxes(name: str, written: str) -> None:
    """The third is the example of RFC 3501 §5.1.3, but for its middle part."""
    assert utf7(name) == written


def test_quotes() -> None:
    assert quoted('a "b" \\c') == '"a \\"b\\" \\\\c"'
