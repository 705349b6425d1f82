"""Who wrote, to whom, when, in which thread."""

from adapters._mail import anchor_for, message_id_for, thread_of, token_for
from tests.adapters.mail.support import (
    KEY,
    OLD_KEY,
    OUR_ID,
    OURS,
    TOKEN,
    Cases,
    claim,
    kept,
    mail,
    said,
)

PASS = "mx.shop.example; dmarc=pass (p=NONE) header.from=x.example"
JOE = {"claims": [claim("joe@x.example", 2)], "name": "Joe Doe"}
ANN = {"claims": [claim("ann@y.example")], "name": "Ann"}
FOREIGN_KEY = "a-key-of-somebody-else-altogether-99"
FAKE_ID = message_id_for("cmd_0011:0", OURS, FOREIGN_KEY, "shop.example")
OLD_TOKEN = token_for(OURS, OLD_KEY)
ANCHOR = anchor_for(OURS, KEY, "shop.example")


def _group(*people: str) -> dict[str, str]:
    return {"scheme": "mailto", "value": ",".join(people)}


SENDERS: Cases = [
    said("an unproven sender", mail(), "Hello"),
    said("a sender that our server vouches for", mail(Authentication_Results=PASS), "Hello", party=JOE),
    said("a result in somebody else's name", mail(Authentication_Results=PASS.replace("mx.shop", "mx.evil")), "Hello"),
    said(
        "a result of another domain",
        mail(Authentication_Results="mx.shop.example; dmarc=pass header.from=evil.example"),
        "Hello",
    ),
    said(
        "an older result below ours",
        mail(f"Authentication-Results: {PASS}\n\nHello\n", Authentication_Results="mx.shop.example; dmarc=fail"),
        "Hello",
    ),
    said(
        "ours on top of a forged one",
        mail(
            f"Received: from evil by mx\nAuthentication-Results: {PASS}\n\nHello\n",
            Authentication_Results="mx.shop.example; spf=pass smtp.mailfrom=evil.example",
        ),
        "Hello",
    ),
    said(
        "an aligned signature",
        mail(Authentication_Results="mx.shop.example; dkim=pass header.d=x.example; spf=fail"),
        "Hello",
        party=JOE,
    ),
    said(
        "somebody else's signature",
        mail(Authentication_Results="mx.shop.example; dkim=pass header.d=evil.example; spf=pass"),
        "Hello",
    ),
    said(
        "SPF proves no From",
        mail(Authentication_Results="mx.shop.example; spf=pass smtp.mailfrom=joe@x.example"),
        "Hello",
    ),
    said(
        "two people in From prove none",
        mail(Authentication_Results=PASS, From="Joe Doe <joe@x.example>, ann@y.example"),
        "Hello",
    ),
    said(
        "a name that looks like an address",
        mail(From='"boss@shop.example" <joe@x.example>'),
        "Hello",
        party={"claims": [claim("joe@x.example")], "name": "boss@shop.example"},
    ),
    said(
        "a comma in the name",
        mail(From='"Doe, Joe" <joe@x.example>'),
        "Hello",
        party={"claims": [claim("joe@x.example")], "name": "Doe, Joe"},
    ),
    said(
        "an encoded name",
        mail(From="=?iso-8859-1?Q?J=F6rg?= <joe@x.example>"),
        "Hello",
        party={"claims": [claim("joe@x.example")], "name": "Jörg"},
    ),
    said("the name as a comment, a loud domain", mail(From="joe@X.EXAMPLE (Joe Doe)"), "Hello"),
    said(
        "a domain with an umlaut",
        mail(From="Joe Doe <joe@bücher.example>"),
        "Hello",
        party={"claims": [claim("joe@xn--bcher-kva.example")], "name": "Joe Doe"},
    ),
    said(
        "the answer goes elsewhere",
        mail(Reply_To="Ann <ann@y.example>", Authentication_Results=PASS),
        "Hello",
        party=ANN,
    ),
    said(
        "the answer goes to who wrote",
        mail(Reply_To="JOE@x.example", Authentication_Results=PASS),
        "Hello",
        party={"claims": [claim("JOE@x.example", 2)], "name": "Joe Doe"},
    ),
    said("a Reply-To that is broken", mail(Reply_To='"'), "Hello"),
    said("a Reply-To that is us", mail(Reply_To="support@shop.example"), "Hello"),
    said(
        "a form of our own that writes for a customer",
        mail(From="Shop <support@shop.example>", Reply_To="Ann <ann@y.example>"),
        "Hello",
        party=ANN,
    ),
    said(
        "a group address passes it on",
        mail("X-Original-From: Ann <ann@y.example>\n\nHello\n", From="'Ann' via Support <support@shop.example>"),
        "Hello",
        party=ANN,
    ),
    said(
        "a From that can not be read, and a Sender",
        mail(From='"', Sender="ann@y.example"),
        "Hello",
        party={"claims": [claim("ann@y.example")]},
    ),
    kept("nobody at all", mail(From=None), "mail:no_sender", visible=True),
    said("a colleague reads along", mail(Cc="Boss <boss@x.example>"), "Hello"),
    said(
        "written to several people as much as to us",
        mail(To="support@shop.example, Ann@y.example"),
        "Hello",
        group=_group("ann@y.example", "joe@x.example"),
    ),
    said(
        "written to somebody else, with us in Cc",
        mail(To="ann@y.example", Cc="Sales@shop.example"),
        "Hello",
        group=_group("ann@y.example", "joe@x.example"),
        observed=True,
    ),
    said("another mailbox of the house is no outsider", mail(To="support@shop.example, boss@shop.example"), "Hello"),
    said("an alias that we do not know", mail(To="undisclosed-recipients:;"), "Hello"),
]

