"""Mails as people's programs write them: text, charsets, HTML, quotes, files."""

from tests.adapters.mail.support import Cases, file, mail, said

PLAIN = "Content-Type: text/plain; charset=utf-8\n\n"
MIXED = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
ALTERNATIVE = "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n"
HTML = "Content-Type: text/html; charset=utf-8\n\n"
LATIN = b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe \x80 5\r\n"
MISLABELLED = b"Content-Type: text/plain; charset=us-ascii\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
JAPANESE = b"Content-Type: text/plain; charset=ISO-2022-JP\r\n\r\n\x1b$B$3$s$K$A$O\x1b(B\r\n"
KOREAN = b"Content-Type: text/plain; charset=ks_c_5601-1987\r\n\r\n\xb0\xa1\xb3\xaa\r\n"
CHINESE = b'Content-Type: text/plain; charset="gb2312;"\r\n\r\n\xc4\xe3\xba\xc3\r\n'
UNKNOWN = b"Content-Type: text/plain; charset=X-UNKNOWN\r\n\r\ncaf\xe9\r\n"
RAW_SUBJECT = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nx\r\n"

TEXT: Cases = [
    said("plain text", mail("\nHello, where is my order?\n"), "Hello, where is my order?"),
    said("no header says what the text is", mail("\nGrüße\n"), "Grüße"),
    said(
        "quoted-printable",
        mail(
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n"
            "\nGr=C3=BC=C3=9Fe und=\n mehr\n"
        ),
        "Grüße und mehr",
    ),
    said(
        "base64",
        mail("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nR3LDvMOfZQ==\n"),
        "Grüße",
    ),
    said(
        "base64 with rubbish in it",
        mail("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: BASE64\n\nR3L!D\nvMOf ZQ\n"),
        "Grüße",
    ),
    said("an encoding that does not exist", mail("Content-Transfer-Encoding: 8-bits\n\nHello\n"), "Hello"),
    said("latin-1 that is windows-1252", mail(LATIN), "Grüße € 5"),
    said("UTF-8 that calls itself ASCII", mail(MISLABELLED), "Grüße"),
    said("ISO-2022-JP", mail(JAPANESE), "こんにちは"),
    said("Korean by its old name", mail(KOREAN), "가나"),
    said("GB 2312 with a semicolon", mail(CHINESE), "你好"),
    said("a charset that nobody knows", mail(UNKNOWN), "café"),
    said("UTF-8 by MySQL's name", mail("Content-Type: text/plain; charset=utf8mb4\n\nGrüße 😀\n"), "Grüße 😀"),
    said(
        "flowed lines are one",
        mail("Content-Type: text/plain; charset=utf-8; format=flowed\n\nOne line that \nwas broken.\n\nNext.\n"),
        "One line that was broken.\n\nNext.",
    ),
    said(
        "flowed lines without their blanks",
        mail("Content-Type: text/plain; format=flowed; delsp=yes\n\nab \ncd\n"),
        "abcd",
    ),
    said(
        "several texts stand one below the other",
        mail(MIXED + "--b\nContent-Type: text/plain\n\nOne.\n--b\nContent-Type: text/plain\n\nTwo.\n--b--\n"),
        "One.\n\nTwo.",
    ),
    said("no boundary at all", mail("Content-Type: multipart/mixed\n\nJust words.\n"), "Just words."),
    said(
        "a boundary that the header forgot",
        mail("Content-Type: multipart/mixed\n\n--zz\nContent-Type: text/plain\n\nFound.\n--zz--\n"),
        "Found.",
    ),
    said("the last boundary is missing", mail(MIXED + "--b\nContent-Type: text/plain\n\nCut off"), "Cut off"),
    said("NUL and lone CR", mail(b"\r\na\x00b\rc\r\n"), "ab\nc"),
    said(
        "a subject and nothing else",
        mail("\n", Subject="Call me back"),
        "Call me back",
        body={"subject": "Call me back"},
    ),
    said("neither subject nor text", mail("\n", Subject=None), body={"subject": None}),
    said(
        "an encoded subject, cut within a letter",
        mail(Subject="=?utf-8?B?R3LD?= =?utf-8?B?vMOfZQ==?="),
        "Hello",
        body={"subject": "Grüße"},
    ),
    said(
        "an encoded subject with blanks where none may be",
        mail(Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe aus K=C3=B6ln?="),
        "Hello",
        body={"subject": "Grüße aus Köln"},
    ),
    said("raw UTF-8 in the subject", mail(RAW_SUBJECT, Subject=None), "x", body={"subject": "Grüße"}),
    said("a subject over two lines", mail(Subject="One\n and two"), "Hello", body={"subject": "One and two"}),
]

MARKUP: Cases = [
    said("HTML alone", mail(HTML + "<p>Hello <b>you</b></p><p>and<br>me</p>\n"), "Hello you\n\nand\nme"),
    said(
        "the text is preferred",
        mail(
            ALTERNATIVE
            + "--b\nContent-Type: text/plain\n\nIn words.\n--b\nContent-Type: text/html\n\n<p>In HTML.</p>\n--b--\n"
        ),
        "In words.",
    ),
    said(
        "an empty text beside HTML",
        mail(
            ALTERNATIVE + "--b\nContent-Type: text/plain\n\n\n--b\nContent-Type: text/html\n\n<p>In HTML.</p>\n--b--\n"
        ),
        "In HTML.",
    ),
    said(
        "a text that points to the HTML",
        mail(
            ALTERNATIVE
            + "--b\n\nPlease view this message in HTML.\n--b\nContent-Type: text/html\n\n<p>Real.</p>\n--b--\n"
        ),
        "Real.",
    ),
    said("scripts and styles say nothing", mail(HTML + "<style>p{}</style><script>x()</script><p>Hi</p>\n"), "Hi"),
    said(
        "what Gmail quotes",
        mail(
            HTML
            + '<div>Yes.</div><div class="gmail_quote"><div>On Monday Shop wrote:</div><blockquote>Old?</blockquote>'
            "</div>\n"
        ),
        "Yes.",
    ),
    said(
        "what Outlook quotes",
        mail(HTML + '<p>Yes.</p><div id="divRplyFwdMsg"><b>From:</b> Shop</div><div>Old?</div>\n'),
        "Yes.",
    ),
    said(
        "an answer below what Apple quotes",
        mail(HTML + '<blockquote type="cite">Old?</blockquote><p>Yes.</p>\n'),
        "Yes.",
    ),
    said(
        "an image within the text",
        mail(
            "Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>See <img "
            'src="cid:i1"></p>\n'
            "--b\nContent-Type: image/png\nContent-ID: <i1>\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--b--\n"
        ),
        "See",
        file("image", "part/2", "image/png", 9),
    ),
]

QUOTES: Cases = [
    said(
        "an answer above",
        mail(
            PLAIN + "Yes, please.\n\nOn Mon, Dec 29, 2025 at 9:00 AM Shop <support@shop.example> wrote:\n> Shall we?\n"
        ),
        "Yes, please.",
    ),
    said(
        "an attribution over two lines",
        mail(
            PLAIN + "Yes.\n\nOn Mon, Dec 29, 2025 at 9:00 AM The Shop\n<support@shop.example> wrote:\n\n> Shall we?\n"
        ),
        "Yes.",
    ),
    said("answers in between", mail(PLAIN + "> Red or blue?\nRed.\n> Big or small?\nBig.\n"), "Red.\nBig."),
    said(
        "German",
        mail(PLAIN + "Ja.\n\nAm 29.12.2025 um 09:00 schrieb Shop <support@shop.example>:\n> Soll es?\n"),
        "Ja.",
    ),
    said(
        "French",
        mail(PLAIN + "Oui.\n\nLe lun. 29 déc. 2025 à 09:00, Shop <support@shop.example> a écrit :\n> Non ?\n"),
        "Oui.",
    ),
    said(
        "Spanish",
        mail(PLAIN + "Sí.\n\nEl lun, 29 dic 2025 a las 9:00, Shop (<support@shop.example>) escribió:\n> ¿No?\n"),
        "Sí.",
    ),
    said("Russian", mail(PLAIN + "Да.\n\nпн, 29 дек. 2025 г. в 09:00, Shop <support@shop.example>:\n> Нет?\n"), "Да."),
    said(
        "Outlook's block",
        mail(
            PLAIN
            + "Ok.\n\n________________________________\nVon: Shop <support@shop.example>\nGesendet: Montag\nAn: Joe\n"
            "Betreff: AW\n\nAlt.\n"
        ),
        "Ok.",
    ),
    said("Original Message", mail(PLAIN + "Ok.\n\n-----Original Message-----\nFrom: Shop\n\nOld.\n"), "Ok."),
    said("a signature", mail(PLAIN + "Please call.\n\n-- \nJoe Doe\nAcme Ltd\n"), "Please call."),
    said("a closing", mail(PLAIN + "Please call.\n\nBest regards,\nJoe\n"), "Please call."),
    said("a telephone's signature", mail(PLAIN + "Ok.\n\nSent from my iPhone\n"), "Ok."),
    said("a list is no signature", mail(PLAIN + "Please:\n- one\n- two\n"), "Please:\n- one\n- two"),
    said("nothing but a quote is shown", mail(PLAIN + "> Hello?\n"), "> Hello?"),
    said(
        "a forwarded mail is not cut",
        mail(
            PLAIN + "See below.\n\n---------- Forwarded message ---------\nFrom: A <a@y.example>\n\nWords.\n",
            Subject="Fwd: x",
        ),
        "See below.\n\n---------- Forwarded message ---------\nFrom: A <a@y.example>\n\nWords.",
        body={"subject": "Fwd: x", "forwarded": True},
    ),
]

PDF = "JVBERi0xLjQK"
ATTACHED = "Content-Type: application/pdf; name=bill.pdf\nContent-Disposition: attachment; filename=bill.pdf\n" \
           f"Content-Transfer-Encoding: base64\n\n{PDF}\n"  # fmt: skip
FILES: Cases = [
    said(
        "an attachment",
        mail(MIXED + f"--b\n\nHere.\n--b\n{ATTACHED}--b--\n"),
        "Here.",
        file("document", "part/2", "application/pdf", 9, "bill.pdf"),
    ),
    said(
        "a photo and no words",
        mail(
            MIXED
            + '--b\nContent-Type: image/jpeg\nContent-Disposition: inline; filename="a photo.jpg"\n\nJFIF\n--b--\n'
        ),
        file("image", "part/1", "image/jpeg", 4, "a photo.jpg"),
    ),
    said(
        "audio and video",
        mail(MIXED + "--b\nContent-Type: audio/mpeg\n\nID3\n--b\nContent-Type: video/mp4\n\nftyp\n--b--\n"),
        file("audio", "part/1", "audio/mpeg", 3),
        file("video", "part/2", "video/mp4", 4),
    ),
    said(
        "a name in another charset and in pieces",
        mail(
            MIXED
            + "--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename*0*=utf-8''Rechn%C3%BC;\n"
            " filename*1=ng.pdf\n\nx\n--b--\n"
        ),
        file("document", "part/1", "application/pdf", 1, "Rechnüng.pdf"),
    ),
    said(
        "a name encoded where it may not be",
        mail(MIXED + '--b\nContent-Type: application/pdf; name="=?utf-8?q?B=C3=BCcher.pdf?="\n\nx\n--b--\n'),
        file("document", "part/1", "application/pdf", 1, "Bücher.pdf"),
    ),
    said(
        "a name that climbs out of its folder",
        mail(MIXED + '--b\nContent-Type: application/pdf; name="../../etc/passwd"\n\nx\n--b--\n'),
        file("document", "part/1", "application/pdf", 1, "passwd"),
    ),
    said(
        "a name that reads backwards",
        mail(MIXED + '--b\nContent-Type: application/x-msdownload; name="bill\u202efdp.exe"\n\nx\n--b--\n'),
        file("document", "part/1", "application/x-msdownload", 1, "bill_fdp.exe"),
    ),
    said(
        "a text file is a file",
        mail(MIXED + "--b\n\nSee the log.\n--b\nContent-Type: text/plain; name=log.txt\n\nline\n--b--\n"),
        "See the log.",
        file("document", "part/2", "text/plain", 4, "log.txt"),
    ),
    said(
        "a mail within a mail is a file",
        mail(
            MIXED + "--b\n\nLook.\n--b\nContent-Type: message/rfc822\n\nFrom: a@y.example\nMessage-ID: <in@y>\n"
            "References: <r@y>\n\nInner words.\n--b--\n"
        ),
        "Look.",
        file("document", "part/2", "message/rfc822", 72, "message.eml"),
    ),
    said(
        "Outlook's own format",
        mail(MIXED + "--b\n\nSee.\n--b\nContent-Type: application/ms-tnef\n\n\x78\x9f\n--b--\n"),
        "See.",
        file("document", "part/2", "application/ms-tnef", 3, "winmail.dat"),
    ),
    said(
        "a file within the text",
        mail("\nHere:\nbegin 644 a.txt\n#0V%T\n`\nend\nBye\n"),
        "Here:\n\nBye",
        file("document", "part/1/1", "application/octet-stream", 3, "a.txt"),
    ),
    said(
        "words that begin with begin", mail("\nbegin 100 things\nand do not end\n"), "begin 100 things\nand do not end"
    ),
    said(
        "signed by S/MIME",
        mail(
            'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=b\n\n--b\n\nSigned '
            "words.\n"
            "--b\nContent-Type: application/pkcs7-signature; name=smime.p7s\n\nxx\n--b--\n"
        ),
        "Signed words.",
    ),
    said(
        "encrypted by PGP",
        mail(
            'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\n\n--b\n'
            "Content-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n"
            "\nxx\n--b--\n"
        ),
        file("document", "part/1", "application/pgp-encrypted", 10),
        file("document", "part/2", "application/octet-stream", 2),
        body={"failures": [{"code": "encrypted", "text": "encrypted (pgp): its text can not be read here"}]},
    ),
    said(
        "encrypted by S/MIME",
        mail("Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nxx\n"),
        file("document", "part/1", "application/pkcs7-mime", 4, "smime.p7m"),
        body={"failures": [{"code": "encrypted", "text": "encrypted (smime): its text can not be read here"}]},
    ),
    said(
        "an invitation",
        mail(
            MIXED + "--b\n\nPlease come.\n--b\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n"
        ),
        "Please come.",
        file("document", "part/2", "text/calendar", 15, "invite.ics"),
        automated=True,
    ),
    said(
        "an accepted invitation",
        mail("Content-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\n", Subject="Accepted: Visit"),
        file("document", "part/1", "text/calendar", 17, "invite.ics"),
        automated=True,
        body={"subject": "Accepted: Visit"},
    ),
]
