"""What is new in a mail."""

import pytest

from adapters._mail.reply import MAX_CANDIDATES, Split, forwards, split

ATTRIBUTIONS = [
    "On Mon, Dec 29, 2025 at 9:00 AM Shop <a@shop.example> wrote:",
    "On 12/29/25 9:00 AM, Shop wrote:",
    "Am 29.12.2025 um 09:00 schrieb Shop:",
    "Am Mo., 29. Dez. 2025 um 09:00 Uhr schrieb Shop <a@shop.example>:",
    "Le 29/12/2025 à 09:00, Shop a écrit :",
    "El lun, 29 dic 2025 a las 9:00, Shop (<a@shop.example>) escribió:",
    "Il giorno lun 29 dic 2025 alle ore 09:00 Shop <a@shop.example> ha scritto:",
    "Em seg., 29 de dez. de 2025 às 09:00, Shop <a@shop.example> escreveu:",
    "Op ma 29 dec 2025 om 09:00 schreef Shop <a@shop.example>:",
    "Den mån 29 dec. 2025 kl 09:00 skrev Shop <a@shop.example>:",
    "pon., 29 gru 2025 o 09:00 Shop <a@shop.example> napisał(a):",
    "po 29. 12. 2025 v 9:00 odesílatel Shop <a@shop.example> napsal:",
    "пн, 29 дек. 2025 г. в 09:00, Shop <a@shop.example>:",
    "2025年12月29日(月) 9:00 Shop <a@shop.example>:",
    "2025年12月29日 09:00，Shop <a@shop.example> 写道：",
    "2025년 12월 29일 (월) 오전 9:00, Shop <a@shop.example>님이 작성:",
    "Shop <a@shop.example> wrote:",
    "ma 29. jouluk. 2025 klo 9.00 Shop (a@shop.example) kirjoitti:",
    "W dniu 29.12.2025 o 09:00, Shop pisze:",
    "Às 09:00 de 29/12/2025, Shop escreveu:",
    "No dia 29/12/2025, às 09:00, Shop <a@shop.example> escreveu:",
    "Pada Sen, 29 Des 2025 pukul 09.00 Shop <a@shop.example> menulis:",
    "ในวันที่ จ. 29 ธ.ค. 2025 เวลา 09:00 Shop <a@shop.example> เขียนว่า:",
    "في الاثنين، 29 ديسمبر 2025 في 9:00 ص تمت كتابة ما يلي بواسطة Shop <a@shop.example>:",
    "\u202bבתאריך יום ב׳, 29 בדצמ׳ 2025 ב-9:00 מאת \u202aShop\u202c\u200f <\u202aa@shop.example\u202c\u200f>:\u202c",
    "Missatge de Shop <a@shop.example> del dia dl., 29 de des. 2025 a les 9:00:",
]


@pytest.mark.parametrize("line", ATTRIBUTIONS)
def test_who_wrote_what_follows(line: str) -> None:
    """In many languages, with the quote below it."""
    assert split(f"Yes.\n\n{line}\n\n> Shall we?\n> Or not?") == Split("Yes.", f"{line}\n> Shall we?\n> Or not?")


@pytest.mark.parametrize("line", [line for line in ATTRIBUTIONS if "@" in line or "2025" in line])
def test_everything_below_is_quoted_where_no_signs_are(line: str) -> None:
    """An address or a year is proof enough."""
    assert split(f"Yes.\n\n{line}\n\nShall we?").visible == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "I have three questions:\nWhat, when and why?",
        "At 10:30 we met:\nall of us.",
        "On Monday I wrote:\nsomething.",
        "My address is joe@x.example:\nplease use it.",
        "From: the heart\nI thank you.",
        "Please book\nFrom: Berlin\nTo: Paris\nDate: 5.1.2026\nTwo seats",
        "Bitte abholen\nVon: Lager\nAn: Laden\nDatum: 5.1.2026\nDanke!",
        "- one\n- two",
        "Thanks,",
        "> only a quote",
        "Best regards,\nJoe",
        "a -- b\nc",
        "",
    ],
)
def test_what_looks_like_it_and_is_not(text: str) -> None:
    """A person's words stay."""
    assert split(text) == Split(text)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("Ok\n\n-----Original Message-----\nFrom: a\n\nold", "Ok"),
        ("Ok\n\n----- Ursprüngliche Nachricht -----\nVon: a\n\nalt", "Ok"),
        ("Ok\n\n________________________________\nFrom: Shop\nSent: Monday\nTo: Joe\n\nold", "Ok"),
        ("Ok\n\nFrom: Shop <a@shop.example>\nDate: 29/12/2025\nTo: Joe\n\nold", "Ok"),
        ("Ok\n\nGesendet: Montag, 29. Dezember 2025\nVon: Shop\nAn: Joe\nBetreff: Hi\n\nalt", "Ok"),
        ("Ok\n\n*From:* Shop\n*Sent:* Monday\n*To:* Joe\n\nold", "Ok"),
        ("好\n\n发件人：Shop\n发送时间：周一\n收件人：Joe\n\n旧", "好"),
        ("Ok\n##- Please type your reply above this line -##\nold", "Ok"),
        ("> Red?\nYes.\n> Blue?\nNo.", "Yes.\nNo."),
        ("> Red?\n\nYes.", "Yes."),
    ],
)
def test_separators(text: str, visible: str) -> None:
    """Lines above a quote that has no signs; and answers below or between quotes."""
    assert split(text).visible == visible


