"""Run the answer's Python against unit tests, in a process of its own that can be killed.

The code is the last closed Markdown fence without a language or with python or py, else the whole
answer. The tests are `assert` statements, each one comparison with a literal, such as
`assert add(1, 2) == 3`, `assert half(3) < 2` or `assert find(9) is None`, or the truth of one
expression: `assert is_prime(7)`, `assert not is_prime(8)`; imports may stand among them.
A test passes when its expression, worked out in the answer's process, comes back as text that reads
as a literal, and the comparison with the expected value holds. That comparison is made outside the
answer's process and expected values never enter it, so an answer that reads the tests, patches
comparisons or calls `sys.exit(0)` gains nothing. Prefer comparisons to plain truth, which any
function that returns True meets. Objects of the answer's own classes can't be compared.

Full score 1.0: every test passes. No score: any test fails, the code can't be run, sends more than
64 KB of results, or takes longer than CODE_TESTS_SECONDS (3 unless set) for all its tests together.
With CODE_TESTS_PARTIAL=on an answer that passes some of the tests earns 0.8 x their share.
Floor 0.00 on the rows of its tests, the most that a script earns which sees only the prompts:
functions that return a constant or an argument.

Limits of the process: the seconds above, as much processor time, 512 MB of memory, 1 MB a file, no
new processes, no network, no files outside a fresh folder under /tmp that is removed afterwards,
none of the handler's environment (which holds the role's credentials), all printing thrown away.
Answers longer than 50,000 characters are not run. Answers that depend on the order of a set may
come out differently from run to run.
This is not a sandbox: it keeps accidents and plain cheating out, not an attacker. Give the Lambda's
role no rights beyond its logs, its timeout at least CODE_TESTS_SECONDS x samples per event, and
1 GB of memory, so that an answer meets its own limit before it takes the function down.
It needs a system with process groups: Lambda, Linux, macOS.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as a text of asserts, a list of them, or an object with either under `tests`,
`test_list` or `text` and, optionally, `setup`: lines that run before the answer. A sample without
a readable reference raises: a silent 0 would train on noise.

In `metrics_list`: all_passed (Reward) is 1 where every test passed; tests_passed (Metric) is the
share that did; code_ran (Metric) is 0 where the code ended early, was killed, or there was none;
timed_out (Metric) is 1 where it was killed for its time.

Sources: MBPP, arXiv 2108.07732 (asserts as tests); HumanEval, arXiv 2107.03374 (a process of its
own, limits, time); AWS Machine Learning Blog, "RFT on Amazon Bedrock: best practices" (unit tests
as a verifiable reward, partial credit up to 0.8).
"""

from __future__ import annotations

import ast
import json
import math
import operator
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

ANSWER_CHARS = 50_000
RESULT_BYTES = 64 * 1024
MEMORY_BYTES = 512 * 1024 * 1024
FILE_BYTES = 1024 * 1024
LONGEST_SECONDS = 60.0
PARTIAL_CREDIT = 0.8
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
TEST_KEYS = ("tests", "test_list", "text")
FENCE = "```"
LANGUAGES = ("", "python", "python3", "py")
KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH",)
DONE = '"done"'

# Runs in the child: limits first, then the answer, then one line of results per test.
# Standard input stays open as long as the handler lives; when it closes, the child ends itself.
HARNESS = r"""
import _thread, json, os, resource, sys

with open(sys.argv[1], encoding="utf-8") as file:
    job = json.load(file)
results = os.fdopen(int(sys.argv[2]), "w", encoding="utf-8")
lifeline = os.dup(0)
os.dup2(os.open(os.devnull, os.O_RDWR), 0)

def end_with_handler(read=os.read, leave=os._exit):
    read(lifeline, 1)
    leave(1)

_thread.start_new_thread(end_with_handler, ())
for name, limit in job["limits"].items():
    try:
        resource.setrlimit(getattr(resource, name), (limit, limit))
    except (AttributeError, OSError, ValueError):
        pass  # this system does not know the limit

home = os.path.realpath(os.getcwd()) + os.sep
library = tuple(os.path.realpath(path) + os.sep for path in sys.path)
refused = {
    "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill",
    "os.killpg", "subprocess.Popen", "pty.spawn", "os.chdir", "os.chmod", "os.link", "os.symlink",
}
unwanted = {"ctypes", "_ctypes", "_posixsubprocess", "_posixshmem", "_socket"}
changing = {"os.remove": 1, "os.rename": 2, "os.mkdir": 1, "os.rmdir": 1, "os.truncate": 1}
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def watch(event, arguments, realpath=os.path.realpath, decode=os.fsdecode):
    if event in refused or (event == "import" and arguments[0] in unwanted):
        raise PermissionError("not here: " + event)
    if event == "open" or event in changing:
        for path in arguments[: changing.get(event, 1)]:
            if not isinstance(path, int):
                where = realpath(decode(path))
                reads = event == "open" and not arguments[2] & writing
                if not where.startswith(home) and not (reads and where.startswith(library)):
                    raise PermissionError("not here: " + where)

sys.addaudithook(watch)
names = {"__name__": "answer"}
exec(compile(job["setup"], "setup", "exec"), names)
exec(compile(job["code"], "answer", "exec"), names)
for expression in job["expressions"]:
    try:
        line = repr(eval(expression, names))
    except BaseException:
        line = None
    results.write(json.dumps(line) + "\n")
    results.flush()
results.write(job["done"] + "\n")
results.flush()
os._exit(0)
"""


