"""The same at every other place: its switches set, a customer writing, mailing or calling, and the answers.

Rule: what a place looks like is said by its face; nothing here knows a channel.
"""

from typing import Any

from gateway.commands import Failed
from gateway.sandbox.caller import POLL_S, QUIET_S, Caller, Script, until

OVER = ("idle", "ended")


# --- switches -----------------------------------------------------------------------------------------------------


async def switch(caller: Caller, script: Script, place: Any) -> None:
    """Raises Failed."""
    if script.switches:
        wanted = wishes(script.switches, place)
        told = await caller.json("PATCH", f"/sandbox/api/places/{script.endpoint}/switches", wanted)
        caller.show("= " + ", ".join(f"{name} {_shown(told[name])}" for name in wanted))


def wishes(switches: tuple[str, ...], place: Any) -> dict[str, Any]:
    """What the shell says, as the API takes it. Raises Failed."""
    wanted: dict[str, Any] = {}
    for one in switches:
        name, named, value = one.partition("=")
        if one == "usual":
            wanted |= usual(place["card"])
        elif not named or name not in place["switches"]:
            raise Failed(f"{one}: a switch is written NAME=VALUE; here are {', '.join(place['switches'])}")
        else:
            wanted[name] = _value(value, place["switches"][name])
    return wanted


def usual(card: Any) -> dict[str, Any]:
    """As all stand when nothing is wrong."""
    knobs = {knob["id"]: knob["options"][0]["id"] if knob["options"] else 1 if knob["most"] else knob["inverse"]
             for knob in card["knobs"]}  # fmt: skip
    return {**knobs, "faults": []}


def _value(text: str, now: Any) -> Any:
    """Of the kind that it has now."""
    match now:
        case list():
            return [one for one in text.split(",") if one]
        case bool():
            return {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}.get(text, text)
        case int():
            return int(text) if text.isdecimal() else text
        case _:
            return text


def _shown(value: Any) -> str:
    return ",".join(value) or "none" if isinstance(value, list) else str(value).lower()


# --- a customer ---------------------------------------------------------------------------------------------------


async def write(caller: Caller, script: Script, text: str, card: Any) -> None:
    path = f"/sandbox/api/places/{card['id']}/people/{await caller.phone(script)}"
    if card["face"] == "call":
        await _call(caller, script, text, path)
        return
    seen = answers(await caller.json("GET", path))
    action = {"type": "mail", "subject": "From a shell"} if card["face"] == "mailbox" else {"type": "text"}
    for _ in range(script.count):
        await caller.json("POST", path, {**action, "text": text})
        caller.show(f"> {text}")
    await until(script.wait_s, _answered(caller, path, seen))


async def _call(caller: Caller, script: Script, text: str, path: str) -> None:
    """One call: what is said is said one after the other, then the caller hangs up."""
    if (await caller.json("GET", path))["state"] in OVER:
        await caller.json("POST", path, {"type": "ring"})
    seen: dict[str, str] = {}
    await until(script.wait_s or POLL_S, _listening(caller, path, seen))
    for _ in range(script.count):
        await caller.json("POST", path, {"type": "say", "text": text})
        caller.show(f"> {text}")
        await until(script.wait_s, _answered(caller, path, seen))
    if (await caller.json("GET", path))["state"] not in OVER:
        await caller.json("POST", path, {"type": "hang_up"})


async def _listening(caller: Caller, path: str, seen: dict[str, str]) -> None:
    version = -1
    while True:
        screen = await caller.json("GET", f"{path}?after={version}&wait_s={POLL_S}")
        if screen["state"] == "talking":
            _tell(caller, screen, seen)
            return
        version = screen["version"]


async def _answered(caller: Caller, path: str, seen: dict[str, str]) -> None:
    """Until there was an answer and then silence."""
    version, answered = -1, False
    while True:
        screen = await caller.json("GET", f"{path}?after={version}&wait_s={QUIET_S if answered else POLL_S}")
        fresh = _tell(caller, screen, seen)
        if answered and screen["version"] == version:
            return
        version, answered = screen["version"], answered or fresh


def _tell(caller: Caller, screen: Any, seen: dict[str, str]) -> bool:
    """Of an utterance that has grown: what is new. Whether there was anything."""
    said = answers(screen)
    fresh = {id: text.removeprefix(seen.get(id, "")).strip() for id, text in said.items() if text != seen.get(id)}
    for text in fresh.values():
        caller.show(f"< {text}")
    seen |= said
    return bool(fresh)


def answers(screen: Any) -> dict[str, str]:
    """What the business said, by its ids."""
    lines = [line for room in screen.get("rooms", ()) for line in room["messages"] if not line["mine"]]
    found = {line["id"]: line["content"].get("text") or line["content"]["kind"] for line in lines}
    found |= {mail["id"]: mail["text"] for mail in screen.get("mails", ()) if not mail["mine"]}
    return found | {line["id"]: line["text"] for line in screen.get("lines", ()) if line["who"] == "voice"}
