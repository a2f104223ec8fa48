"""Built-in orders: short texts with their fields, a seeded stand-in for data of one's own.

The task is extraction: one JSON object with the fields of a text, after one example in the prompt.
A text belongs to one split for good, by its own hash, as the built-in problems do.

Source: AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (structured extraction).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bedrock_rft_sim.data.problems.generate import ProblemSplit, fingerprint, split_of
from bedrock_rft_sim.files import table_beside

_TABLE = table_beside(__file__, "orders.toml")
EXAMPLE: dict[str, Any] = _TABLE["example"]
FIELDS: tuple[str, ...] = tuple(EXAMPLE["fields"])

QUANTITIES = (2, 99)
NUMBERS = (1000, 9999)
PRICES = (5, 95)


@dataclass(frozen=True, slots=True)
class Order:
    """A text and what it says, under the names of `FIELDS`."""

    id: str
    text: str
    fields: dict[str, str | int]


def generate_orders(count: int, *, seed: int, split: ProblemSplit = "train") -> Iterator[Order]:
    """Yield `count` different orders of one split; the same arguments, the same orders."""
    rng = random.Random(f"orders:{split}:{seed}")  # noqa: S311 - reproducible, not secret
    seen: set[bytes] = set()
    while len(seen) < count:
        order = _order(rng, name=f"{split}-order-{len(seen):05d}")
        key = fingerprint(order.text)
        if split_of(order.text) == split and key not in seen:
            seen.add(key)
            yield order


def _order(rng: random.Random, *, name: str) -> Order:
    fields: dict[str, str | int] = {
        "customer": rng.choice(_TABLE["customers"]),
        "quantity": rng.randint(*QUANTITIES),
        "item": rng.choice(_TABLE["items"]),
        "city": rng.choice(_TABLE["cities"]),
    }
    beside = {
        "day": rng.choice(_TABLE["days"]),
        "number": rng.randint(*NUMBERS),
        "price": rng.randint(*PRICES),
    }
    return Order(name, rng.choice(_TABLE["texts"]).format(**fields, **beside), fields)


def order_record(order: Order) -> dict[str, Any]:
    """Return the order as a training record of either shape; the reference is a text."""
    return {
        "id": order.id,
        "messages": [
            {"role": "system", "content": _TABLE["system"]},
            {"role": "user", "content": EXAMPLE["text"]},
            {"role": "assistant", "content": as_json(EXAMPLE["fields"])},
            {"role": "user", "content": order.text},
        ],
        "reference_answer": as_json(order.fields),
        "data_source": "orders",
    }


def as_json(fields: dict[str, Any]) -> str:
    """Write fields as the shortest JSON, which is what the prompt's example shows."""
    return json.dumps(fields, separators=(",", ":"))
