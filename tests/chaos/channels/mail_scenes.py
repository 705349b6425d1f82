"""Every type of what a mailbox brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from adapters._mail.simulator_letters import Enclosed
from normalizer.envelope import Document, Envelope, Evidence, Image, Message, Receipt, Status, Text, Unsupported
from tests.chaos.channels.line import Heard, Scene

if TYPE_CHECKING:
    from tests.chaos.channels.mail import Mail

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
INVITATION = (
    "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTART:20260105T100000Z\r\n"
    "SUMMARY:Fitting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
Becomes = Callable[[Envelope], bool]


def scenes(line: Mail) -> Sequence[Scene]:
    return _Scenes(line).all()


class _Scenes:
    def __init__(self, line: Mail) -> None:
        self.line, self.world = line, line.world
        self._number = 0

    def all(self) -> list[Scene]:
        return [*self._of_people(), *self._in_odd_form(), *self._of_machines(), *self._reports()]

    # --- people -------------------------------------------------------------------------------------------------------

    def _of_people(self) -> list[Scene]:
        return [
            Scene("a mail", lambda: self._says("ann one"), message("ann one")),
            Scene("an answer, with our signed address", lambda: self._answers("ann two"), message("ann two")),
            Scene("with HTML beside its text", lambda: self._says("ann three", html="<b>ann three</b>"),
                  message("ann three")),
            Scene("with a file", lambda: self._says("ann four", files=[Enclosed("a.pdf", "application/pdf", b"%PDF")]),
                  message("ann four", Document)),
            Scene("with a picture in its HTML", self._pictured, message("ann five", Image)),
            Scene("an invitation as a file", lambda: self._says(
                "ann six", files=[Enclosed("invite.ics", "text/calendar", INVITATION.encode())]),
                message("ann six", Document)),
            Scene("the same mail once more, and then another", self._again, message("ann after the second")),
            Scene("a sender that nothing stands behind", self._unproven, claimed("zoe is here")),
            Scene("to two outside people and us", self._grouped, grouped("eve to both")),
            Scene("we are only in Cc", self._in_copy, observed("dan to fay")),
            Scene("a colleague with another program", self._colleague, own("from the shop")),
        ]  # fmt: skip

    def _says(self, text: str, **facts: Any) -> None:
        self.line.write("ann", text, **facts)

    def _answers(self, text: str) -> None:
        self._says(text, answers=self.line.last("ann"))

    def _pictured(self) -> None:
        picture = Enclosed("a.png", "image/png", PNG, content_id="p1@ann.example")
        self._says("ann five", html='<p>ann five</p><img src="cid:p1@ann.example">', files=[picture])

    def _again(self) -> None:
        self._says("ann seven")
        first = self.world.arriving[-1]
        self.world.arrive(first.data, first.mail_from, first.recipient, first.at, proven=True)
        self._says("ann after the second")

    def _unproven(self) -> None:
        self.world.person("zoe@zoe.example", proven=False)
        self.line.write("zoe", "zoe is here")

    def _grouped(self) -> None:
        self._arrives("eve to both", "eve", To="support@shop.example, fay@fay.example")

    def _in_copy(self) -> None:
        self._arrives("dan to fay", "dan", To="fay@fay.example", Cc="support@shop.example")

    def _colleague(self) -> None:
        self._arrives("from the shop", "support", From="support@shop.example", To="ann@ann.example")

    # --- odd forms ----------------------------------------------------------------------------------------------------

    def _in_odd_form(self) -> list[Scene]:
        return [
            Scene("HTML alone", lambda: self._arrives("<p>gus in <b>HTML</b></p>", "gus", Content_Type="text/html"),
                  message("gus in HTML")),
            Scene("no Message-ID", lambda: self._arrives("gus unnamed", "gus", Message_ID=None),
                  message("gus unnamed")),
            Scene("a subject alone", lambda: self._arrives("", "gus", Subject="gus in a subject"),
                  message("gus in a subject")),
            Scene("a charset that nobody knows", lambda: self._arrives(
                "gus somehow", "gus", Content_Type="text/plain; charset=x-unknown"), message("gus somehow")),
            Scene("bytes that are no text of their charset", self._broken, message("gus gr")),
            Scene("a mail in a mail", self._enclosing, message("hal forwards", Document)),
            Scene("winmail.dat", self._outlook, message("hal with TNEF", Document)),
            Scene("encrypted", self._sealed, sealed),
            Scene("a mail that ends in the middle", self._cut_off, message("ian cut")),
        ]  # fmt: skip

    def _broken(self) -> None:
        self._arrives(b"gus gr\xfc\xdfe\r\n", "gus", Content_Type="text/plain; charset=utf-8")

    def _enclosing(self) -> None:
        inner = "From: x@x.example\nSubject: inner\n\ninner words"
        self._arrives(f"--b\n\nhal forwards\n--b\nContent-Type: message/rfc822\n\n{inner}\n--b--", "hal",
                      Content_Type="multipart/mixed; boundary=b")  # fmt: skip

    def _outlook(self) -> None:
        self._arrives(
            "--b\n\nhal with TNEF\n--b\nContent-Type: application/ms-tnef; name=winmail.dat\n"
            "Content-Transfer-Encoding: base64\n\neJ8+IgA=\n--b--",
            "hal",
            Content_Type="multipart/mixed; boundary=b",
        )

    def _sealed(self) -> None:
        self._arrives(
            "--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\n"
            "Content-Type: application/octet-stream; name=encrypted.asc\n\n-----BEGIN PGP MESSAGE-----\n--b--",
            "hal",
            Content_Type='multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b',
        )

    def _cut_off(self) -> None:
        self._arrives("--b\nContent-Type: text/plain\n\nian cut", "ian", Content_Type="multipart/mixed; boundary=b")

    # --- machines -----------------------------------------------------------------------------------------------------

    def _of_machines(self) -> list[Scene]:
        reply = "text/calendar; method=REPLY"
        return [
            Scene("an absence note", lambda: self._arrives("I am away", "ann", Auto_Submitted="auto-replied"),
                  machine("I am away")),
            Scene("a mailing list", lambda: self._arrives("to all of you", "joe", List_Id="<all.joe.example>",
                                                          Precedence="list"), machine("to all of you")),
            Scene("an answer to an invitation", lambda: self._arrives(
                INVITATION.replace("REQUEST", "REPLY"), "kim", Subject="Accepted", Content_Type=reply), of_calendar),
            Scene("from an address that nobody reads", lambda: self._arrives("your invoice", "noreply"),
                  machine("your invoice")),
        ]  # fmt: skip

    # --- reports ------------------------------------------------------------------------------------------------------

    def _reports(self) -> list[Scene]:
        return [
            Scene("a copy of ours", lambda: self.line.copies(*self._heard(0)), receipt(Status.SENT)),
            Scene("it was delivered", lambda: self._reports_on(1, "delivered", "2.0.0", Status.DELIVERED),
                  receipt(Status.DELIVERED)),
            Scene("it bounced", lambda: self._reports_on(2, "failed", "5.1.1", Status.FAILED),
                  receipt(Status.FAILED, "hard_bounce")),
            Scene("it bounced for now", lambda: self._reports_on(3, "failed", "4.4.1", Status.FAILED),
                  receipt(Status.FAILED, "soft_bounce")),
            Scene("it was read", self._read, receipt(Status.READ)),
            Scene("its reader complains", self._complains, receipt(Status.DELIVERED, "complaint")),
            Scene("it is late", lambda: self._reports_on(4, "delayed", "4.4.1", None), kept("mail:notice")),
            Scene("a bounce of what was never ours", self._foreign, kept("mail:bounce")),
        ]  # fmt: skip

    def _heard(self, place: int) -> tuple[Heard, bytes]:
        held = self.world.held[place]
        heard = next(one for one in self.line.record.heard if one.id == held.message_id)
        return heard, held.data

    def _reports_on(self, place: int, action: str, status: str, told: Status | None) -> None:
        heard, data = self._heard(place)
        self.world.bounce(data, "support@shop.example", "ann@ann.example", self._now(), status=status, action=action,
                          diagnostic=f"{status} so it is")  # fmt: skip
        if told is not None:
            self.line.tells(self.world.arriving[-1].data, heard, told)

    def _read(self) -> None:
        heard, _ = self._heard(1)
        self._report("disposition-notification", heard, Status.READ, f"Original-Message-ID: <{heard.id}>\n"
                     "Disposition: manual-action/MDN-sent-manually; displayed\n")  # fmt: skip

    def _complains(self) -> None:
        heard, _ = self._heard(5)
        self._report("feedback-report", heard, Status.DELIVERED, "Feedback-Type: abuse\nUser-Agent: x\n"
                     f"\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{heard.id}>\n")  # fmt: skip

    def _report(self, kind: str, heard: Heard, status: Status, fields: str) -> None:
        self._arrives(
            f"--b\n\nA report.\n--b\nContent-Type: message/{kind}\n\n"
            f"Final-Recipient: rfc822; ann@ann.example\n{fields}--b--",
            "ann",
            Content_Type=f"multipart/report; report-type={kind}; boundary=b",
        )
        self.line.tells(self.world.arriving[-1].data, heard, status)

    def _foreign(self) -> None:
        original = b"From: support@shop.example\r\nMessage-ID: <spam@shop.example>\r\n\r\nBuy.\r\n"
        self.world.bounce(original, "support@shop.example", "who@else.example", self._now())

    # --- by hand ------------------------------------------------------------------------------------------------------

    def _arrives(self, body: str | bytes, who: str, **head: str | None) -> None:
        """A mail as it is on the wire. `_` in a field's name is `-`; None leaves a field out."""
        self._number += 1
        address = f"{who}@{who}.example"
        fields: dict[str, str | None] = {
            "From": address, "To": "support@shop.example", "Subject": "Hello", "MIME-Version": "1.0",
            "Date": "Thu, 01 Jan 2026 10:00:00 +0000", "Message-ID": f"<by-hand-{self._number}@{who}.example>",
        }  # fmt: skip
        fields |= {name.replace("_", "-"): value for name, value in head.items()}
        lines = "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)
        data = body if isinstance(body, bytes) else f"{body}\n".replace("\n", "\r\n").encode()
        self.world.arrive(lines.replace("\n", "\r\n").encode() + b"\r\n" + data, address, "support@shop.example",
                          self._now(), proven=True)  # fmt: skip

    def _now(self) -> Any:
        from tests.chaos.channels.mail import now

        return now()


