"""What is new in a mail: its text without what it quotes and without the signature. There is no standard for either.

The phrases of many languages are those of mail-parser-reply and some more. Its patterns are used on single short lines
only: on a whole mail they take quadratic time and worse (0.8 s for 5,000 characters without a line break), some no
longer fit what the programs write, and hyphen lists are signatures to them.

Rule: a view and no more. The full text is kept beside it, and where nothing new is found, all of it is shown.
Rule: what stands below a quote counts as new: some people answer at the bottom, or in between.
Rule: a forwarded mail is what its sender wants us to read; it is not cut.
"""

import re
from collections.abc import Iterator, Sequence

from mailparser_reply.constants import MAIL_LANGUAGES  # type: ignore[import-untyped]
from msgspec import Struct

from normalizer.text import tidy

MAX_LINES = 4_000
"""Lines that are looked at; those beyond belong to what the last one belonged to."""
LINE_CHARS = 300
"""Of a line that may be an attribution; a longer one is none."""
MAX_CANDIDATES = 100
"""Lines that look like an attribution and are looked at."""


_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Programs put them around names where letters run from right to left."""


class Split(Struct, frozen=True):
    visible: str
    quoted: str = ""
    signature: str = ""
    forwarded: bool = False


_WROTE = re.compile(
    r"(?i)(?:\bwrote|\bschrieb|\bschreef|\bskrev|\bécrit|\bescribi[óo]|\bha scritto|\bescreveu|\bnapisał|\bnapsal"
    r"|\bpíše|\bkirjoitti|\bírta|\ba scris|\byazdı|\bшет|\bпишет|\bписал|\bнаписал|\bnapísal|\bnapisao"
    r"|\bpisze|\bmenulis|เขียนว่า|تمت كتابة|έγραψε|写道"
    r"|寫道|のメール|님이|작성|כתב|كتب|viết)"
)
_STARTS = re.compile(
    r"(?i)\W{0,3}(?:on|am|le|el|il|op|em|den|dne|dnia|w dniu|på|a|në|la|vào|ngày|на|в"
    r"|às|no dia|pada|ในวันที่|في|missatge de|mon|tue|wed|thu|fri|sat|sun|mo|di"
    r"|mi|do|fr|sa|so|pon|wt|śr|czw|pt|sob|niedz|ma|ti|ke|to|pe|la|su|пн|вт|ср|чт|пт|сб|вс|בתאריך)\b[\s.,]|\W{0,3}\d{1,4}[\s./年년-]"
)
_WHEN = re.compile(r"\d{1,2}[:.h]\d{2}|\b(?:19|20)\d{2}\b|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_YEAR = re.compile(r"\b(?:19|20)\d{2}\b|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_WHO = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,200}")
_ORIGINAL = re.compile(
    r"(?i)[-_*=—–> ]{2,40}(?:original message|original-?nachricht|ursprüngliche nachricht|message d['’]origine"
    r"|message original|mensaje original|messaggio originale|oorspronkelijk bericht|mensagem original|původní zpráva"
    r"|původní e-mail|oprindelig meddelelse|ursprungligt meddelande|opprinnelig melding|alkuperäinen viesti"
    r"|исходное сообщение|wiadomość oryginalna|oryginalna wiadomość|eredeti üzenet|özgün ileti|原始邮件|原始郵件"
    r"|original-mail|reply message)[-_*=—– :]{2,40}"
)
_FORWARD = re.compile(
    r"(?i)[-_*=—–> ]{2,40}(?:forwarded message|forwarded by .{1,100}|weitergeleitete (?:nachricht|e-?mail)"
    r"|message transf[ée]r[ée]|mensaje reenviado|messaggio inoltrato|doorgestuurd bericht|mensagem encaminhada"
    r"|přeposlaná zpráva|videresendt (?:meddelelse|melding)|vidarebefordrat meddelande|välitetty viesti"
    r"|пересылаемое сообщение|wiadomość przekazana|转发邮件|轉寄郵件)[-_*=—– :]{2,40}"
    r"|begin forwarded message:|anfang der weitergeleiteten (?:nachricht|e-mail):"
    r"|début du message (?:réexpédié|transféré) ?:|inizio messaggio inoltrato:|inicio del mensaje reenviado:"
)
_ABOVE = re.compile(
    r"(?i).{0,60}(?:reply|antwort\w*|répond\w*) (?:above|oberhalb|über|au-dessus)\b.{0,60}\bline\b.{0,60}"
)
_SUBJECT_FORWARDS = re.compile(r"(?i)\s*(?:fwd?|wg|tr|rv|i|enc|doorst|vs|пересл|转发|轉寄)\s*(?:\[\d+\])?\s*[:：]")
_FROM = re.compile(
    r"(?i)[*> ]{0,3}(?:from|von|de|da|van|od|från|fra|от|kimden|lähettäjä|feladó|από|发件人|發件人|寄件者|差出人|送信者"
    r"|보낸\s?사람)\s?\*?\s?[:：]"
)
_LABEL = r"(?i)[*> ]{{0,3}}(?:{})\s?\*?\s?[:：]"
_OF_MAILS = (
    "sent|cc|subject|reply-to|gesendet|betreff|kopie|envoyé|objet|copie|enviad[oa](?: e[ml])?|assunto|asunto|inviato"
    "|oggetto|verzonden|onderwerp|wysłano|temat|dw|skickat|ämne|sendt|emne|odesláno|předmět|отправлено|тема|gönderen|gönderildi"
    "|konu|lähetetty|aihe|发送时间|發送時間|抄送|主题|主題|送信日時|件名|보낸\\s?날짜|제목"
)
_OF_ANYTHING = (
    "date|to|datum|an|à|fecha|data|para|a|aan|do|till|til|komu|дата|кому|tarih|kime|vastaanottaja|收件人|日期|宛先"
    "|받는\\s?사람"
)
_FIELD = re.compile(_LABEL.format(f"{_OF_MAILS}|{_OF_ANYTHING}"))
_MAIL_FIELD = re.compile(_LABEL.format(_OF_MAILS))
"""Also journeys and parcels go from somebody to somebody on a date."""
_RULE = re.compile(r"[_*=-]{5,}")
_SIGNS = re.compile(r"--[  ]?|—")
_SIGNATURE_LINES = 25
_CLOSING_LINES = 8


def _phrases(key: str) -> Iterator[str]:
    for language in MAIL_LANGUAGES.values():
        said = language.get(key) or []
        yield from [said] if isinstance(said, str) else said


_CLOSING = re.compile(
    r"(?i)(?:"
    + "|".join(
        [
            *(phrase for phrase in _phrases("signatures") if not phrase.startswith("/")),
            "regards", "best", "cheers", "sincerely", "yours (?:sincerely|faithfully|truly)", "many thanks", "thanks",
            "thank you", "mfg", "lg", "vg", "(?:mit )?(?:besten|freundlichen|freundlichem|herzlichen|vielen) (?:grüßen"
            "|gruß|dank)", "bien à vous", "atenciosamente", "obrigad[oa]", "abraços", "un saludo", "saludos cordiales",
            "un cordial saludo", "с уважением", "distinti saluti", "groeten", "groetjes", "pozdrawiam", "s pozdravem",
            "bien cordialement", "(?:com os melhores )?cumprimentos", "att", "med vänlig(?:a)? hälsning(?:ar)?",
            "med venlig hilsen", "ystävällisin terveisin",
        ]
    )
    + r")[\s,.!]*"
)  # fmt: skip
_SENT_FROM = re.compile(
    r"(?i)(?:" + "|".join(filter(None, _phrases("sent_from"))) + r"|.{0,40}\boutlook\b.{0,60}<https://aka\.ms/"
    r"|envoyé de(?:puis)? mon|enviado (?:do|a partir do) meu|von meinem .{2,40} gesendet"
    r"|diese nachricht wurde von mein\w+ .{2,60}gesendet|отправлено с|lähetetty|enviado desde|verstuurd vanaf mijn"
    r"|gesendet mit der|sent (?:from|via|with) (?:the )?"
    r"(?:outlook|yahoo|mail|proton|samsung|blackberry|gmx|galaxy|iphone|android)).{0,80}"
)


def forwards(subject: str | None) -> bool:
    return _SUBJECT_FORWARDS.match(subject or "") is not None


def split(text: str, subject: str | None = None) -> Split:
    lines = text.split("\n")
    marks, forwarded = _quoted(lines[:MAX_LINES], forwards(subject))
    marks += (marks[-1:] or "v") * (len(lines) - len(marks))
    marks = _signed(lines, marks)
    visible, quoted, signature = (
        tidy("\n".join(line for line, mark in zip(lines, marks, strict=True) if mark == kind)) for kind in "vqs"
    )
    if not visible:
        return Split(tidy(text), forwarded=forwarded)
    return Split(visible, quoted, signature, forwarded)


# --- quotes -------------------------------------------------------------------------------------------------------


def _quoted(lines: Sequence[str], forwards: bool) -> tuple[str, bool]:
    """For each line `v` (new) or `q` (quoted); and whether this is a forwarded mail."""
    marks: list[str] = []
    candidates = 0
    for place, line in enumerate(lines):
        bare = _BIDI.sub("", line).strip()
        if _FORWARD.fullmatch(bare[:LINE_CHARS]):
            return "".join(marks) + "v" * (len(lines) - place), True
        if line.startswith(">") or bare.startswith(">"):
            marks.append("q")
            continue
        marks.append("v")
        candidates += _may_attribute(bare)
        taken = _attribution(lines, place) if candidates <= MAX_CANDIDATES else 0
        if taken and (_is_quoted(_next(lines, place + 1)) or _is_sure(lines[place + 1 - taken : place + 1])):
            marks[place + 1 - taken :] = "q" * taken
            if not _is_quoted(_next(lines, place + 1)):
                return _rest(marks, lines), False
        elif _separates(lines, place):
            # Many forward like this: the subject alone tells it from an answer.
            return ("v" * len(lines), True) if forwards else (_rest(_with_rule(marks, lines), lines), False)
    return "".join(marks), False


def _rest(marks: list[str], lines: Sequence[str]) -> str:
    marks[-1] = "q"
    return "".join(marks) + "q" * (len(lines) - len(marks))


def _with_rule(marks: list[str], lines: Sequence[str]) -> list[str]:
    """The fields above `From` belong to its block, and the line of underscores above it."""
    place = len(marks) - 2
    while place >= 0 and _FIELD.match(lines[place].strip()[:80]):
        marks[place] = "q"
        place -= 1
    while place >= 0 and not lines[place].strip():
        place -= 1
    if place >= 0 and _RULE.fullmatch(lines[place].strip()[:LINE_CHARS]):
        marks[place:] = "q" * (len(marks) - place)
    return marks


def _is_quoted(line: str) -> bool:
    return line.lstrip().startswith(">")


def _next(lines: Sequence[str], start: int) -> str:
    return next((line for line in lines[start : start + 4] if line.strip()), "")


def _attribution(lines: Sequence[str], last: int) -> int:
    """How many lines, up to `last`, say who wrote what follows; 0: this is no such line."""
    end = _BIDI.sub("", lines[last]).strip()
    if not _may_attribute(end):
        return 0
    joined = ""
    for taken in range(1, 4):
        if last + 1 - taken < 0 or not (line := _BIDI.sub("", lines[last + 1 - taken]).strip()):
            break
        joined = f"{line} {joined}".strip()
        if len(joined) > LINE_CHARS:
            break
        if _STARTS.match(joined) and _tells_who(joined):
            return taken
    return 1 if _WROTE.search(end) and _WHO.search(end) else 0


def _may_attribute(bare: str) -> bool:
    return bare.endswith((":", "：")) and len(bare) <= LINE_CHARS


def _is_sure(lines: Sequence[str]) -> bool:
    """No quote signs follow: then everything below is quoted, and only an address or a year is proof enough."""
    text = " ".join(lines)
    return _WHO.search(text) is not None or _YEAR.search(text) is not None


def _tells_who(text: str) -> bool:
    """A date and an address, or one of them and a word for writing."""
    signs = [pattern.search(text) is not None for pattern in (_WROTE, _WHEN, _WHO)]
    return sum(signs) >= 2


def _separates(lines: Sequence[str], place: int) -> bool:
    bare = lines[place].strip()
    if not bare or len(bare) > LINE_CHARS:
        return False
    if _ORIGINAL.fullmatch(bare) or _ABOVE.fullmatch(bare):
        return True
    if not _FROM.match(bare):
        return False
    following = [line.strip()[:80] for line in lines[max(0, place - 1) : place + 9]]
    is_mails = _WHO.search(bare) is not None or any(map(_MAIL_FIELD.match, following))
    return is_mails and sum(_FIELD.match(line) is not None for line in following) >= 2


# --- signatures ---------------------------------------------------------------------------------------------------


def _signed(lines: Sequence[str], marks: str) -> str:
    """With `s` for the lines of a signature: at the end of what is new."""
    said = False
    for start, end in _stretches(marks):
        places = [place for place in range(start, end) if lines[place].strip()]
        if (first := _first_of_signature(lines, places, places if said else places[1:])) is not None:
            marks = marks[:first] + "s" * (end - first) + marks[end:]
        said = said or bool(places)
    return marks


def _stretches(marks: str) -> Iterator[tuple[int, int]]:
    for found in re.finditer("v+", marks):
        yield found.span()


def _first_of_signature(lines: Sequence[str], places: Sequence[int], marked: Sequence[int]) -> int | None:
    """`places`: the lines with words of one stretch. What begins the first stretch is no signature; below a quote the
    signature may be all that stands there, but only its own mark tells it from an answer (`marked`).
    """
    for place in marked[-_SIGNATURE_LINES:]:
        if _SIGNS.fullmatch(lines[place].strip("\r")):
            return place
    for place in places[1:][-_CLOSING_LINES:]:
        bare = lines[place].strip()
        if len(bare) <= 60 and _CLOSING.fullmatch(bare) and _short(lines, places, place):
            return place
    for place in marked[-3:]:
        bare = lines[place].strip()
        if len(bare) <= 120 and _SENT_FROM.fullmatch(bare):
            return place
    return None


def _short(lines: Sequence[str], places: Sequence[int], first: int) -> bool:
    """What follows a closing is a name and the like, not a further paragraph."""
    return all(len(lines[place].strip()) <= 80 for place in places if place > first)
