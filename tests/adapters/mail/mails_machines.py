"""Mails that machines write: reports on what we sent, absence notes, lists, copies of our own."""

from collections.abc import Mapping

from tests.adapters.mail.support import OUR_ID, Cases, claim, kept, mail, reported, said

REPORT = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\nReturn-Path: <>\n\n--b\n\nSorry.\n"
STATUS = REPORT + "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.y.example\n\n"
ORIGINAL = f"\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{OUR_ID}>\nSubject: Re: A question\n--b--\n"
DAEMON = "Mail Delivery System <mailer-daemon@y.example>"
GONE = "smtp; 550 5.1.1 <ann@y.example>: no such user"


def _dsn(*groups: str, original: str = ORIGINAL, **head: str | None) -> bytes:
    return mail(STATUS + "\n\n".join(groups) + original, From=DAEMON, Subject="Undelivered Mail", **head)


def _failed(status: str, text: str, code: str, recipient: str | None = "ann@y.example") -> Mapping[str, object]:
    said = {"code": code, "text": text, "provider_code": status}
    failure = {key: value for key, value in said.items() if value}
    return {"status": "failed", "failure": failure} | ({"recipient": recipient} if recipient else {})


ANN = "Final-Recipient: rfc822; ann@y.example"
DSN: Cases = [
    reported(
        "an unknown mailbox",
        _dsn(f"{ANN}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: {GONE}"),
        _failed("5.1.1", "550 5.1.1 <ann@y.example>: no such user", "hard_bounce"),
    ),
    reported(
        "a full mailbox is full for now",
        _dsn(f"{ANN}\nAction: failed\nStatus: 5.2.2"),
        _failed("5.2.2", "", "soft_bounce"),
    ),
    reported("given up after days", _dsn(f"{ANN}\nAction: failed\nStatus: 4.4.1"), _failed("4.4.1", "", "soft_bounce")),
    reported(
        "the words are clearer than the code",
        _dsn(f"{ANN}\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.7.1 policy"),
        _failed("5.7.1", "550 5.7.1 policy", "hard_bounce"),
    ),
    reported(
        "two recipients, one of them reached",
        _dsn(
            f"{ANN}\nAction: failed\nStatus: 5.1.1",
            "Final-Recipient: rfc822; bob@y.example\nAction: delivered\nStatus: 2.0.0",
        ),
        _failed("5.1.1", "", "hard_bounce"),
        {"status": "delivered", "recipient": "bob@y.example"},
    ),
    reported(
        "the address that we wrote to, not where it was passed on",
        _dsn(
            "Original-Recipient: rfc822;ann@y.example\nFinal-Recipient: rfc822;x@z.example\nAction: failed\n"
            "Status: 5.1.1"
        ),
        _failed("5.1.1", "", "hard_bounce"),
    ),
    reported(
        "no group names a recipient", _dsn("X-Nothing: here"), {"status": "failed", "failure": {"code": "hard_bounce"}}
    ),
    reported(
        "the original as a whole",
        _dsn(
            f"{ANN}\nAction: failed\nStatus: 5.1.1",
            original=(f"\n--b\nContent-Type: message/rfc822\n\nFrom: x\nMessage-ID: <{OUR_ID}>\n\nWords.\n--b--\n"),
        ),
        _failed("5.1.1", "", "hard_bounce"),
    ),
    reported(
        "no original, but it refers to it",
        _dsn(f"{ANN}\nAction: failed\nStatus: 5.1.1", original="\n--b--\n", In_Reply_To=f"<{OUR_ID}>"),
        _failed("5.1.1", "", "hard_bounce"),
    ),
    reported(
        "without a sender",
        _dsn(f"{ANN}\nAction: failed\nStatus: 5.1.1").replace(f"From: {DAEMON}\r\n".encode(), b""),
        _failed("5.1.1", "", "hard_bounce"),
    ),
    kept("delayed is not failed", _dsn(f"{ANN}\nAction: delayed\nStatus: 4.4.1"), "mail:notice"),
    kept("passed on is not delivered", _dsn(f"{ANN}\nAction: relayed\nStatus: 2.0.0"), "mail:notice"),
    kept(
        "of a mail that was never ours",
        _dsn(f"{ANN}\nAction: failed\nStatus: 5.1.1", original=ORIGINAL.replace(OUR_ID, "spam@shop.example")),
        "mail:bounce",
    ),
    kept(
        "of a mail that only looks like ours",
        _dsn(
            f"{ANN}\nAction: failed\nStatus: 5.1.1", original=ORIGINAL.replace(OUR_ID[-40:], "a" * 20 + "@shop.example")
        ),
        "mail:bounce",
    ),
    reported(
        "a reader complains",
        mail(
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nAbuse.\n--b\n"
            "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x\nOriginal-Rcpt-To: "
            "ann@y.example\n" + ORIGINAL,
            From="fbl@y.example",
        ),
        {
            "status": "delivered",
            "recipient": "ann@y.example",
            "failure": {"code": "complaint", "text": "its reader calls it unwanted", "provider_code": "abuse"},
        },
    ),
    reported(
        "read",
        mail(
            "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nRead.\n--b\n"
            f"Content-Type: message/disposition-notification\n\n{ANN}\nOriginal-Message-ID: <{OUR_ID}>\n"
            "Disposition: manual-action/MDN-sent-manually; displayed\n--b--\n",
            From="ann@y.example",
        ),
        {"status": "read", "recipient": "ann@y.example"},
    ),
    kept(
        "deleted unread",
        mail(
            "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nGone.\n--b\n"
            f"Content-Type: message/disposition-notification\n\n{ANN}\nOriginal-Message-ID: <{OUR_ID}>\n"
            "Disposition: automatic-action/MDN-sent-automatically; deleted\n--b--\n",
            From="ann@y.example",
        ),
        "mail:notice",
    ),
]