def message(text: str, *parts: type[Any], evidence: Evidence = Evidence.CHANNEL) -> Becomes:
    def it_is(one: Envelope) -> bool:
        match one.body:
            case Message(parts=(Text(text=said), *rest)) if one.direction == "in" and said.startswith(text):
                kinds = [type(part) for part in rest] == list(parts)
                return kinds and not one.automated and not one.observed and one.party.claims[0].evidence is evidence
            case _:
                return False

    return it_is


def claimed(text: str) -> Becomes:
    return message(text, evidence=Evidence.CLAIMED)


def grouped(text: str) -> Becomes:
    return lambda one: message(text)(one) and one.group is not None


def _says(one: Envelope, text: str) -> bool:
    return isinstance(one.body, Message) and any(isinstance(p, Text) and p.text == text for p in one.body.parts)


def observed(text: str) -> Becomes:
    return lambda one: one.observed and one.direction == "in" and _says(one, text)


def own(text: str) -> Becomes:
    return lambda one: one.observed and one.author == "business" and _says(one, text)


def machine(text: str) -> Becomes:
    return lambda one: one.automated and _says(one, text)


def of_calendar(one: Envelope) -> bool:
    return one.automated and isinstance(one.body, Message) and one.body.subject == "Accepted"


def sealed(one: Envelope) -> bool:
    return isinstance(one.body, Message) and any(failure.code == "encrypted" for failure in one.body.failures)


def receipt(status: Status, code: str | None = None) -> Becomes:
    def it_is(one: Envelope) -> bool:
        body = one.body
        return isinstance(body, Receipt) and body.status is status and code == (body.failure and body.failure.code)

    return it_is


def kept(what: str) -> Becomes:
    return lambda one: isinstance(one.body, Unsupported) and one.body.what == what