@pytest.mark.parametrize(
    ("text", "visible", "signature"),
    [
        ("Hi\n-- \nJoe", "Hi", "--\nJoe"),
        ("Hi\n--\nJoe", "Hi", "--\nJoe"),
        ("Hi\n\nMit freundlichen Grüßen\nJoe Doe\nAcme", "Hi", "Mit freundlichen Grüßen\nJoe Doe\nAcme"),
        ("Hi\n\nCordialement,\nJoe", "Hi", "Cordialement,\nJoe"),
        ("Hi\n\nSent from my iPhone", "Hi", "Sent from my iPhone"),
        ("Hi\n\nVon meinem iPhone gesendet", "Hi", "Von meinem iPhone gesendet"),
        ("Hi\n\nGet Outlook for iOS", "Hi", "Get Outlook for iOS"),
        (
            "Hi\n\nObter o Outlook para Android<https://aka.ms/x>",
            "Hi",
            "Obter o Outlook para Android<https://aka.ms/x>",
        ),
        ("Hi\n\nEnviado a partir do meu iPhone", "Hi", "Enviado a partir do meu iPhone"),
        ("Hi\n\nCom os melhores cumprimentos,\nJoe", "Hi", "Com os melhores cumprimentos,\nJoe"),
        ("Hi\n\nThanks,\n" + "This is a further paragraph and no name at all, as long as it is. " * 2, None, ""),
        ("Hi\n\nRegards\nJoe\n\n> old", "Hi", "Regards\nJoe"),
    ],
)
def test_signatures(text: str, visible: str | None, signature: str) -> None:
    """Below the dashes, below a closing, by a telephone."""
    found = split(text)
    assert (found.visible, found.signature) == (visible if visible is not None else text.strip(), signature)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("See.\n\n---------- Forwarded message ---------\nFrom: a\n\nwords", None),
        ("See.\n\n-------- Weitergeleitete Nachricht --------\nVon: a\n\nworte", None),
        ("See.\n\nBegin forwarded message:\n\nFrom: a\n\nwords", None),
        ("See.\n\nFrom: a\nSent: Monday\nTo: b\n\nwords", "FW: x"),
    ],
)
def test_forwarded_mails(text: str, subject: str | None) -> None:
    """They are what we are to read."""
    assert split(text, subject) == Split(text, forwarded=True)


@pytest.mark.parametrize(("subject", "yes"), [("Fwd: x", True), ("WG: x", True), ("RE: Fwd: x", False), (None, False)])
def test_subjects_that_forward(subject: str | None, yes: bool) -> None:
    """By their first word."""
    assert forwards(subject) == yes


@pytest.mark.parametrize(("count", "visible"), [(MAX_CANDIDATES - 1, False), (MAX_CANDIDATES, True)])
def test_so_many_lines_may_be_attributions(count: int, visible: bool) -> None:
    """At the limit, and one past it: then all of it is shown."""
    text = "Item:\n" * count + ATTRIBUTIONS[0] + "\nold"
    assert ("old" in split(text).visible) == visible


@pytest.mark.parametrize("sign", ["-- ", "--", "—", "Sent from my iPhone"])
def test_a_signature_below_the_quote(sign: str) -> None:
    """It may be all that stands there; above it something new was said."""
    signature = f"{sign}\nJoe Doe" if sign != "Sent from my iPhone" else sign
    text = f"Yes.\n\nOn Mon, Dec 29, 2025 Shop wrote:\n> Shall we?\n\n{signature}"
    found = split(text)
    assert (found.visible, found.signature) == ("Yes.", signature.replace("-- ", "--"))


def test_what_stands_alone_below_the_quote_is_no_signature() -> None:
    """Nothing new stands above: then this is it."""
    assert split("> Shall we?\n\n--\nJoe").visible == "--\nJoe"
    assert split("Yes.\n\n> Shall we?\n\nThanks,\nJoe").visible == "Yes.\n\nThanks,\nJoe"
