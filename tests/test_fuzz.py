"""Thousands of damaged inputs: each is used, or refused in one message, soon and in little memory.

The mutator is seeded, so that a failure comes again: it names the target and the number.
Recipes, rows, answers and metric files go through the command line, requests to a live endpoint.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import random
import re
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bedrock_rft_sim.cli import main
from tests.server.conftest import serve

SLOWEST_S = 10
"""Of the processor; of the clock it is ten times as much, since others share the machine."""
MEMORY_MAX_MB = 1024
ROOT = Path(__file__).parent.parent

TOKENS = (
    b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"-1", b"0", b"1.5", b"null", b"true", b'""', b"[]",
    b"{}", b'"\\ud800"', b'"\\u0000"', b"\x00", b"\x1b[2J", b"\x7f", b"\xff\xfe", b"\xef\xbb\xbf",
    b"\xed\xa0\x80", "é→日".encode(), b"\r", b"\n\n", b"\t", b",", b":", b'"', b"'", b"|\n", b"- ",
    b"&a *a", b"!!python/object:os.system x", b"<<: x", b"%YAML 3.0\n", b"---\n", b"...\n",
    b"[" * 3000, b'{"a":' * 3000, b"- " * 200, b"x" * 200_000, b"../../../etc/passwd", b"/dev/zero",
    b"~nobody/x", b"n" * 300, b"problems:9999999", b"1" * 5000, b"\xc0\x80", b"\\", b"{{", b"%s",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What is damaged, and what is then asked of it."""

    name: str
    seeds: tuple[bytes, ...]
    suffix: str
    commands: tuple[tuple[str, ...], ...]
    """{} is the file."""
    is_garbage: Callable[[bytes], bool]
    """Whether no command may be content with it."""


def mutated(rng: random.Random, seed: bytes) -> bytes:
    """Return the seed with one to four damages."""
    data = seed
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(DAMAGES)(rng, data)
    return data[:1_000_000]


def flipped(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) or 1)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def inserted(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(TOKENS) + data[at:]


def repeated(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.randint(1, 80))
    return data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:]


def revalued(rng: random.Random, data: bytes) -> bytes:
    """Put something else in the place of a value, as a wrong type or a huge number would be."""
    places = [at for at, each in enumerate(data) if each in b":,"]
    if not places:
        return inserted(rng, data)
    start = rng.choice(places) + 1
    end = min(
        (e for e in (data.find(s, start) for s in (b",", b"}", b"\n")) if e > 0), default=start
    )
    return data[:start] + b" " + rng.choice(TOKENS) + data[end:]


def line_lost(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) > 1:
        del lines[rng.randrange(len(lines))]
    return b"".join(lines)