class Test(NamedTuple):
    """One assert, taken apart."""

    expression: str
    """What the answer's process works out."""
    holds: Callable[[Any], bool]
    """Whether the value that came back is the expected one."""


class Suite(NamedTuple):
    """A reference, taken apart."""

    setup: str
    tests: tuple[Test, ...]


class Outcome(NamedTuple):
    """What the answer's process sent back."""

    lines: tuple[str, ...]
    is_whole: bool
    timed_out: bool


class Settings(NamedTuple):
    """What the environment decides."""

    seconds: float
    partial: bool


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    settings = read_settings()
    return [grade(sample, settings=settings) for sample in event]


def read_settings() -> Settings:
    """Time and partial credit from the environment."""
    text = os.environ.get("CODE_TESTS_SECONDS", "3")
    seconds = float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text, re.ASCII) else 0.0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ValueError(
            f"CODE_TESTS_SECONDS is {text!r}, expected a number above 0, up to {LONGEST_SECONDS:g}"
        )
    partial = os.environ.get("CODE_TESTS_PARTIAL", "off")
    if partial not in ("on", "off"):
        raise ValueError(f"CODE_TESTS_PARTIAL is {partial!r}, expected on or off")
    return Settings(seconds, partial == "on")


def grade(sample: dict[str, Any], *, settings: Settings) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        suite = read_reference(find_reference(sample))
        text = last_answer(sample["messages"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    code = read_code(text)
    outcome = (
        run(code, suite, seconds=settings.seconds) if code.strip() else Outcome((), False, False)
    )
    passed = count_passed(outcome.lines, suite.tests)
    share = passed / len(suite.tests)
    all_passed = float(passed == len(suite.tests))
    return {
        "id": sample_id,
        "aggregate_reward_score": all_passed
        or (PARTIAL_CREDIT * share if settings.partial else 0.0),
        "metrics_list": [
            {"name": "all_passed", "value": all_passed, "type": "Reward"},
            {"name": "tests_passed", "value": share, "type": "Metric"},
            {"name": "code_ran", "value": float(outcome.is_whole), "type": "Metric"},
            {"name": "timed_out", "value": float(outcome.timed_out), "type": "Metric"},
        ],
    }


def find_reference(sample: dict[str, Any]) -> object:
    """The reference as it was sent, from whichever place the payload holds it."""
    metadata = sample.get("metadata")
    places = [metadata if isinstance(metadata, dict) else {}, sample]
    for key in REFERENCE_KEYS:
        for place in places:
            if place.get(key) is not None:
                found: object = place[key]
                return found
    raise ValueError(
        f"no reference: expected {' or '.join(REFERENCE_KEYS)} in metadata or at the root, "
        f"found the keys {sorted(map(str, {*places[0], *sample}))}"
    )


def read_reference(reference: object) -> Suite:
    """The tests of a reference of any known shape."""
    setup = ""
    tests = reference
    if isinstance(reference, dict):
        tests = next((reference[k] for k in TEST_KEYS if reference.get(k) is not None), None)
        setup = str(reference.get("setup") or "")
    lines = tests if isinstance(tests, list) else [tests]
    if lines and all(isinstance(line, str) for line in lines):
        try:
            suite = read_tests("\n".join(map(str, lines)), setup)
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"unreadable reference {str(reference)[:80]!r}: {error}") from error
        if suite.tests:
            return suite
    raise ValueError(
        f"unreadable reference {str(reference)[:80]!r}: expected assert statements as a text, a "
        f"list, or an object holding either under {', '.join(TEST_KEYS)}"
    )


@lru_cache(maxsize=256)  # the samples of one prompt share their tests
def read_tests(text: str, setup: str) -> Suite:
    """Take asserts apart; imports among them join the setup."""
    tests = []
    for statement in ast.parse(text).body:
        match statement:
            case ast.Assert(condition):
                tests.append(_test(condition))
            case ast.Import() | ast.ImportFrom():
                setup += "\n" + ast.unparse(statement)
            case _:
                raise ValueError(f"expected asserts and imports only, found {_shown(statement)}")
    ast.parse(setup)
    return Suite(setup, tuple(tests))


def _test(condition: ast.expr) -> Test:
    match condition:
        case ast.UnaryOp(ast.Not(), operand):
            inner = _test(operand)
            return Test(inner.expression, lambda value: not inner.holds(value))
        case ast.Compare(left, [sign], [right]) if type(sign) in COMPARISONS:
            return _comparison(left, sign, right)
        case ast.Compare() | ast.BoolOp():
            raise ValueError(f"expected one comparison an assert, found {_shown(condition)}")
        case _:
            return Test(ast.unparse(condition), bool)


def _comparison(left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Test:
    if _is_literal(left) and isinstance(sign, (ast.Eq, ast.NotEq)):
        left, right = right, left
    if not _is_literal(right):
        found = _shown(ast.Compare(left, [sign], [right]))
        raise ValueError(f"expected a literal right of the comparison, found {found}")
    expected = ast.literal_eval(right)
    compare = COMPARISONS[type(sign)]
    return Test(ast.unparse(left), lambda value: bool(compare(value, expected)))


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except ValueError:
        return False
    return True


def _shown(node: ast.AST) -> str:
    return repr(ast.unparse(node)[:80])


def _is(left: object, right: object) -> bool:
    """Identity of None and truth values; of others it would not survive the journey."""
    return type(left) is type(right) and left == right


COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: _is,
    ast.IsNot: lambda left, right: not _is(left, right),
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def read_code(text: str) -> str:
    """The Python of an answer; empty where there is none."""
    if len(text) > ANSWER_CHARS:
        return ""
    parts = text.split(FENCE)
    if len(parts) == 1:
        return text
    for block in reversed(parts[1 : len(parts) - 1 : 2]):
        language, _, code = block.partition("\n")
        if language.strip().lower() in LANGUAGES:
            return code
    return ""


def run(code: str, suite: Suite, *, seconds: float) -> Outcome:
    """Work out the tests' expressions in a process that is gone when this returns."""
    deadline = time.monotonic() + seconds
    processor_seconds = math.ceil(seconds) + 1
    job = {
        "setup": suite.setup,
        "code": code,
        "expressions": [test.expression for test in suite.tests],
        "done": DONE,
        "limits": {
            "RLIMIT_CPU": processor_seconds,
            "RLIMIT_AS": MEMORY_BYTES,
            "RLIMIT_FSIZE": FILE_BYTES,
            "RLIMIT_CORE": 0,
            "RLIMIT_NPROC": 0,
        },
    }
    with tempfile.TemporaryDirectory(prefix="answer-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, "job.json")
        path.write_text(json.dumps(job), encoding="utf-8")
        reading, writing = os.pipe()
        try:
            process = _start(path, writing)
        finally:
            os.close(writing)
        try:
            return _collect(reading, deadline=deadline)
        finally:
            os.close(reading)
            with suppress(ProcessLookupError, PermissionError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            with process:  # reaps it and closes its standard input
                pass


def _start(job: Path, results: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-c", HARNESS, str(job), str(results)],
        cwd=job.parent,
        env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(results,),
        start_new_session=True,
    )


def _collect(reading: int, *, deadline: float) -> Outcome:
    """Read until the end, the deadline, or more than anyone should send."""
    received = b""
    timed_out = False
    end = f"{DONE}\n".encode()
    while len(received) <= RESULT_BYTES and not received.endswith(end):
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not select.select([reading], [], [], remaining)[0]:
            timed_out = True
            break
        chunk = os.read(reading, RESULT_BYTES)
        if not chunk:
            break
        received += chunk
    if len(received) > RESULT_BYTES:
        return Outcome((), is_whole=False, timed_out=False)
    lines = received.decode("utf-8", "replace").splitlines()
    return Outcome(tuple(lines), is_whole=lines[-1:] == [DONE], timed_out=timed_out)


def count_passed(lines: tuple[str, ...], tests: tuple[Test, ...]) -> int:
    """How many of the values that came back are the expected ones."""
    return sum(_passes(line, test) for line, test in zip(lines, tests, strict=False))


def _passes(line: str, test: Test) -> bool:
    try:
        text = json.loads(line)
        return isinstance(text, str) and test.holds(ast.literal_eval(text))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False  # an error, an object of the answer's own, or forged
