"""Bounces as mail servers write them, each in its own way, of the mail that we sent as OUR_ID."""

from base64 import b64encode

from tests.adapters.mail.support import OUR_ID, TOKEN

HEAD = f"""Received: by mail.shop.example (Postfix, from userid 1000)
\tid 4Xyz; Mon,  5 Jan 2026 10:00:00 +0100 (CET)
From: Shop <support@shop.example>
To: ann@y.example
Reply-To: support+{TOKEN}@shop.example
Subject: Re: A question
Message-ID:
 <{OUR_ID}>
In-Reply-To: <m1@x.example>
References: <first@x.example> <m1@x.example>
MIME-Version: 1.0
Content-Type: text/plain; charset="utf-8"
"""
WHOLE = HEAD + "\nHello Ann\n"
NULL = "Return-Path: <>\nTo: support@shop.example\n"
REPORT = NULL + 'MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="B"\n'
MIXED = NULL + 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="B"\n'


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def status(*fields: str, recipient: str = "Final-Recipient: rfc822; ann@y.example") -> str:
    group = "\n".join((recipient, "Action: failed", "Status: 5.1.1"))
    return (
        "Content-Type: message/delivery-status\n\n" + "\n".join(("Reporting-MTA: dns; mx", *fields)) + f"\n\n{group}\n"
    )


def parts(*bodies: str) -> str:
    return "\n" + "".join(f"--B\n{body}\n" for body in bodies) + "--B--\n"


def words(sender: str, subject: str, text: str, copy: str = HEAD) -> str:
    return f"{NULL}From: {sender}\nSubject: {subject}\n\n{text}\n\n{copy}"


TEXT = "Content-Type: text/plain\n\nI'm sorry to have to inform you that your message could not be delivered."
BROUGHT_BACK = f"Content-Type: message/rfc822\n\n{WHOLE}"
POSTFIX = REPORT + "From: MAILER-DAEMON@mail.shop.example (Mail Delivery System)\nSubject: Undelivered Mail\n"
GMAIL = (
    REPORT
    + """From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
X-Failed-Recipients: ann@y.example
Subject: Delivery Status Notification (Failure)
"""
)
GMAIL_TEXT = """Content-Type: multipart/related; boundary="C"

--C
Content-Type: text/plain

** Address not found **
--C
Content-Type: image/png; name="icon.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--C--"""
EXCHANGE_TEXT = """Content-Type: multipart/alternative; boundary="C"

--C
Content-Type: text/plain

Delivery has failed to these recipients or groups:

ann@y.example<mailto:ann@y.example>
--C
Content-Type: text/html

<b>Delivery has failed</b>
--C--"""
SENDMAIL_TEXT = """
   ----- The following addresses had permanent fatal errors -----
<ann@y.example>
    (reason: 550 5.1.1 <ann@y.example>... User unknown)"""

FIELDS = {
    "Postfix, with the mail": POSTFIX + parts(TEXT, status("X-Postfix-Queue-ID: 4X"), BROUGHT_BACK),
    "Postfix, with its header": POSTFIX
    + parts(TEXT, status("X-Postfix-Queue-ID: 4X"), f"Content-Type: text/rfc822-headers\n\n{HEAD}"),
    "Postfix, for an address beyond ASCII": POSTFIX
    + parts(
        TEXT,
        status(recipient="Final-Recipient: utf-8; ann@y.example").replace("message/", "message/global-"),
        f"Content-Type: message/global-headers\nContent-Transfer-Encoding: 8bit\n\n{HEAD}",
    ),
    "with nothing but the envelope's id": POSTFIX + parts(TEXT, status(f"Original-Envelope-Id: {OUR_ID}")),
    "Gmail, with nothing of the mail": GMAIL + parts(TEXT, status(f"X-Original-Message-ID: <{OUR_ID}>")),
    "Gmail": GMAIL
    + f"References: <first@x.example> <m1@x.example> <{OUR_ID}>\nIn-Reply-To: <{OUR_ID}>\n"
    + parts(GMAIL_TEXT, status(f"X-Original-Message-ID: <{OUR_ID}>"), BROUGHT_BACK),
    "Exchange": REPORT
    + f"From: <postmaster@y.example>\nX-MS-Exchange-Message-Is-Ndr:\nIn-Reply-To: <{OUR_ID}>\nReferences: <{OUR_ID}>\n"
    + parts(EXCHANGE_TEXT, status("Received-From-MTA: dns;mail.shop.example"), BROUGHT_BACK),
    "all in base64": REPORT
    + "From: postmaster@y.example\n"
    + parts(
        TEXT,
        "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
        + base64(status().partition("\n\n")[2]),
        f"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{base64(WHOLE)}",
    ),
    "its header in quoted-printable": REPORT
    + "From: postmaster@y.example\n"
    + parts(
        TEXT,
        status(),
        "Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: quoted-printable\n\n"
        f"Message-ID: <{OUR_ID[:30]}=\n{OUR_ID[30:]}>\n",
    ),
    "Exim": REPORT
    + "From: Mail Delivery System <Mailer-Daemon@mail.shop.example>\nX-Failed-Recipients: ann@y.example\n"
    + parts(TEXT, status(), f"Content-type: message/rfc822\n\nReturn-path: <support@shop.example>\n{WHOLE}"),
    "sendmail": REPORT
    + "From: Mail Delivery Subsystem <MAILER-DAEMON@mail.shop.example>\nSubject: Returned mail: see transcript\n"
    + parts(SENDMAIL_TEXT, status("Received-From-MTA: DNS; localhost"), f"Content-Type: text/rfc822-headers\n\n{HEAD}"),
    "Domino": MIXED
    + "From: postmaster@y.example\nSubject: DELIVERY FAILURE: User ann not listed in Domino Directory\n"
    + parts(TEXT, status(), BROUGHT_BACK),
}
"""With the fields of RFC 3464: `5.1.1` for ann@y.example."""