TIMES: Cases = [
    said("in another zone", mail(Date="Thu, 1 Jan 2026 12:30:00 +0230"), "Hello"),
    said("without a zone", mail(Date="Thu, 1 Jan 2026 10:00:00"), "Hello"),
    said("no date", mail(Date=None), "Hello", occurred_at="2026-01-02T03:04:05Z"),
    said("no date that exists", mail(Date="Thu, 99 Foo 2026"), "Hello", occurred_at="2026-01-02T03:04:05Z"),
    said(
        "a date in the future",
        mail(Date="Fri, 01 Jan 2027 10:00:00 +0000"),
        "Hello",
        occurred_at="2026-01-02T03:04:05Z",
    ),
    said(
        "when the mailbox got it",
        mail(),
        "Hello",
        headers={"x-internal-date": "2026-01-01T12:00:00+01:00"},
        occurred_at="2026-01-01T11:00:00Z",
    ),
    said(
        "larger than is fetched",
        mail("\n"),
        "A question",
        headers={"x-full-size": "50000000"},
        body={"failures": [{"code": "too_large", "text": "50000000 bytes: only its header was read"}]},
    ),
    said("a language", mail("Content-Language: de-DE, en\n\nHallo\n"), "Hallo", locale="de-de"),
]

THREADS: Cases = [
    said("the first of its thread", mail(), "Hello"),
    said(
        "an answer to an answer",
        mail(References="<first@x.example>\n <second@x.example>", In_Reply_To="<second@x.example>"),
        "Hello",
        root="first@x.example",
        body={"reply_to": {"external_id": "second@x.example"}},
    ),
    said(
        "In-Reply-To alone",
        mail(In_Reply_To="<first@x.example>"),
        "Hello",
        root="first@x.example",
        body={"reply_to": {"external_id": "first@x.example"}},
    ),
    said(
        "In-Reply-To with a comment and no brackets",
        mail(In_Reply_To="first@x.example (your mail)"),
        "Hello",
        root="first@x.example",
        body={"reply_to": {"external_id": "first@x.example"}},
    ),
    said("In-Reply-To that says nothing", mail(In_Reply_To="<>"), "Hello"),
    said(
        "an answer to a mail of ours",
        mail(In_Reply_To=f"<{OUR_ID}>"),
        "Hello",
        native_thread=OURS,
        body={"reply_to": {"external_id": OUR_ID}},
    ),
    said(
        "ours is further up the chain",
        mail(References=f"<zero@x.example> <{OUR_ID}> <third@x.example>", In_Reply_To="<third@x.example>"),
        "Hello",
        native_thread=OURS,
        body={"reply_to": {"external_id": OUR_ID}},
    ),
    said("an anchor of ours", mail(References=f"<{ANCHOR}>"), "Hello", native_thread=OURS),
    said("a plus-address of ours", mail(To=f"Shop <support+{TOKEN}@shop.example>"), "Hello", native_thread=OURS),
    said("the same in capitals", mail(To=f"support+{TOKEN.upper()}@shop.example"), "Hello", native_thread=OURS),
    said("signed by the key before", mail(To=f"support+{OLD_TOKEN}@shop.example"), "Hello", native_thread=OURS),
    said(
        "where it was delivered to",
        mail(f"Delivered-To: support+{TOKEN}@shop.example\n\nHello\n"),
        "Hello",
        native_thread=OURS,
    ),
    said(
        "where it went before it was passed on",
        mail(f"X-Original-To: support+{TOKEN}@shop.example\n\nHello\n"),
        "Hello",
        native_thread=OURS,
    ),
    said(
        "the address is surer than the chain",
        mail(To=f"support+{TOKEN}@shop.example", References="<other@x.example>"),
        "Hello",
        native_thread=OURS,
    ),
    said("a token that is not ours", mail(To=f"support+{token_for(OURS, FOREIGN_KEY)}@shop.example"), "Hello"),
    said(
        "a token with one letter changed",
        mail(To=f"support+{TOKEN[:-1]}{'a' if TOKEN[-1] != 'a' else 'b'}@shop.example"),
        "Hello",
    ),
    said("an id that only looks like ours", mail(In_Reply_To=f"<{FAKE_ID}>"), "Hello"),
    said(
        "an id that only looks like ours, in the chain",
        mail(References=f"<{FAKE_ID}> <a@x.example>"),
        "Hello",
        root="a@x.example",
    ),
    said("an invented id of our domain", mail(In_Reply_To="<anything@shop.example>"), "Hello"),
    said(
        "a stranger quotes a customer's mail",
        mail(From="Eve <eve@evil.example>", References="<first@x.example>"),
        "Hello",
        root="first@x.example",
        party={"claims": [claim("eve@evil.example")], "name": "Eve"},
    ),
    said(
        "a stranger with a real token stays himself",
        mail(From="Eve <eve@evil.example>", To=f"support+{TOKEN}@shop.example"),
        "Hello",
        native_thread=OURS,
        party={"claims": [claim("eve@evil.example")], "name": "Eve"},
    ),
    said(
        "no Message-ID, by its place in the mailbox",
        mail(Message_ID=None),
        "Hello",
        path="/7/12",
        id=None,
        external_id="INBOX/7/12",
        dedupe_keys=["arrival/INBOX/7/12"],
        native_thread=thread_of("INBOX/7/12"),
    ),
    said("a Message-ID without brackets", mail(Message_ID="m1@x.example"), "Hello"),
    said("a Message-ID with a blank in it", mail(Message_ID="<a b@c> junk"), "Hello", id="ab@c"),
]
