"""What a customer's phone can send, as the fields of a webhook: for `Twilio.send`."""

import json

Fields = dict[str, str]


def text(body: str) -> Fields:
    return {"Body": body, "MessageType": "text"}


def media(kind: str, body: str = "") -> Fields:
    """`kind`: image, video, audio, document or sticker; the files are given to `send`."""
    return {"Body": body, "MessageType": kind}


def location(latitude: float, longitude: float, label: str = "", address: str = "") -> Fields:
    place = {"Latitude": str(latitude), "Longitude": str(longitude), "Label": label, "Address": address}
    return {"Body": "", "MessageType": "location", **{key: value for key, value in place.items() if value}}


def button(payload: str, title: str) -> Fields:
    return {"Body": title, "MessageType": "interactive", "ButtonText": title, "ButtonPayload": payload}


def row(id: str, title: str, description: str = "") -> Fields:
    picked = {"ListId": id, "ListTitle": title, "ListDescription": description}
    return {"Body": title, "MessageType": "interactive", **{key: value for key, value in picked.items() if value}}


def form(answers: dict[str, str]) -> Fields:
    return {"Body": "Sent", "MessageType": "interactive", "InteractiveData": json.dumps(answers)}


def advertised(body: str, url: str, headline: str) -> Fields:
    told = {"ReferralSourceType": "ad", "ReferralSourceId": "120", "ReferralSourceUrl": url, "ReferralNumMedia": "0"}
    return {**text(body), **told, "ReferralHeadline": headline, "ReferralCtwaClid": "simulated"}


def forwarded(content: Fields) -> Fields:
    return {**content, "Forwarded": "true", "FrequentlyForwarded": "false"}


def unknown(kind: str) -> Fields:
    return {"Body": "", "MessageType": kind}