EXCHANGE_55 = """Content-Type: text/plain

Your message

  To:      ann@y.example
  Subject: Re: A question

did not reach the following recipient(s):

ann@y.example on Mon, 5 Jan 2026 10:00:06 -0000
    The recipient name is not recognized
"""
MICROSOFT_365 = f"""To: support@shop.example
From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@shop.example>
Subject: Undeliverable: Re: A question
Content-Type: text/html; charset=utf-8

<html><body><p>Your message to <a href="mailto:ann@y.example">ann@y.example</a> couldn't be delivered.</p>
<h2>Original Message Headers</h2>
<pre>From: support@shop.example
Message-ID: &lt;{OUR_ID}&gt;
</pre></body></html>
"""
GMAIL_OF_OLD = f"""{NULL}From: Mail Delivery Subsystem <mailer-daemon@google.com>
X-Failed-Recipients: ann@y.example
Subject: Delivery Status Notification (Failure)

Delivery to the following recipient failed permanently:

     ann@y.example

Technical details of permanent failure:
The error that the other server returned was:
550 550 5.1.1 <ann@y.example>: Recipient address rejected: User unknown (state 14).

----- Original message -----

MIME-Version: 1.0
Message-ID: <{OUR_ID}>
Subject: Re: A question
"""
QMAIL = """Hi. This is the qmail-send program at mx.y.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@y.example>:
192.0.2.7 does not like recipient.
Remote host said: 552 5.2.2 mailbox full
Giving up on 192.0.2.7.

--- Below this line is a copy of the message.

Return-Path: <support@shop.example>"""
EXIM_OF_OLD = """A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@y.example
    host mx.y.example [192.0.2.7]: 550 User unknown

------ This is a copy of the message, including all the headers. ------
------ The body of the message is 50000 characters long; only the first
------ 10240 or so are included here.
"""

WORDS = {
    "Exchange 5.5": MIXED
    + "From: System Administrator <postmaster@y.example>\nSubject: Undeliverable: Re: A question\n"
    + parts(EXCHANGE_55, BROUGHT_BACK),
    "Microsoft 365": MICROSOFT_365,
    "Gmail of old": GMAIL_OF_OLD,
    "Exim of old": words("Mail Delivery System <Mailer-Daemon@mail.shop.example>", "Mail delivery failed", EXIM_OF_OLD),
    "a file of no known type": MIXED
    + "From: Mail Delivery Subsystem <MAILER-DAEMON@y.example>\nSubject: Returned mail: User unknown\n"
    + parts(
        "Content-Type: text/plain\n\n<ann@y.example>\n\n550 <ann@y.example>... User unknown",
        'Content-Type: application/octet-stream; name="original.eml"\nContent-Transfer-Encoding: base64\n\n'
        + base64(WHOLE),
    ),
    "a file of text": MIXED
    + "From: Mail Delivery Subsystem <MAILER-DAEMON@y.example>\nSubject: Returned mail\n"
    + parts(
        "Content-Type: text/plain\n\nYour message could not be delivered to ann@y.example.",
        f'Content-Type: text/plain; name="original.txt"\n\n{WHOLE}',
    ),
    "MDaemon": words("MDaemon@y.example", "Warning: ann@y.example", " Remote said 550 <ann@y.example> unknown"),
    "without a From": words("<>", "Returned mail", "<ann@y.example>: 550 no"),
    "with a code and no words": words("MAILER-DAEMON@y.example", "A question", "<ann@y.example>: 550 no"),
    "Spanish": words("postmaster@y.example", "Error", "No se ha podido entregar a:\n\nann@y.example\ndesconocido"),
    "Portuguese": words(
        "postmaster@y.example", "Falha", "Não foi possível entregar a:\n\n<ann@y.example>:\ndesconhecido"
    ),
    "Russian": words("mailer-daemon@y.example", "Ваше письмо", "не может быть доставлено:\n\nann@y.example - нет"),
    "Chinese": words("PostMaster@y.example", "系统退信", "抱歉，您的邮件被退回来了\n\n无法发送到 ann@y.example"),
}
"""In words of their own: ann@y.example will never get it."""
FULL = {
    "qmail": words("MAILER-DAEMON@mx.y.example", "failure notice", QMAIL, WHOLE),
    "German": words("MAILER-DAEMON@y.example", "Unzustellbare Nachricht", "<ann@y.example> ... Postfach ist voll"),
    "French": words("postmaster@y.example", "Echec", "n'a pas pu être remis :\n\n<ann@y.example>: boîte pleine"),
    "Italian": words("mailer-daemon@y.example", "Mancato recapito", "al destinatario ann@y.example: casella piena"),
}
"""In words of their own: her mailbox is full."""

SES_ID = "010201abcdef0123-1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d-000000@eu-west-1.amazonses.com"
SES = (
    REPORT
    + "From: MAILER-DAEMON@eu-west-1.amazonses.com\nSubject: Delivery Status Notification (Failure)\n"
    + parts(TEXT, status(), f"Content-Type: message/rfc822\n\nMessage-ID: <{SES_ID}>\n\nHello\n")
)
WAITS = f"""{NULL}From: Mail Delivery System <Mailer-Daemon@mail.shop.example>
Subject: Warning: message 1abc delayed 24 hours

A message that you sent has not yet been delivered to one or more of its recipients after more than 24 hours.

  ann@y.example
    host mx.y.example [192.0.2.7]: 451 try later

Delivery attempts will continue for some time.

Message-ID: <{OUR_ID}>
"""
"""Exim tells that it goes on trying."""