COPY = f"From: Shop <support@shop.example>\nTo: ann@y.example\nMessage-ID: <{OUR_ID}>\nSubject: Re: A question\n"
WORDS: Cases = [
    reported(
        "qmail",
        mail(
            "Return-Path: <>\n\nHi. This is the qmail-send program at y.example.\nI'm afraid I wasn't able to "
            "deliver your "
            "message to the following addresses.\n\n<ann@y.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
            f"--- Below this line is a copy of the message.\n\n{COPY}",
            From="MAILER-DAEMON@y.example",
            Subject="failure notice",
        ),
        _failed("5.1.1", "ann@y.example>: Sorry, no mailbox here by that name. (#5.1.1)", "hard_bounce"),
    ),
    reported(
        "Exim",
        mail(
            "X-Failed-Recipients: ann@y.example\nAuto-Submitted: auto-replied\n\nThis message was created "
            "automatically by "
            "mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\n"
            "recipients. "
            "The following address(es) failed:\n\n  ann@y.example\n    host mx.y.example [192.0.2.1]: 550 "
            "Unknown user\n\n"
            f"------ This is a copy of the message, including all the headers. ------\n\n{COPY}",
            From="Mail Delivery System <Mailer-Daemon@shop.example>",
            Subject="Mail delivery failed: returning message to sender",
        ),
        _failed("", "ann@y.example host mx.y.example [192.0.2.1]: 550 Unknown user", "hard_bounce"),
    ),
    reported(
        "Gmail",
        mail(
            f"X-Failed-Recipients: ann@y.example\nIn-Reply-To: <{OUR_ID}>\n\n** Address not found **\n\nYour "
            "message wasn't "
            "delivered to ann@y.example because the address couldn't be found.\n\nThe response was:\n550 5.1.1 "
            "unknown\n",
            From="Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
            Subject="Delivery Status Notification (Failure)",
        ),
        _failed(
            "5.1.1",
            "ann@y.example because the address couldn't be found. The response was: 550 5.1.1 unknown",
            "hard_bounce",
        ),
    ),
    reported(
        "Exchange",
        mail(
            "\nYour message did not reach some or all of the intended recipients.\n\nThe following recipient(s) "
            "cannot be "
            "reached:\n\n      ann@y.example on 1/1/2026 10:00 AM\n            There was a SMTP communication "
            "problem.\n"
            f"            <mx.y.example #5.5.0 smtp;552 mailbox full>\n\n{COPY}",
            From="postmaster@y.example",
            Subject="Undeliverable: Re: A question",
        ),
        _failed(
            "5.5.0",
            "ann@y.example on 1/1/2026 10:00 AM There was a SMTP communication problem. <mx.y.example #5.5.0 "
            "smtp;552 mailbox full>",
            "soft_bounce",
        ),
    ),
    reported(
        "Microsoft 365",
        mail(
            f"In-Reply-To: <{OUR_ID}>\nContent-Type: text/html\n\n<p>Your message to ann@y.example couldn't be "
            "delivered.</p>"
            "<p>Remote server returned '550 5.1.10 RecipientNotFound'</p>\n",
            From="Microsoft Outlook <postmaster@shop.example>",
            Subject="Undeliverable: x",
        ),
        _failed(
            "5.1.10",
            "ann@y.example couldn't be delivered. Remote server returned '550 5.1.10 RecipientNotFound'",
            "hard_bounce",
        ),
    ),
    reported(
        "Postfix without its report",
        mail(
            "Return-Path: <>\n\nThis is the mail system at host mx.z.example.\n\nI'm sorry to have to inform you "
            "that your "
            "message could not\nbe delivered to one or more recipients. It's attached below.\n\n<ann@y.example>: host "
            "mx.y.example said: 452 4.2.2 Mailbox full (in reply to RCPT TO command)\n\n<bob@y.example>: unknown "
            "user\n\n"
            f"{COPY}",
            From=DAEMON,
            Subject="Undelivered Mail Returned to Sender",
        ),
        _failed(
            "4.2.2",
            "ann@y.example>: host mx.y.example said: 452 4.2.2 Mailbox full (in reply to RCPT TO command) <",
            "soft_bounce",
        ),
        _failed("", "bob@y.example>: unknown user", "hard_bounce", "bob@y.example"),
    ),
    kept(
        "a warning that it takes longer",
        mail(
            f"\nYour message has been delayed. It will be retried.\n\n{COPY}",
            From=DAEMON,
            Subject="Warning: message delayed",
        ),
        "mail:notice",
    ),
    kept(
        "somebody else's spam in our name",
        mail(
            "Return-Path: <>\n\n<ann@y.example>: 550 5.7.1 spam\n\nMessage-ID: <x@shop.example>\n",
            From=DAEMON,
            Subject="Undelivered Mail Returned to Sender",
        ),
        "mail:bounce",
    ),
    said(
        "a customer who writes about a bounce",
        mail("\nI got this: 550 5.1.1 user unknown, my mail could not be delivered.\n", Subject="Undeliverable"),
        "I got this: 550 5.1.1 user unknown, my mail could not be delivered.",
        body={"subject": "Undeliverable"},
    ),
]


