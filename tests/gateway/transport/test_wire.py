"""gateway/transport/wire.py: what a provider gets to see, over real sockets."""

from base64 import b64encode
from collections.abc import Mapping

import pytest

from adapters.base import (
    Auth,
    CredentialsRefused,
    HttpCall,
    MediaFailed,
    Refused,
    Upload,
)
from gateway.media import MediaStore
from tests.gateway.provider import Provider, multipart
from tests.gateway.transport.kit import ENDPOINT, PNG, SECRET, Made, chunks, facts, failure, one, post, run


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (Auth("bot_token"), "authorization", f"Bearer {SECRET}"),
        (
            Auth("bot_token", "basic", user="AC1"),
            "authorization",
            "Basic " + b64encode(f"AC1:{SECRET}".encode()).decode(),
        ),
        (Auth("bot_token", "header", header="X-Api-Key"), "x-api-key", SECRET),
        (Auth("bot_token", "bearer", header="X-Auth"), "x-auth", f"Bearer {SECRET}"),
    ],
)
async def test_the_credential_is_put_in_its_place(
    provider: Provider, make: Made, auth: Auth, header: str, value: str
) -> None:
    await run(await make(), post(provider.url(), auth=auth, headers={header: "not this"}))
    assert provider.calls[0].headers[header] == value


async def test_headers_are_ours_and_the_adapters_alone(provider: Provider, make: Made) -> None:
    await run(await make(), post(provider.url(), headers={"Content-Type": "application/json", "X-A": "ü"}))
    await run(await make(), HttpCall(method="DELETE", url=provider.url()))
    first, second = provider.calls
    assert first.headers == {
        "host": f"127.0.0.1:{provider.port}",
        "user-agent": "throughline",
        "content-type": "application/json",
        "x-a": "ü".encode().decode("latin-1"),
        "accept": "*/*",
        "accept-encoding": first.headers["accept-encoding"],
        "content-length": "2",
    }
    assert "content-type" not in second.headers


@pytest.mark.parametrize("credentials", [{}, {"bot_token": ""}, {"bot_token": "a\r\nX-Evil: 1"}, {"bot_token": "a\n"}])
async def test_without_a_usable_credential_nothing_is_sent(
    provider: Provider, make: Made, credentials: Mapping[str, str]
) -> None:
    flow = one(post(provider.url(), auth=Auth("bot_token")))
    with pytest.raises(CredentialsRefused, match="bot_token"):
        await (await make()).run(flow, endpoint=ENDPOINT, credentials=credentials)
    assert provider.connections == 0


@pytest.mark.parametrize(
    "headers", [{"X-A": "a\r\nX-Evil: 1"}, {"X-A": "a\nb"}, {"X-A": "a\0"}, {"X A": "a"}, {"X-A\r\nB": "a"}, {"": "a"}]
)
async def test_a_header_that_breaks_out_is_refused(provider: Provider, make: Made, headers: Mapping[str, str]) -> None:
    assert facts(await failure(await make(), post(provider.url(), headers=headers))) == (Refused, True)
    assert provider.connections == 0


@pytest.mark.parametrize(
    "url", ["", "not a URL", "ftp://127.0.0.1/private-path", "http:///x", "http://[::1/private-path", "http://a:b/"]
)
async def test_what_is_no_url_is_refused(make: Made, url: str) -> None:
    assert facts(await failure(await make(), post(url))) == (Refused, True)


async def test_the_environments_proxy_is_not_used(
    provider: Provider, make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Provider() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        await run(await make(), post(provider.url()))
        assert (len(provider.calls), len(proxy.calls)) == (1, 0)
        await run(await make(trust_env=True), post(provider.url()))
        assert (len(provider.calls), len(proxy.calls)) == (1, 1)


async def test_an_upload_streams_from_the_media_store(provider: Provider, make: Made, media: MediaStore) -> None:
    stored = await media.put(chunks(PNG))
    upload = Upload(
        stored=stored.sha256, field="file", filename='gr"ün\r\n.png', mime="image/png",
        fields={"messaging_product": "whatsapp", "type": "image/png"},
    )  # fmt: skip
    call = post(provider.url(), body=b"", upload=upload, auth=Auth("bot_token"), headers={"content-type": "a/b"})
    await run(await make(), call)
    seen = provider.calls[0]
    parts = multipart(seen)
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert int(seen.headers["content-length"]) == len(seen.body)
    assert [(name, body) for name, (_, body) in parts.items()] == [
        ("messaging_product", b"whatsapp"),
        ("type", b"image/png"),
        ("file", PNG),
    ]
    assert "Content-Type: image/png" in parts["file"][0]


@pytest.mark.parametrize(
    ("mime", "sent"),
    [
        ("audio/ogg; codecs=opus", "audio/ogg; codecs=opus"),
        ("image/png\r\nX-Evil: 1", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
async def test_an_uploads_type_stays_in_its_header(
    provider: Provider, make: Made, media: MediaStore, mime: str, sent: str
) -> None:
    stored = await media.put(chunks(PNG))
    upload = Upload(stored=stored.sha256, field="file", filename="a", mime=mime)
    await run(await make(), post(provider.url(), body=b"", upload=upload))
    assert f"Content-Type: {sent}" in multipart(provider.calls[0])["file"][0].split("\r\n")


@pytest.mark.parametrize("stored", ["0" * 64, "../../etc/passwd"])
async def test_an_upload_that_is_gone_is_not_begun(provider: Provider, make: Made, stored: str) -> None:
    upload = Upload(stored=stored, field="file", filename="a.png", mime="image/png")
    error = await failure(await make(), post(provider.url(), upload=upload))
    assert facts(error) == (MediaFailed, True)
    assert provider.connections == 0
