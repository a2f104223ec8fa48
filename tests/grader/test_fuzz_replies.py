"""Replies of a handler, mutated: each is a batch of grades or one message, in bounded time."""

from __future__ import annotations

import json
import math
import random
import time
import tracemalloc

import pytest

from bedrock_rft_sim.errors import GraderError
from bedrock_rft_sim.grader.reply import read_reply

MUTANTS = 1500
SECONDS_MAX = 10
MEMORY_MAX = 200_000_000
MESSAGE_MAX = 4000
IDS = ["s0", "s1", "s2"]
GOOD = [
    {
        "id": name,
        "aggregate_reward_score": 0.5,
        "metrics_list": [{"name": "form", "value": 1.0, "type": "Reward"}],
    }
    for name in IDS
]
STRANGE = [
    None, True, False, 0, -1, 10**400, 1e308, float("nan"), float("inf"), "", "s0", "s9", "\ud800",
    "\x1b[31m", "\0", "é" * 3000, [], [[]], {}, {"id": "s0"}, {"statusCode": 200, "body": "["},
    {"statusCode": 500, "body": {}}, {"statusCode": [], "body": None}, "1" * 5000, 0.1, -0.0,
]  # fmt: skip


def mutated(rng):
    """Bytes that were a good reply before they were changed one to four times."""
    reply = json.loads(json.dumps(GOOD))
    for _ in range(rng.randint(1, 3)):
        reply = strange_inside(reply, rng)
    body = json.dumps(reply).encode("utf-8", "surrogatepass")
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        body = bent(body, rng)
    return body


def strange_inside(value, rng):
    """The same with something strange at one place of it."""
    if isinstance(value, list) and value and rng.random() < 0.8:
        index = rng.randrange(len(value))
        changed = [*value]
        changed[index] = strange_inside(value[index], rng)
        return rng.choice([changed, changed, value + value, value[:index]])
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice([*value])
        renamed = rng.choice([key, key, key, "Id", "\ud800", "x" * 5000, "statusCode", "body"])
        kept = {name: found for name, found in value.items() if name != key}
        return {**kept, renamed: strange_inside(value[key], rng)}
    return deep(rng) if rng.random() < 0.1 else rng.choice(STRANGE)


def deep(rng):
    found = 0
    for _ in range(rng.choice([10, 300, 900])):
        found = [found] if rng.random() < 0.5 else {"a": found}
    return found


def bent(body, rng):
    """Bytes cut, doubled, overwritten, or nested as no writer nests them."""
    at = rng.randrange(len(body) + 1)
    return rng.choice(
        [
            body[:at],
            body[at:],
            body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :],
            b"[" * rng.choice([5, 900, 200_000]) + body,
            body[:at] + b'{"a":' * 990 + body[at:],
            body + body,
            body.replace(b"0.5", b"9" * rng.choice([5, 400, 5000])),
            body.decode("utf-8", "replace").encode("utf-16"),
            b"\xef\xbb\xbf" + body,
        ]
    )


@pytest.mark.slow
def test_a_mutated_reply_is_a_batch_of_grades_or_one_message():
    rng = random.Random(20261126)
    tracemalloc.start()  # of this test alone, whatever others left in the process
    started, refused = time.process_time(), 0
    for _ in range(MUTANTS):
        body = mutated(rng)
        try:
            grades = read_reply(body, IDS).grades
        except GraderError as error:
            refused += 1
            check_message(str(error), body)
        else:
            assert [grade.id for grade in grades] == IDS, body
            assert is_a_grade_for_each(body), body
            for component in (each for grade in grades for each in grade.components):
                component.name.encode()
                assert component.name.isprintable()
    assert refused > MUTANTS / 2
    assert time.process_time() - started < SECONDS_MAX * MUTANTS / 100
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY_MAX


def is_a_grade_for_each(body):
    """Whether there is a finite score of each id in it, in a list, bare or as a proxy's body."""
    reply = json.loads(body)
    if isinstance(reply, dict):
        reply = reply["body"]
    reply = json.loads(reply) if isinstance(reply, str) else reply
    scores = {one["id"]: one["aggregate_reward_score"] for one in reply}
    return sorted(scores) == IDS and all(math.isfinite(float(one)) for one in scores.values())


def check_message(message, body):
    message.encode()
    assert len(message) < MESSAGE_MAX, body[:200]
    assert all(c.isprintable() or c in "\n\t" for c in message), body[:200]


@pytest.mark.slow
def test_a_mutated_reply_through_a_container_is_the_same(deploy, samples):
    rng = random.Random(7)
    source = """
    def lambda_handler(event, context):
        return bytes.fromhex(event[0]["messages"][-1]["content"])
    """
    grader = deploy(source, limits={"timeout_s": SECONDS_MAX})
    for _ in range(100):
        body = mutated(rng)
        try:
            grader.grade([*samples(3, answer=body.hex())])
        except GraderError as error:
            check_message(str(error), body)
