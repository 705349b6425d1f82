"""gateway/transport/guard.py on real sockets: one resolution, one address, the name kept."""

from pathlib import Path

import pytest

from adapters.base import (
    Flow,
    MediaFailed,
    NotReached,
    Refused,
    Reply,
    SendError,
)
from gateway.transport import GuardSettings
from tests.gateway.provider import Answer, Provider
from tests.gateway.transport.kit import ENDPOINT, Made, Names, facts, failure, get, run, self_signed


def loopback(provider: Provider, *networks: str) -> GuardSettings:
    return GuardSettings(allow_networks=networks, allow_http=True, allow_ports=(provider.port,))


@pytest.mark.parametrize(("to_media", "kind"), [(True, MediaFailed), (False, Refused)])
async def test_a_foreign_url_into_a_private_network_is_refused(
    provider: Provider, make: Made, to_media: bool, kind: type[SendError]
) -> None:
    transport = await make(loopback(provider))
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"):
        error = await failure(transport, get(provider.url("/private-path", host), foreign=True, to_media=to_media))
        assert (*facts(error), error.retryable) == (kind, True, False)
        assert error.text.startswith("URL refused")
    assert provider.connections == 0


async def test_our_own_url_is_not_guarded(provider: Provider, make: Made) -> None:
    assert (await run(await make(), get(provider.url()))).status == 200


async def test_an_allowed_network_is_reached_by_address(provider: Provider, make: Made) -> None:
    transport = await make(loopback(provider, "127.0.0.0/8"))
    assert (await run(transport, get(provider.url(), foreign=True))).status == 200


async def test_the_name_is_resolved_once_and_kept_for_the_server(provider: Provider, make: Made) -> None:
    names = Names(["127.0.0.1"])
    transport = await make(loopback(provider, "127.0.0.1/32"), resolver=lambda: names)
    assert (await run(transport, get(provider.url("/a", "files.example"), foreign=True))).status == 200
    assert names.asked == ["files.example"]
    assert provider.calls[0].headers["host"] == f"files.example:{provider.port}"


async def test_a_name_that_changes_between_check_and_use_gains_nothing(provider: Provider, make: Made) -> None:
    """Rebinding: the first answer is allowed, every later one leads to a neighbour who must not be reached.

    One call asks once and goes where the answer said. The next call asks again and is refused; no connection and no
    address of the call before is used for it.
    """
    async with Provider("127.0.0.66", provider.port) as neighbour:
        names = Names(["127.0.0.1"], ["127.0.0.66"], ["127.0.0.1", "127.0.0.66"])
        transport = await make(loopback(provider, "127.0.0.1/32"), resolver=lambda: names)
        call = get(provider.url("/private-path", "rebinding.example"), foreign=True)
        assert (await run(transport, call)).status == 200
        assert len(names.asked) == 1
        assert facts(await failure(transport, call)) == (Refused, True)
        assert facts(await failure(transport, call)) == (Refused, True)
        assert (len(names.asked), provider.connections, neighbour.connections) == (3, 1, 0)


async def test_tls_is_asked_for_by_name(make: Made, tmp_path: Path) -> None:
    """The connection goes to the checked address, the name goes into the handshake, the certificate is checked."""
    context, asked = self_signed(tmp_path), list[str | None]()
    context.sni_callback = lambda sock, name, ctx: asked.append(name)
    async with Provider(tls=context) as provider:
        guard = GuardSettings(allow_networks=("127.0.0.1/32",), allow_ports=(provider.port,))
        transport = await make(guard, resolver=lambda: Names(["127.0.0.1"]))
        error = await failure(transport, get(provider.url("/private-path", "files.example"), foreign=True))
        assert facts(error) == (NotReached, True)
        assert asked == ["files.example"]


async def test_a_foreign_redirect_is_checked_like_any_call(provider: Provider, make: Made) -> None:
    """The adapter sees it; following it is a call of its own."""
    provider.then(Answer(302, {"Location": f"http://169.254.169.254:{provider.port}/"}))
    transport = await make(loopback(provider, "127.0.0.1/32"))

    def flow() -> Flow[Reply]:
        reply = yield get(provider.url(), foreign=True)
        return (yield get(reply.headers["location"], foreign=True, to_media=True))

    with pytest.raises(MediaFailed, match="not public"):
        await transport.run(flow(), endpoint=ENDPOINT, credentials={})
