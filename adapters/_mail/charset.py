"""Bytes to text, whatever the label says.

Rule: never raises. A label that is wrong, unknown or dangerous (`punycode` takes quadratic time) is no reason to lose
a word: UTF-8 is tried, then the label, then the code pages of the West.
"""

import codecs
import re
from collections.abc import Iterator
from functools import lru_cache

ALIASES = {
    # What senders write, against what they mean (WHATWG Encoding, RFC 1345, and habits of old clients).
    "ansi": "cp1252", "ansi_x3.110-1983": "latin-1", "ascii": "cp1252", "us-ascii": "cp1252", "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252", "iso_8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252", "l1": "cp1252",
    "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8", "iso-8859-6-i": "iso-8859-6", "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874", "tis-620": "cp874", "windows-874": "cp874", "utf8mb4": "utf-8", "utf8": "utf-8",
    "unicode-1-1-utf-8": "utf-8", "unicode-1-1-utf-7": "utf-7", "unicode": "utf-16", "ucs-2": "utf-16",
    "iso-10646-ucs-2": "utf-16-be", "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "ksc5601": "cp949",
    "euc-kr": "cp949", "x-windows-949": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030",
    "gb_2312-80": "gb18030", "euc-cn": "gb18030", "hz-gb-2312": "hz", "big5": "big5hkscs", "x-big5": "big5hkscs",
    "x-sjis": "cp932", "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "ms_kanji": "cp932",
    "windows-31j": "cp932", "iso-2022-jp": "iso2022_jp_ext", "iso-2022-jp-ms": "iso2022_jp_ext",
    "x-euc-jp": "euc_jp", "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "mac": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic", "koi8": "koi8-r", "koi": "koi8-r", "koi8-ru": "koi8-u", "x-cp1250": "cp1250",
    "x-cp1251": "cp1251", "x-cp1252": "cp1252", "cp-850": "cp850", "x-unknown": "utf-8", "unknown-8bit": "utf-8",
    "8bit": "utf-8", "default": "utf-8", "_autodetect_all": "utf-8",
}  # fmt: skip
SAFE = frozenset(
    {
        "utf-8", "utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "ascii", "big5",
        "big5hkscs", "gb2312", "gbk", "gb18030", "hz", "cp932", "shift_jis", "shift_jis_2004", "shift_jisx0213",
        "euc_jp", "euc_jis_2004", "euc_jisx0213", "euc_kr", "cp949", "johab", "iso2022_jp", "iso2022_jp_1",
        "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext", "iso2022_kr", "koi8-r", "koi8-u",
        "koi8-t", "kz1048", "ptcp154", "tis-620", "hp-roman8", "mac-roman", "mac-cyrillic", "mac-greek", "mac-latin2",
        "mac-iceland", "mac-turkish",
    }
    | {f"iso8859-{number}" for number in range(1, 17) if number != 12}
    | {
        f"cp{number}"
        for number in (
            437, 500, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874,
            1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258,
        )
    }
)  # fmt: skip
"""Canonical names of the standard library; what is not here (`idna`, `unicode_escape`) is no charset of a mail."""
_ISO_2022_JP = frozenset(
    {"iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext"}
)
_SINGLE = re.compile(r"(?:cp(?:437|8\d\d|12\d\d)|iso8859-\d+|mac-\w+|ascii)")
_JUNK = re.compile(r"[\s\"';,*]+")


@lru_cache(maxsize=256)
def known(label: str) -> str | None:
    """The codec that a label means. None: none that we would use."""
    name = _JUNK.split(label.strip("\"' \t;").lower())[0][:64]
    try:
        found = codecs.lookup(ALIASES.get(name, name)).name
    except (LookupError, ValueError, UnicodeError):
        return None
    return found if found in SAFE else None


def decoded(data: bytes, label: str | None) -> str:
    """Never raises."""
    codec = known(label) if label else "utf-8"
    if codec in _ISO_2022_JP and (text := _japanese(data, codec)) is not None:
        return text
    if codec is None or _SINGLE.fullmatch(codec):
        # Every byte is a letter of a single-byte code page, so it can not tell that it is wrong; UTF-8 can.
        tried: tuple[str | None, ...] = ("utf-8", codec, "cp1252")
    else:
        tried = (codec, "utf-8")
    for one in tried:
        if one is not None and (text := _strict(data, one)) is not None:
            return text
    return _nearest(data, codec or "latin-1")


def _japanese(data: bytes, codec: str) -> str | None:
    """None: it is no Japanese. Microsoft's programs write letters of their own in ISO-2022-JP (①, ㈱, 髙), or Shift JIS
    under its name."""
    if b"\x1b" not in data:
        return next((text for one in ("utf-8", "cp932") if (text := _strict(data, one)) is not None), None)
    text = _strict(data, codec)
    return "".join(_microsoft(data)) if text is None else text


def _microsoft(data: bytes) -> Iterator[str]:
    """Stretch by stretch, by way of Shift JIS, which has these letters."""
    first, *rest = data.split(b"\x1b")
    yield first.decode("cp932", "replace")
    for stretch in rest:
        sign, letters = stretch[:2], stretch[2:]
        if sign in (b"$B", b"$@"):
            letters = bytes(_shifted(letters))
        elif sign == b"(I":
            letters = bytes(byte | 0x80 if byte > 0x20 else byte for byte in letters)
        yield letters.decode("cp932", "replace")


def _shifted(pairs: bytes) -> Iterator[int]:
    """JIS X 0208 to Shift JIS. What is no pair stays."""
    place = 0
    while place < len(pairs):
        if place + 1 == len(pairs) or not (0x21 <= pairs[place] <= 0x7E and 0x21 <= pairs[place + 1] <= 0x7E):
            yield pairs[place]
            place += 1
            continue
        row, cell = pairs[place] - 0x21, pairs[place + 1]
        yield row // 2 + (0x81 if row < 62 else 0xC1)
        yield cell + (0x7E if row % 2 else 0x1F + (cell >= 0x60))
        place += 2


def _nearest(data: bytes, codec: str) -> str:
    """A few bad bytes in a text are shown as such; a text that is mostly bad was written in something else."""
    text = data.decode(codec, "replace")
    bad = text.count("\ufffd")
    good = len(text) - bad - len(text.encode("ascii", "ignore"))
    if bad * 2 <= good:
        return text
    return _strict(data, "cp1252") or data.decode("latin-1")


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError):
        return None
