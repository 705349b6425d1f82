"""Meta, as a process: `python -m tests.chaos.meta PLAN`. Customers write, sends are accepted or not, statuses follow.

Deliveries are repeated with a growing pause until they are answered with 200, as Meta does it.

Rule: it never reads anything of the gateway's but the answers to its own requests.
Rule: a customer writes on once the request with the message before was acknowledged: that defines their order.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import random
import sys
import time
from collections import deque
from typing import Any

import aiohttp
import msgspec

from adapters._meta import signature
from tests.chaos.control import Control, listen
from tests.chaos.graph import Graph
from tests.chaos.journal import Counts, Journal, Progress, Told, Written
from tests.chaos.plan import APP_SECRET, ENDPOINT, NUMBERS, Plan, load

WORKERS = 8
"""Requests to the gateway at once, each over a connection that is kept."""
BATCH_MAX = 20
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.5
ANSWER_LIMIT_S = 5.0
DUPLICATED = 0.03
"""Share of acknowledged requests that come once more."""
TWICE = 0.1
"""Share of messages that are followed by another one in the same request."""
OTHER_NUMBER = 0.1
ALPHABETS = ("", " grüße", " 你好", " مرحبا", " 👋🏽")
Update = Written | Told


class Customer:
    def __init__(self, id: str, number: str) -> None:
        self.id, self.number = id, number
        self.count = 0


class Meta:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.journal = Journal(counts=Counts(refused={}, faults={}), written=[], told=[], accepted=[])
        self.graph = Graph(plan, random.Random(plan.seed + 1), self.journal, self.tell)
        numbers = list(NUMBERS)
        self.idle = deque(Customer(f"49151{1_000_000 + n}", numbers[n % len(numbers)]) for n in range(plan.customers))
        self.statuses: list[tuple[float, int, Told]] = []
        self.again: list[tuple[float, int, bytes]] = []
        self.control = Control(self._progress, self._save)
        self.started = time.monotonic()
        self.tokens, self.refilled = 0.0, self.started
        self.waiting = self.acked = 0

    # --- what there is to deliver ---------------------------------------------------------------------------------

    def tell(self, told: Told, delay_s: float) -> None:
        """A status, in so many seconds."""
        self.journal.told.append(told)
        self.waiting += 1
        heapq.heappush(self.statuses, (time.monotonic() + delay_s, len(self.journal.told), told))

    def _take(self) -> tuple[list[Update], list[Customer]]:
        now, most = time.monotonic(), self.random.randint(1, BATCH_MAX)
        updates: list[Update] = []
        while self.statuses and self.statuses[0][0] <= now and len(updates) < most:
            updates.append(heapq.heappop(self.statuses)[2])
        writers: list[Customer] = []
        while len(updates) < most and self.idle and self._may_write(now):
            customer = self.idle.popleft()
            writers.append(customer)
            updates += self._write(customer)
        self.random.shuffle(writers)
        return updates, writers

    def _may_write(self, now: float) -> bool:
        if self.control.stopping:
            self.graph.well = True
            return False
        self.tokens = min(self.plan.per_second, self.tokens + (now - self.refilled) * self.plan.per_second)
        self.refilled = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def _write(self, customer: Customer) -> list[Update]:
        number = customer.number
        if self.random.random() < OTHER_NUMBER:
            number = self.random.choice(list(NUMBERS))
        return [self._message(customer, number) for _ in range(1 + (self.random.random() < TWICE))]

    def _message(self, customer: Customer, number: str) -> Written:
        customer.count += 1
        text = f"{customer.id} #{customer.count}{self.random.choice(ALPHABETS)}"
        message = Written(id=f"wamid.in.{customer.id}.{customer.count}", customer=customer.id, count=customer.count,
                          number=number, text=text)  # fmt: skip
        self.journal.written.append(message)
        self.waiting += 1
        return message

    # --- delivering -----------------------------------------------------------------------------------------------

    async def deliver(self, http: aiohttp.ClientSession) -> None:
        """One worker's life."""
        while not self.control.ending:
            updates, writers = self._take()
            if updates:
                body = encode([self._shown(update) for update in updates])
                if await self._post(http, body):
                    self._acknowledged(updates, writers, body)
            elif self.again and self.again[0][0] <= time.monotonic():
                await self._post(http, heapq.heappop(self.again)[2])
            else:
                await asyncio.sleep(0.005)

    def _acknowledged(self, updates: list[Update], writers: list[Customer], body: bytes) -> None:
        now = time.monotonic()
        for update in updates:
            update.acked_at = now
            self.acked += isinstance(update, Written)
        self.waiting -= len(updates)
        self.idle.extend(writers)
        if self.random.random() < DUPLICATED:
            self.journal.counts.duplicates += 1
            due = now + self.random.uniform(0, 3)
            heapq.heappush(self.again, (due, self.journal.counts.duplicates, body))

    async def _post(self, http: aiohttp.ClientSession, body: bytes) -> bool:
        """Until 200. False: the run ended before."""
        headers = {"content-type": "application/json", "x-hub-signature-256": signature(APP_SECRET, body)}
        url, pause = f"{self.plan.gateway_url}/hooks/{ENDPOINT}", FIRST_PAUSE_S
        counts = self.journal.counts
        while not self.control.ending:
            counts.posts += 1
            try:
                async with http.post(url, data=body, headers=headers) as answer:
                    if answer.status == 200:
                        return True
                    counts.refused[answer.status] = counts.refused.get(answer.status, 0) + 1
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            counts.redelivered += 1
            await asyncio.sleep(pause * self.random.uniform(0.5, 1.5))
            pause = min(LONGEST_PAUSE_S, pause * 2)
        return False

    def _shown(self, update: Update) -> tuple[str, str, str, dict[str, Any]]:
        """(number, kind, customer, JSON)."""
        stamp = str(int(time.time()))
        match update:
            case Written():
                return update.number, "messages", update.customer, {
                    "from": update.customer, "id": update.id, "timestamp": stamp, "type": "text",
                    "text": {"body": update.text},
                }  # fmt: skip
            case Told():
                send = self.graph.by_id[update.target]
                return send.number, "statuses", send.customer, {
                    "id": update.target, "status": update.status, "timestamp": stamp, "recipient_id": send.customer,
                    "biz_opaque_callback_data": send.key,
                }  # fmt: skip

    # --- control --------------------------------------------------------------------------------------------------

    def _progress(self) -> Progress:
        return Progress(written=len(self.journal.written), acked=self.acked, waiting=self.waiting + len(self.again),
                        accepted=len(self.journal.accepted))  # fmt: skip

    def _save(self) -> None:
        self.journal.unfinished = self.waiting
        self.plan.journal.write_bytes(msgspec.json.encode(self.journal))

    async def run(self) -> None:
        app = self.control.app()
        app.router.add_post("/v24.0/{number}/messages", self.graph.messages)
        runner = await listen(app, self.plan.meta_port)
        timeout = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
        connector = aiohttp.TCPConnector(limit=WORKERS, keepalive_timeout=30)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
            workers = [asyncio.create_task(self.deliver(http)) for _ in range(WORKERS)]
            done, _ = await asyncio.wait(workers, timeout=self.plan.limit_s, return_when=asyncio.FIRST_EXCEPTION)
            for task in workers:
                task.cancel()
            for task in done:
                task.result()
        await runner.cleanup()


def encode(updates: list[tuple[str, str, str, dict[str, Any]]]) -> bytes:
    """One request: a change for each number, in the order in which the numbers come up; non-ASCII escaped."""
    values: dict[str, dict[str, Any]] = {}
    for number, kind, customer, update in updates:
        value = values.setdefault(number, {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": f"1555000{number}", "phone_number_id": number},
            "contacts": [],
        })  # fmt: skip
        value["contacts"].append({"profile": {"name": f"C {customer[-4:]}"}, "wa_id": customer})
        value.setdefault(kind, []).append(update)
    changes = [{"field": "messages", "value": value} for value in values.values()]
    body = {"object": "whatsapp_business_account", "entry": [{"id": "900", "changes": changes}]}
    return json.dumps(body, ensure_ascii=True).encode()


if __name__ == "__main__":
    asyncio.run(Meta(load(sys.argv[1])).run())
