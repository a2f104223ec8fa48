"""Strings made to keep a pattern busy: matching holds the interpreter, and so all other clients."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.datastructures import Headers

from bedrock_rft_sim.recipe.dialects.service_model import quick, service_model
from bedrock_rft_sim.server import dispatch, guard
from bedrock_rft_sim.server.matrix import support_matrix
from bedrock_rft_sim.server.session import Session
from tests.server.conftest import Endpoint

PATIENCE_S = 60  # all of it takes a second
LONGEST = 2048
HEADS = (
    "",
    "a",
    "s3://",
    "arn:aws:bedrock:us-east-1::foundation-model/",
    "arn:aws:bedrock:us-east-1:123456789012:custom-model/",
    "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/",
    "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/",
    "arn:aws:lambda:us-east-1:123456789012:function:",
)
RUNS = ("a", "0", "-", "a-", "a.", "a:", "a_", "a/", "a.a:", "/", ".", "a" * 60 + ".")
MATCH_ALL = """
import json, re, sys
for pattern, texts in json.load(sys.stdin):
    print(pattern, flush=True)
    for text in texts:
        re.fullmatch(pattern, text)
"""


def shapes_below(shape: Any, seen: dict[str, Any]) -> dict[str, Any]:
    """Return the shape and all that it is made of, by name."""
    if shape is not None and shape.name not in seen:
        seen[shape.name] = shape
        inner = {
            "structure": lambda: shape.members.values(),
            "list": lambda: [shape.member],
            "map": lambda: [shape.key, shape.value],
        }.get(shape.type_name, list)
        for each in inner():
            shapes_below(each, seen)
    return seen


def patterns(endpoint: Endpoint) -> Iterator[tuple[str, int]]:
    """Yield each pattern of each simulated operation, and the longest string it is asked about."""
    for row in support_matrix(endpoint.state):
        if row.support != "not simulated" and row.service in ("bedrock", "lambda"):
            operation = service_model(row.service).operation_model(row.operation)
            for shape in shapes_below(operation.input_shape, {}).values():
                pattern = shape.metadata.get("pattern", "")
                if pattern and r"\p{" not in pattern:
                    yield pattern, min(shape.metadata.get("max", LONGEST), LONGEST)


def test_no_string_keeps_a_pattern_busy(endpoint: Endpoint) -> None:
    asked = [
        (quick(pattern), [(head + run * most)[: most - 1] + "!" for head in HEADS for run in RUNS])
        for pattern, most in sorted(set(patterns(endpoint)))
    ]
    assert len(asked) > 30
    done = subprocess.Popen(
        [sys.executable, "-c", MATCH_ALL], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        done.communicate(json.dumps(asked).encode(), timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        done.kill()
        busy = done.communicate()[0].decode().splitlines()[-1]
        pytest.fail(f"this pattern keeps the interpreter busy: {busy}")
    assert done.returncode == 0


@pytest.mark.parametrize(
    "header",
    [
        b"AWS4-HMAC-SHA256 " + b"Credential=" * 5500,
        b"AWS4-A" + b" " * 60_000 + b"x",
        b"AWS4-" + b"A " * 30_000,
        b"AWS4-HMAC-SHA256 " + b"Credential=a/20260101/" * 2700,
        b"AWS " + b"a" * 60_000,
    ],
)
def test_no_header_keeps_the_guard_busy(header: bytes) -> None:
    headers = [(b"authorization", header), (b"host", b"a." * 30_000)]
    scope = {"type": "http", "method": "GET", "path": "/x", "raw_path": b"/x"}
    scope |= {"query_string": b"X-Amz-Credential=" + b"a" * 60_000, "headers": headers}
    began = time.process_time()
    dispatch.destination_of(scope)
    dispatch.s3_path(scope)
    list(guard._shown(scope, Headers(scope=scope)))
    assert time.process_time() - began < 3  # of the processor; a tenth is usual


@pytest.mark.parametrize("piece", ["\\0", '\\"', "a=", "a=1;"])
def test_no_cookie_keeps_the_guard_busy(piece: str) -> None:
    began = time.process_time()
    assert not Session("the-token").is_shown({"cookie": f'a="{piece * 30_000}"', "host": "x:1"})
    assert time.process_time() - began < 3