LOOPS: Cases = [
    *(
        said(f"a machine's sign: {field}", mail(f"{field}\n\nI am away.\n"), "I am away.", automated=True)
        for field in (
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: auto-generated (x)",
            "Return-Path: <>",
            "Precedence: bulk",
            "Precedence: junk",
            "Precedence: list",
            "Precedence: auto_reply",
            "List-Id: News <news.x.example>",
            "List-Unsubscribe: <https://x.example/u>",
            "X-Mailing-List: a@x.example",
            "X-Auto-Response-Suppress: OOF, DR",
            "X-Autoreply: yes",
            "X-Autorespond: yes",
            "X-Auto-Reply-From: a@x.example",
            "X-Loop: a@x.example",
            "X-FC-MachineGenerated: true",
            "Delivered-To: Autoresponder",
        )
    ),
    said("a human's sign", mail("Auto-Submitted: no\n\nHello\n"), "Hello"),
    said(
        "a subject that says it",
        mail(Subject="Automatic reply: A question"),
        "Hello",
        automated=True,
        body={"subject": "Automatic reply: A question"},
    ),
    said(
        "nobody reads what is sent there",
        mail(From="no-reply@x.example"),
        "Hello",
        automated=True,
        party={"claims": [claim("no-reply@x.example")]},
    ),
    said(
        "nobody reads it there, but at the Reply-To",
        mail(From="no-reply@x.example", Reply_To="joe@x.example"),
        "Hello",
        party={"claims": [claim("joe@x.example")]},
    ),
    said("our own address is a list", mail("List-Id: <support.shop.example>\nPrecedence: list\n\nHello\n"), "Hello"),
    kept("written by ourselves to ourselves", mail(From="support@shop.example"), "mail:own"),
    reported(
        "a copy of what we sent",
        mail(From="Shop <support@shop.example>", To="ann@y.example", Message_ID=f"<{OUR_ID}>"),
        {"status": "sent"},
    ),
    said(
        "a colleague wrote with another program",
        mail(From="Shop <sales@shop.example>", To="Ann <ann@y.example>"),
        "Hello",
        direction="out",
        author="business",
        observed=True,
        party={"claims": [claim("ann@y.example")], "name": "Ann"},
    ),
]
