"""The English that the builtin engine knows beside its sources: words that carry no question, and calls for a person.

Rule: only words that say nothing about the topic stand here; all that does belongs into the sources.
"""

import re

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_APOSTROPHE = re.compile(r"['’]")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


STOP_WORDS = _listed(
    """
    a an the this that these those there here it its itself they them their he she his her him we us our ours you your
    yours i me my mine myself one ones
    and or but if so because then than as of at by for from in into on onto to toward with about over via per
    am is are was were be been being do does did doing done have has had having can could may might must shall should
    will would cannot need needs needed want wants wanted like let lets ought
    what which how when where whats hows wheres whens
    please pls plz kindly just really actually maybe perhaps also too very quite only still yet already ever never
    even again know tell say ask asking question questions wonder wondering wanna gonna got get gets getting
    something anything some any all each every more most such other another different
    im ive id ill youre youve youd youll hes shes its were weve wed well theyre theyve theyd thats theres whos
    dont doesnt didnt isnt arent wasnt werent cant couldnt wont wouldnt shouldnt havent hasnt hadnt aint not no nor
    yes yeah yep ok okay oh ah um uh hmm sure right now mean means sir madam guys everyone
    up out off until till exactly possible able possibly available help info
    """
)

WEAK_WORDS = _listed(
    """
    long much many far often old take takes taking make makes making made use uses using new enter check see show
    find give put keep say says said happen happens happened come comes go goes going try trying tried let work works
    working receive received send sent came arrive arrived thing things way time today
    """
)
"""They shape a question more than they name its topic: they help to choose a passage, and hardly make it sure."""

_AMOUNT_ASKED = re.compile(r"\bhow (?:long|much|many|far|often|old|tall|big|large|high|heavy|fast|quickly|soon|late)\b")
_AMOUNT = re.compile(
    r"\d|\b(?:free|nothing|none|never|always|once|twice|daily|one|two|three|four|five|six|seven|eight|nine|ten|twelve)\b",
    re.IGNORECASE,
)

_HUMAN = (
    r"(?:humans?|persons?|people|somebody|someone|anybody|anyone|agents?|representatives?|reps?|operators?|advis[eo]rs?"
    r"|employees?|managers?|supervisors?|staff|colleagues?|customer (?:service|support|care)|support team)"
)
_ARTICLES = r"(?:(?:to|a|an|the|your|my|real|live|actual) ){0,3}"
_PERSON = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:talk|speak|chat|write) (?:to|with) (?:\w+ ){{0,4}}{_HUMAN}\b",
        rf"\b(?:connect|transfer|forward|pass|hand|put)(?: \w+){{0,3}} to (?:\w+ ){{0,4}}{_HUMAN}\b",
        rf"\b(?:want|need|get me|give me|prefer|would like|id like|fetch|call) {_ARTICLES}{_HUMAN}\b",
        rf"\b(?:real|live|actual) {_HUMAN}\b",
        rf"^(?:(?:a|an|the|please|now|hi|hello) )*{_HUMAN}(?: (?:please|now|here))*$",
        r"\b(?:call|ring|phone) me(?: back)?\b",
        r"\b(?:not|no more|stop|hate) (?:\w+ ){0,4}(?:bots?|robots?|chatbots?|machines?)\b",
    )
)


def words_of(text: str) -> list[str]:
    """Lower-case words in their order; an apostrophe joins (`don't` is one word), and a possessive 's goes."""
    words = map(str.lower, _WORD.findall(text))
    return [_APOSTROPHE.sub("", word.removesuffix("'s").removesuffix("’s")) for word in words]


def wants_person(words: list[str]) -> bool:
    """True when a customer asks for a human rather than for an answer."""
    spoken = " ".join(words)
    return any(pattern.search(spoken) for pattern in _PERSON)


def asks_amount(words: list[str]) -> bool:
    """True for how long, how much and their like: only a sentence with a number can be the answer."""
    return _AMOUNT_ASKED.search(" ".join(words)) is not None


def holds_amount(text: str) -> bool:
    return _AMOUNT.search(text) is not None
