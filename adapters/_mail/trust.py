"""Is the From what it says? Authentication-Results (RFC 8601), as far as they are our own server's.

Rule: anybody may write such a field into his mail, also in our server's name. The topmost one of ours counts; further
ones only where they stand above all `Received` fields, because nobody but us could write there.
Rule: an SPF pass says something about a server and nothing about the From. DMARC does, and an aligned DKIM signature.
"""

import re
from collections.abc import Sequence

from adapters._mail.addresses import normal_address
from adapters._mail.headers import Headers
from adapters._mail.model import Mail, Verdict

UNNAMED = "-"
"""Among `authserv_ids`: believe the topmost field without a name."""
_PAIR = re.compile(r"([a-z0-9_.-]{1,60})\s*=\s*(\"[^\"]{0,400}\"|[^\s;\"]{1,400})")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"')
_UNQUOTABLE = re.compile(r'(?!^"|"$)[^a-z0-9@.:+-]')
MAX_FIELDS = 20
FIELD_CHARS = 4_096


def read_verdicts(headers: Headers) -> tuple[Verdict, ...]:
    found: list[Verdict] = []
    above = "received" in headers
    for name, value in headers.fields:
        above = above and name != "received"
        if name == "authentication-results" and len(found) < MAX_FIELDS:
            found.append(_verdict(value[:FIELD_CHARS], above))
    return tuple(found)


def _verdict(value: str, above: bool) -> Verdict:
    first, *rest = _pieces(value.lower())
    name = "" if "=" in first else first.split()[0] if first.split() else ""
    results: list[tuple[str, str, dict[str, str]]] = []
    for piece in [first, *rest] if "=" in first else rest:
        pairs = [(key, text.strip('"')) for key, text in _PAIR.findall(piece)]
        if pairs:
            (method, result), *properties = pairs
            results.append((method.partition("/")[0], result, dict(properties)))
    return Verdict(authserv_id=name, above=above, results=tuple(results))


def _pieces(value: str) -> list[str]:
    """Between semicolons, without comments. What stands in quotes is a stranger's word: nothing is looked for in it;
    anybody may send from `"; dmarc=pass"@evil.example`."""
    pieces, depth, place = [""], 0, 0
    while place < len(value):
        char = value[place]
        if char == '"' and not depth:
            quoted = _QUOTED.match(value, place)
            pieces[-1] += _UNQUOTABLE.sub("_", quoted[0]) if quoted else ""
            place = quoted.end() if quoted else len(value)
            continue
        if char == "\\":
            place += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif not depth and char == ";":
            pieces.append("")
        elif not depth:
            pieces[-1] += char
        place += 1
    return pieces


def our_results(
    verdicts: Sequence[Verdict], authserv_ids: Sequence[str]
) -> tuple[tuple[str, str, dict[str, str]], ...]:
    """The surest first."""
    wanted = {"" if id == UNNAMED else id.lower() for id in authserv_ids}
    ours = [verdict for verdict in verdicts if verdict.authserv_id in wanted]
    if not ours:
        return ()
    counted = [ours[0], *(verdict for verdict in ours[1:] if verdict.above)]
    return tuple(result for verdict in counted for result in verdict.results)


def is_aligned(mail: Mail, authserv_ids: Sequence[str]) -> bool:
    """Whether our own server found that the domain of the From stands behind this mail."""
    if len(mail.from_) != 1:
        return False
    domain = mail.from_[0].address.rpartition("@")[2].lower()
    results = our_results(mail.verdicts, authserv_ids)
    dmarc = [(result, said) for method, result, said in results if method == "dmarc"]
    if dmarc:
        return all(result == "pass" and _ascii(said.get("header.from", domain)) == domain for result, said in dmarc)
    return any(method == "dkim" and result == "pass" and _signs_for(said, domain) for method, result, said in results)


def _signs_for(said: dict[str, str], domain: str) -> bool:
    """The signing domain is the From's own, or one above it."""
    signer = _ascii(said.get("header.d") or said.get("header.i", "").rpartition("@")[2])
    return signer == domain or ("." in signer and domain.endswith("." + signer))


def _ascii(domain: str) -> str:
    return normal_address(f"@{domain}")[1:]
