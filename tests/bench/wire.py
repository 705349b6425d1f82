"""Requests of the load, made beforehand: signed WhatsApp deliveries as raw HTTP/1.1, so that the generator only sends.

Rule: every message has its own id and one of a bounded number of customers; a run can be told apart by its `tag`.
"""

import hmac
import json
from collections.abc import Iterator

SECRET = "bench-app-secret"
NUMBER = "106540352242922"
CUSTOMERS = 2_000


def delivery(tag: str, number: int, text: str = "Where is my order? I have waited since Monday.") -> bytes:
    """One message in one delivery, as the provider sends the most."""
    customer = f"4915{number % CUSTOMERS:09d}"
    message = {
        "from": customer,
        "id": f"wamid.{tag}{number:09d}",
        "timestamp": "1795000000",
        "type": "text",
        "text": {"body": text},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER},
        "contacts": [
            {"profile": {"name": "Kim Example"}, "wa_id": customer, "user_id": f"DE.{number % CUSTOMERS:020d}"}
        ],
        "messages": [message],
    }
    change = {"value": value, "field": "messages"}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
    ).encode()


def request(path: str, body: bytes) -> bytes:
    signature = hmac.digest(SECRET.encode(), body, "sha256").hex()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: facebookexternalua\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nX-Hub-Signature-256: sha256={signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests(path: str, tag: str, count: int) -> Iterator[bytes]:
    return (request(path, delivery(tag, number)) for number in range(count))
