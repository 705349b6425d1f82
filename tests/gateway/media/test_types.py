"""gateway/media/types.py: the bytes tell the type, and nothing that runs is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media import (
    serving_headers,
    sniff,
)
from gateway.media.types import safe_name

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(50)

ZIP = b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(50)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.mark.parametrize(
    ("head", "declared", "mime"),
    [
        (JPEG, None, "image/jpeg"),
        (b"\xff\xd8\xff\xdb\x00\x43" + bytes(50), None, "image/jpeg"),
        (PNG, "image/jpeg", "image/png"),
        (b"GIF89a" + bytes(50), None, "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 " + bytes(50), None, "image/webp"),
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(50), None, "audio/wav"),
        (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0" + bytes(50), None, "image/bmp"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(50), None, "video/mp4"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(50), None, "video/mp4"),
        (b"\0\0\0\x18ftyp3gp4\0\0\0\0" + bytes(50), None, "video/3gpp"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0" + bytes(50), None, "audio/mp4"),
        (b"OggS\0\2" + bytes(22) + b"OpusHead" + bytes(50), "audio/ogg; codecs=opus", "audio/ogg"),
        (b"OggS\0\2" + bytes(22) + b"OpusHead" + bytes(50), None, "audio/ogg"),
        (b"ID3\x03\0\0\0" + bytes(50), None, "audio/mpeg"),
        (b"\xff\xf1\x50\x80" + bytes(50), None, "audio/aac"),
        (b"#!AMR\n\x3c" + bytes(50), None, "audio/amr"),
        (b"%PDF-1.7\n", None, "application/pdf"),
        (ZIP, None, "application/zip"),
        (ZIP, DOCX, DOCX),
        (ZIP, XLSX.upper() + " ; x=y", XLSX),
        (ZIP, "image/png", "application/zip"),
        (b"a,b\n1,2\n", "text/csv", "text/csv"),
        ("grüße, 世界".encode(), "text/plain; charset=utf-8", "text/plain"),
        (("ü" * 2048).encode()[:-1], "text/plain", "text/plain"),
        (b"a,b\n1,2\n", None, "application/octet-stream"),
        (b"alert(1)", "text/html", "application/octet-stream"),
        (b"alert(1)", "image/png", "application/octet-stream"),
        (b"\0\1\2", "text/plain", "application/octet-stream"),
        (b"\xfd\xfc\xfb\xfa\xf9", "text/plain", "application/octet-stream"),
        (b"x", "not a type", "application/octet-stream"),
    ],
)
def test_the_bytes_tell_the_type(head: bytes, declared: str | None, mime: str) -> None:
    assert sniff(head, declared) == mime


ACTIVE = [
    b"<!DOCTYPE html><html><script>alert(1)</script>",
    b"<html><body onload=alert(1)>",
    b"  \n<script>alert(1)</script>",
    b"\xef\xbb\xbf<html><script>alert(1)</script>",
    b"\xff\xfe<\0s\0c\0r\0i\0p\0t\0>\0",
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">',
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    b'<?xml version="1.0"?><?xml-stylesheet href="javascript:alert(1)"?><a/>',
    b"alert(1)",
    b"#!/bin/sh\necho",
    b"MZ\x90\0\3" + bytes(60),
    b"<?php phpinfo();",
]
CLAIMS = [None, "text/html", "image/svg+xml", "image/png", "application/xhtml+xml", "text/javascript", "text/plain"]


@pytest.mark.parametrize("head", ACTIVE)
@pytest.mark.parametrize("declared", CLAIMS)
def test_what_a_browser_could_run_is_downloaded(head: bytes, declared: str | None) -> None:
    headers = serving_headers(sniff(head, declared), "x.html")
    assert headers["Content-Type"] in ("application/octet-stream", "text/plain")
    assert headers["Content-Disposition"].startswith("attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


@given(head=st.binary(max_size=300), declared=st.none() | st.text(max_size=20) | st.sampled_from(CLAIMS))
def test_any_bytes_have_a_type_that_is_safe_to_serve(head: bytes, declared: str | None) -> None:
    headers = serving_headers(sniff(head, declared))
    kind = headers["Content-Type"].partition("/")[0]
    assert headers["Content-Disposition"].startswith("attachment") or kind in ("image", "audio", "video")
    assert not any(word in headers["Content-Type"] for word in ("html", "svg", "xml+", "script"))


def test_images_are_shown() -> None:
    headers = serving_headers("image/png", "cat.png")
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Disposition"] == "inline; filename=\"cat.png\"; filename*=UTF-8''cat.png"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("", "attachment"),
        ('a"b\\c.pdf', "attachment; filename=\"c.pdf\"; filename*=UTF-8''c.pdf"),
        ('a"b.pdf', "attachment; filename=\"a_b.pdf\"; filename*=UTF-8''a%22b.pdf"),
        ("a\r\nSet-Cookie: x", "attachment; filename=\"aSet-Cookie: x\"; filename*=UTF-8''aSet-Cookie%3A%20x"),
        ("grün.pdf", "attachment; filename=\"gr_n.pdf\"; filename*=UTF-8''gr%C3%BCn.pdf"),
    ],
)
def test_names_can_not_break_out_of_the_header(name: str, header: str) -> None:
    assert serving_headers("application/pdf", name)["Content-Disposition"] == header


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\y.txt", "y.txt"),
        ("..", ""),
        ("exe.\u202etxt", "exe.txt"),
        ("a" * 200 + ".pdf", "a" * 116 + ".pdf"),
    ],
)
def test_a_safe_name_is_one_segment(name: str, safe: str) -> None:
    assert safe_name(name) == safe