def recoded(rng: random.Random, data: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-32", "latin-1", "cp037")), "replace")


def noise(rng: random.Random, _data: bytes) -> bytes:
    return rng.randbytes(rng.randint(0, 300))


DAMAGES = (flipped, cut, inserted, inserted, repeated, revalued, revalued, line_lost)
RARE = (recoded, noise)


def inputs(target: Target, count: int) -> Iterator[tuple[int, bytes]]:
    for number in range(count):
        rng = random.Random(f"{target.name} {number}")
        seed = rng.choice(target.seeds)
        rare = rng.random() < 0.05
        yield number, rng.choice(RARE)(rng, seed) if rare else mutated(rng, seed)


def no_text(data: bytes) -> bool:
    try:
        return not data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return True


def no_json_lines(data: bytes) -> bool:
    """Whether a line is no JSON object; blank ones at the end count for nothing."""
    lines = data.rstrip(b"\r\n \t").split(b"\n")
    return no_text(data) or not all(is_object(line) for line in lines)


def no_mapping(data: bytes) -> bool:
    """Whether a recipe is no text, or a text, a number or a list: JSON and single words only."""
    if no_text(data):
        return True
    text = data.decode("utf-8-sig").strip()
    try:
        return not isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return ":" not in text  # without one there is no key


def no_number(data: bytes) -> bool:
    """Whether a metric file has no digit at all, in whatever form."""
    return no_text(data) or not any(each in b"0123456789" for each in data)


def is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


# The targets

QUICKSTART = (ROOT / "configs" / "quickstart.yaml").read_bytes()
OPENAI = {
    "model": "openai.gpt-oss-20b",
    "training_file": "file-1",
    "method": {"type": "reinforcement", "reinforcement": {"hyperparameters": {"n_epochs": 1}}},
    "local": {"model": "tiny", "trainingData": "problems:200", "reward": "exact_match"},
}
PROMPT = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What is 2 + 3?"}]
ROW = {
    "id": "row-1",
    "messages": PROMPT,
    "reference_answer": {"final_answer": "5", "steps": ["2 + 3 = <<2+3=5>>5"]},
    "tools": [{"type": "function", "function": {"name": "f", "description": "d"}}],
}
ANSWER = {"id": "row-1", "messages": PROMPT, "answer": "#### 5", "reference_answer": "5"}
STATE = {
    "log_history": [{"step": n, "reward": n / 9, "kl": 0.1, "entropy": 1} for n in range(1, 9)]
}
EVENT = {
    "id": "e",
    "object": "fine_tuning.job.event",
    "created_at": 1,
    "type": "metrics",
    "data": {"step": 1, "critic_rewards_mean": 0.5, "actor_entropy": 1.0},
}
VERL = b"".join(
    b"step:%d - critic/rewards/mean:0.%d - actor/entropy:1.0\n" % (n, n) for n in range(9)
)
NOVA = b"step_number,critic/rewards/mean,actor/entropy\n" + b"".join(
    b"%d,0.%d,1.0\n" % (n, n) for n in range(9)
)
TENSORBOARD = b"Wall time,Step,Value\n" + b"".join(b"1%d.5,%d,0.%d\n" % (n, n, n) for n in range(9))
WANDB = b'"Step","run - train/reward","run - train/reward__MIN"\n1,0.1,0.1\n2,0.2,0.2\n3,0.3,0.3\n'
CLOUDWATCH = [{"timestamp": n, "message": line} for n, line in enumerate(VERL.decode().split("\n"))]


def lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


TARGETS = (
    Target(
        "recipes",
        (QUICKSTART, json.dumps(OPENAI, indent=1).encode()),
        ".yaml",
        (("check", "{}", "--no-audit"),),
        no_mapping,
    ),
    Target(
        "rows",
        (lines(ROW, {**ROW, "id": "row-2"}), lines(*({**ROW, "id": f"r{n}"} for n in range(9)))),
        ".jsonl",
        (
            ("data", "check", "{}"),
            ("data", "clean", "{}", "-o", "{}.out", "--force"),
            ("data", "augment", "{}", "-o", "{}.out", "--force", "--paraphrase", "--renumber"),
            ("data", "balance", "{}", "-o", "{}.out", "--force", "--by", "turns", "--cap", "3"),
            ("data", "from", "{}", "-o", "{}.out", "--force", "--map", "messages=messages"),
            ("data", "logs", "{}", "-o", "{}.out", "--force"),
            ("data", "split", "{}", "-o", "{}.parts", "--force", "--parts", "train=8,test=2"),
        ),
        no_json_lines,
    ),
    Target(
        "answers",
        (lines(ANSWER, {**ANSWER, "id": "row-2"}), b"id,prompt,answer\nrow-1,What?,5\n"),
        ".jsonl",
        (("grade", "{}", "--reward", "reward.py"),),
        no_json_lines,
    ),
    Target(
        "metrics",
        (
            json.dumps(STATE).encode(), lines(*STATE["log_history"]), VERL, NOVA, TENSORBOARD,
            WANDB, json.dumps({"data": [EVENT] * 5}).encode(), json.dumps(CLOUDWATCH).encode(),
        ),
        ".csv",
        (("compare", "{}", "--with", "{}"),),
        no_number,
    ),
)  # fmt: skip
COUNTS = {"recipes": 300, "rows": 1000, "answers": 300, "metrics": 600}
"""More by FUZZ; the first ones are the same every time."""
REQUESTS = 1000


class TooSlowError(BaseException):
    """An input takes longer than it may."""


@contextlib.contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TooSlowError

    before = {name: signal.signal(name, late) for name in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(10 * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for name, handler in before.items():
            signal.signal(name, handler)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def told(command: tuple[str, ...]) -> tuple[int | str, str]:
    """Return the exit code, or what was raised, and everything that was printed."""
    out, err = io.StringIO(), io.StringIO()
    code: int | str
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            with at_most(SLOWEST_S):
                code = main(command)
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        except TooSlowError:
            code = f"longer than {SLOWEST_S} s"
    return code, out.getvalue() + err.getvalue()


def fault(code: int | str, said: str, *, garbage: bool) -> str | None:
    if code not in (0, 1, 2):
        return str(code)
    for words in ("a mistake of ours", "the system refuses", "Traceback", TooSlowError.__name__):
        if words in said:
            return said[:400]
    if any(each in said for each in "\x00\x1b\x7f\x9b"):
        return f"control characters: {said[:200]!r}"
    return "exit 0 on garbage" if garbage and code == 0 else None


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_damaged_file_is_used_or_refused_in_one_message(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    Path("reward.py").write_text("def lambda_handler(event, context):\n    return []\n")
    before = peak_mb()
    found = []
    for number, data in inputs(target, int(os.environ.get("FUZZ", COUNTS[target.name]))):
        file = Path(f"input{target.suffix}")
        file.write_bytes(data)
        command = target.commands[number % len(target.commands)]
        code, said = told(tuple(part.replace("{}", str(file)) for part in command))
        wrong = fault(code, said, garbage=target.is_garbage(data))
        if wrong is not None:
            found.append(f"{number} {' '.join(command)}: {wrong}")
    assert found == []
    assert peak_mb() - before < MEMORY_MAX_MB


# Requests

SIGNED = (
    b"Authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/%s/aws4_request, "
    b"SignedHeaders=host, Signature=0\r\n"
)


def request(method: bytes, path: bytes, body: bytes = b"", *, service: bytes = b"") -> bytes:
    signed = SIGNED % service if service else b"Authorization: Bearer local\r\n"
    head = b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s" % (method, path, signed)
    kind = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head + kind + b"Connection: close\r\n\r\n" + body


CHAT = json.dumps({"model": "openai.gpt-oss-20b", "messages": 7}).encode()
FUNCTION = {
    "FunctionName": "f",
    "Runtime": "python3.12",
    "Role": "arn:aws:iam::123456789012:role/r",
    "Handler": "lambda_function.lambda_handler",
    "Code": {"ZipFile": "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="},
}
SEEDS = (
    request(b"GET", b"/"),
    request(b"GET", b"/v1/models"),
    request(b"POST", b"/v1/chat/completions", CHAT),
    request(b"POST", b"/v1/fine_tuning/jobs", json.dumps(OPENAI).encode()),
    request(b"GET", b"/v1/fine_tuning/jobs?limit=2&after=x"),
    request(b"POST", b"/v1/files", b"--x\r\n\r\n--x--"),
    request(b"GET", b"/model-customization-jobs?maxResults=3", service=b"bedrock"),
    request(b"POST", b"/model-customization-jobs", b'{"jobName": "a"}', service=b"bedrock"),
    request(
        b"POST", b"/model/amazon.nova-lite-v1%3A0/converse", b'{"messages": []}', service=b"bedrock"
    ),
    request(b"POST", b"/2015-03-31/functions", json.dumps(FUNCTION).encode(), service=b"lambda"),
    request(b"POST", b"/2015-03-31/functions/f/invocations", b"{}", service=b"lambda"),
    request(b"PUT", b"/bucket-a", service=b"s3"),
    request(b"PUT", b"/bucket-a/key", b"content", service=b"s3"),
    request(b"POST", b"/", b"Action=GetCallerIdentity&Version=2011-06-15", service=b"sts"),
    request(b"POST", b"/", b"Action=ListRoles&Version=2010-05-08", service=b"iam"),
    request(b"GET", b"/console/jobs"),
)


def whole(data: bytes) -> bytes:
    """Let a damaged request announce the length that its body has, so that it is answered."""
    head, blank, body = data.partition(b"\r\n\r\n")
    return re.sub(rb"(?i)(content-length:) *\d+", rb"\1 %d" % len(body), head) + blank + body


def answer_of(address: tuple[str, int], sent: bytes) -> bytes:
    """Send bytes; return what comes back until the server hangs up or has no more to say."""
    pieces = []
    with (
        socket.create_connection(address, timeout=10 * SLOWEST_S) as connection,
        contextlib.suppress(ConnectionError),
    ):
        connection.sendall(sent)
        if b"\r\n\r\n" not in sent:  # else the server waits for the rest
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        try:
            while piece := connection.recv(65536):
                pieces.append(piece)
                connection.settimeout(0.5)
        except TimeoutError:
            if not pieces:
                raise
    return b"".join(pieces)


@pytest.mark.slow
def test_a_damaged_request_is_answered_or_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        parts = urlsplit(serve(stack, tmp_path / "root").url)
        address = (str(parts.hostname), int(parts.port or 0))
        target = Target("requests", SEEDS, "", (), no_text)
        found = []
        with caplog.at_level(logging.ERROR):
            for number, data in inputs(target, int(os.environ.get("FUZZ", REQUESTS))):
                start = time.process_time()
                try:
                    answer = answer_of(address, whole(data))
                except TimeoutError:
                    found.append(f"{number}: no answer in {10 * SLOWEST_S} s")
                    continue
                if b"in the local endpoint" in answer or caplog.records:
                    found.append(f"{number}: {answer[:300]!r} {caplog.text[-600:]}")
                    caplog.clear()
                if time.process_time() - start > SLOWEST_S:
                    found.append(f"{number}: took {time.process_time() - start:.0f} s")
        assert found == []
        assert b"bedrock-rft-sim" in answer_of(address, SEEDS[0])
