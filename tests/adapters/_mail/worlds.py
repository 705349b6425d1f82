"""What the simulators of all adapters that get mail by webhook are held to."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from typing import Any, Protocol

from adapters._mail.simulator import World
from adapters._mail.simulator_letters import Enclosed
from adapters._mail.simulator_posts import Posts
from adapters.base import MailCall, Request
from normalizer.envelope import Evidence, Image, Message, Receipt, Status, Text, Unsupported
from tests.adapters._mail.outbound import OURS, ctx, message
from tests.kit import Subject, drive
from tests.kit.cases import NOW
from tests.kit.contract import as_raw


class Simulated(Protocol):
    world: World
    posts: Posts


def ids() -> Iterator[str]:
    return (f"sim{number}" for number in count(1))


def read(subject: Subject, request: Request) -> Any:
    """The one envelope of a post whose proof holds."""
    raw = as_raw(subject, request)
    assert subject.adapter.verify(raw) is None, "the simulator's signature does not fit"
    (envelope,) = subject.adapter.parse(raw)
    return envelope


def sent(subject: Subject, sim: Simulated, to: str, text: str = "Our answer", **facts: Any) -> list[str]:
    """A mail of ours through the adapter to the simulated server; its ids."""

    def answer(call: MailCall) -> Any:
        return sim.world.answer(call, NOW)

    driven = drive(subject.adapter.send(message(text, author="ai"), ctx(f"mailto:{to}", **facts)), answer)
    if driven.error is not None:
        raise driven.error
    assert driven.value is not None
    return [str(id) for id in driven.value.external_ids]


def check_words(subject: Subject, sim: Simulated) -> None:
    """What a person writes is what the adapter reads."""
    joe = sim.world.person("joe@x.example", "Jörg Doe")
    id = sim.world.write(joe, "Grüße\nund Dank", NOW, subject="Żółw")
    (request,) = sim.posts.due(NOW)
    envelope = read(subject, request)
    assert envelope.body == Message(parts=(Text("Grüße\nund Dank"),), subject="Żółw")
    assert (envelope.external_id, envelope.party.name) == (id, "Jörg Doe")
    assert str(envelope.party.address) == "mailto:joe@x.example"


def check_files(subject: Subject, sim: Simulated) -> None:
    """Files come whole, in the text and below it."""
    ann = sim.world.person("ann@y.example", "Ann")
    files = [Enclosed("Bild.png", "image/png", b"\x89PNG\x00\xff"), Enclosed("l.gif", "image/gif", b"GIF", "logo@y")]
    sim.world.write(ann, "See", NOW, html='<p>See <img src="cid:logo@y"></p>', files=files)
    (request,) = sim.posts.due(NOW)
    envelope = read(subject, request)
    assert {type(part) for part in envelope.body.parts} == {Text, Image}
    raw: Any = subject.adapter
    assert sorted(one.data for one in raw.carried(as_raw(subject, request))) == [b"GIF", b"\x89PNG\x00\xff"]


def check_proof(subject: Subject, sim: Simulated) -> None:
    """A sender whom his domain stands behind is one; another is not."""
    for address, proven in (("joe@x.example", True), ("eve@z.example", False)):
        sim.world.write(sim.world.person(address, proven=proven), "Hello", NOW)
        (request,) = sim.posts.due(NOW)
        sim.posts.delivered(request, 200)
        wanted = Evidence.CHANNEL if proven else Evidence.CLAIMED
        assert read(subject, request).party.claims[0].evidence is wanted


def check_thread(subject: Subject, sim: Simulated) -> None:
    """Question, answer, and the answer to that are one thread."""
    joe = sim.world.person("joe@x.example", "Joe")
    question = sim.world.write(joe, "Where is it?", NOW)
    (request,) = sim.posts.due(NOW)
    sim.posts.delivered(request, 200)
    first = read(subject, request)
    sent(subject, sim, "joe@x.example", native_thread=first.native_thread, last_inbound=question)
    (held,) = sim.world.mailbox(joe)
    assert held.text == "Our answer"
    sim.world.write(joe, "Thanks", NOW, answers=held)
    (request,) = sim.posts.due(NOW)
    again = read(subject, request)
    assert again.native_thread == first.native_thread
    assert again.body.reply_to.external_id == held.message_id


def check_bounce(subject: Subject, sim: Simulated, whole: bool) -> None:
    """What nobody gets comes back, and names what we sent; where the provider takes reports apart, it is only kept."""
    sim.world.unknown_later.add("gone@x.example")
    (id,) = sent(subject, sim, "gone@x.example")
    assert sim.posts.due(NOW) == []
    (request,) = sim.posts.due(NOW + sim.world.bounce_after)
    envelope = read(subject, request)
    if not whole:
        assert envelope.body == Unsupported(what="mail:bounce", visible=False)
        return
    assert isinstance(envelope.body, Receipt)
    assert (envelope.body.status, envelope.body.target) == (Status.FAILED, id)
    assert envelope.echo_key == "cmd_0011:0"


def check_absence(subject: Subject, sim: Simulated) -> None:
    """A program that answers machines is known to be one; one that does not is silent towards the AI."""
    rude = sim.world.person("away@x.example", away="I am away", polite=False)
    sent(subject, sim, "away@x.example")
    (request,) = sim.posts.due(NOW)
    assert read(subject, request).body.parts == (Text("I am away"),)
    rude.polite = True
    sim.posts.delivered(request, 200)
    sent(subject, sim, "away@x.example")
    assert sim.posts.due(NOW) == []


def check_repeats(subject: Subject, sim: Simulated, waits: list[float], stops: int) -> None:
    """What is not taken comes again, the same mail, as the provider repeats it."""
    sim.world.write(sim.world.person("joe@x.example"), "Hello", NOW)
    now, ids = NOW, set()
    for wait in waits:
        (request,) = sim.posts.due(now)
        ids.add(read(subject, request).id)
        sim.posts.delivered(request, 503)
        assert not wait or sim.posts.due(now + timedelta(seconds=wait - 0.5)) == []
        now += timedelta(seconds=wait)
    (request,) = sim.posts.due(now)
    sim.posts.delivered(request, stops)
    assert {*ids, read(subject, request).id} == ids
    assert (sim.posts.undelivered, sim.posts.next_due()) == (0, None)


def check_all(
    subject: Subject, made: Callable[[], Simulated], waits: list[float], *, stops: int = 200, whole: bool = True
) -> None:
    for check in (check_words, check_files, check_thread, check_absence):
        check(subject, made())
    check_bounce(subject, made(), whole)
    check_repeats(subject, made(), waits, stops)


__all__ = ["OURS", "Simulated", "check_all", "check_proof", "ids", "read", "sent"]
