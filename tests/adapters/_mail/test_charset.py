"""Bytes to text, whatever the label says."""

import pytest

from adapters._mail.charset import ALIASES, SAFE, decoded, known


@pytest.mark.parametrize("label", sorted(ALIASES))
def test_every_alias_means_a_charset(label: str) -> None:
    """One that the standard library has and that is safe."""
    assert known(label) in SAFE


@pytest.mark.parametrize(
    "label", ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "zlib", "rot13", "mbcs", "X", "", " ", "\x00",
              "a" * 10_000, "../x"],
)  # fmt: skip
def test_what_is_no_charset(label: str) -> None:
    """Some are codecs all the same, and dangerous."""
    assert known(label) is None


@pytest.mark.parametrize(
    ("data", "label", "want"),
    [
        (b"caf\xc3\xa9", None, "café"),
        (b"caf\xc3\xa9", "iso-8859-1", "café"),
        (b"caf\xe9", "utf-8", "café"),
        (b"\x93x\x94", "iso-8859-1", "“x”"),
        (b"\x81", "windows-1252", "\x81"),
        ("あ".encode("cp932"), "x-sjis", "あ"),
        ("한".encode("cp949"), "ks_c_5601-1987", "한"),
        ("你".encode("gb18030"), '"GB2312;"', "你"),
        (b"+AOk-", "unicode-1-1-utf-7", "é"),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
        ("é".encode("utf-16"), "utf-16", "é"),
        ("größer".encode() + b"\xff", "utf-8", "größer\ufffd"),
        (b"\xff\xfe\xfd", "utf-8", "ÿþý"),
        (b"", "utf-8", ""),
        ("日本".encode("iso2022_jp"), "iso-2022-jp", "日本"),
        (b"(\x1b$B-!-j|bF|K\\\x1b(B) \x1b(I12\x1b(B", "iso-2022-jp", "(①㈱髙日本) ｱｲ"),
        (b"\x1b$B-!\n\x1b(B", "iso-2022-jp-ms", "①\n"),
        ("日本①".encode("cp932"), "iso-2022-jp", "日本①"),
        ("日本".encode(), "iso-2022-jp", "日本"),
        (b"Hi", "iso-2022-jp", "Hi"),
        (b"", "iso-2022-jp", ""),
    ],
)
def test_decoded(data: bytes, label: str | None, want: str) -> None:
    """As its writer meant it, as far as one can tell."""
    assert decoded(data, label) == want
