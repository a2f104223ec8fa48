"""SQL: does the answer's query return the rows that the reference's query returns?

The query is the last closed Markdown fence without a language or with sql or sqlite, else the whole
answer: one SELECT, WITH or VALUES statement in SQLite's dialect, of at most 20,000 characters. It
runs on a fresh database in memory, in which the setup's statements have run.
Rows are compared by value: columns in their order and without their names, 1 is 1.0, other floats
to nine digits, texts exactly; in any order, unless the reference's query has an ORDER BY of its own
(one inside parentheses does not count) or the reference says `"ordered": true`.
Full score 1.0: the same rows, each as often as in the reference.
No score: other rows, no query, an error, a statement that writes or looks outside the database,
more than SQL_RESULT_SECONDS (2 unless set), SQL_RESULT_ROWS (1000 unless set) rows, or 1 MB; and
rows made up without reading any table, where the setup makes one. There is no partial credit.
Floor 0.08 on the rows of its tests, the most that a script earns which sees only the prompts:
one query for everything. A wrong query may return the right rows by chance: put data into the setup
on which near misses differ. A reference that returns no rows raises, since it would pay any query
that finds nothing.

What is run is the model's: SQLite's authorizer lets it read tables and call functions, and nothing
else (no writing, attaching, pragmas, random numbers, or extensions); values are limited to 1 MB and
SQLite's memory to 256 MB. The setup and the reference's query are yours, and are trusted.
It needs Python 3.11. The dialect is that of the runtime's own SQLite, and Lambda runtimes on Amazon
Linux 2 have a very old one: choose python3.12 or later.

The reference may sit in `metadata` or at the root of a sample, under `reference_answer` or
`ground_truth`, as an object with `query` or `rows` (a list of rows, each a list, or a value where
there is one column), and optionally `setup` (statements as a text, or a list of them) and
`ordered`; as a text that holds such an object, or a list of rows, as JSON; or as the query itself.
A `setup` may also stand beside the reference, in `metadata` or at the root. A text may come as
{"text": ...}. A sample without a readable reference raises: a silent 0 would train on noise.

In `metrics_list`: rows_equal (Reward) is the score; rows_matched (Metric) is the share of rows that
both have; query_ran (Metric) is 0 where the query could not be run, to its end and within limits.

Sources: Spider, arXiv 1809.08887, and its test suites, arXiv 2010.02840 (execution accuracy, rows
as a multiset unless ordered); sqlite.org, authorizer, limits and progress handler; AWS Machine
Learning Blog, "RFT on Amazon Bedrock: best practices" (SQL graded by the results of the query).
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections import Counter
from contextlib import closing
from functools import lru_cache
from typing import Any, NamedTuple

ANSWER_CHARS = 20_000
RESULT_CHARS = 1_000_000
VALUE_BYTES = 1_000_000
PATTERN_BYTES = 200
HEAP_BYTES = 256 * 1024 * 1024
INSTRUCTIONS = 1000
ASSISTANT_ROLES = ("assistant", "nova_assistant")
REFERENCE_KEYS = ("reference_answer", "ground_truth")
FENCE = "```"
LANGUAGES = ("", "sql", "sqlite")
READING = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
)
REFUSED_FUNCTIONS = ("random", "randomblob", "load_extension")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*")
INNERMOST = re.compile(r"\([^()]*\)")
ORDERED = re.compile(r"\border\s{1,9}by\b", re.IGNORECASE)

Row = tuple[Any, ...]


class Limits(NamedTuple):
    """What the environment decides."""

    seconds: float
    rows: int


class Expected(NamedTuple):
    """A reference, worked out."""

    setup: str
    rows: tuple[Row, ...]
    ordered: bool


class Result(NamedTuple):
    """What a query returned."""

    rows: tuple[Row, ...]
    read_table: bool


def lambda_handler(event: list[dict[str, Any]], context: object) -> list[dict[str, Any]]:
    """Grade a list of samples; the results carry the samples' ids."""
    del context
    if not isinstance(event, list):
        raise TypeError(f"expected a list of samples, found {type(event).__name__}")
    limits = Limits(
        seconds=setting("SQL_RESULT_SECONDS", "2", at_most=60),
        rows=int(setting("SQL_RESULT_ROWS", "1000", at_most=100_000)),
    )
    return [grade(sample, limits=limits) for sample in event]


def setting(name: str, default: str, *, at_most: float) -> float:
    """A positive number from the environment."""
    text = os.environ.get(name, default)
    number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII) else 0.0
    if not 0 < number <= at_most:
        raise ValueError(f"{name} is {text!r}, expected a number above 0, at most {at_most:g}")
    return number


def grade(sample: dict[str, Any], *, limits: Limits) -> dict[str, Any]:
    """One sample in, one result out."""
    sample_id = sample["id"]
    try:
        found = json.dumps(find_reference(sample), default=str)
        expected = read_reference(found, find_setup(sample), limits)
        query = read_query(last_answer(sample["messages"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"sample {sample_id!r}: {error}") from error
    result = try_query(query, expected.setup, limits=limits)
    rows = () if result is None or (expected.setup and not result.read_table) else result.rows
    score = float(is_same(rows, expected))
    common = (Counter(rows) & Counter(expected.rows)).total()
    share = common / max(len(rows), len(expected.rows))
    return {
        "id": sample_id,
        "aggregate_reward_score": score,
        "metrics_list": [
            {"name": "rows_equal", "value": score, "type": "Reward"},
            {"name": "rows_matched", "value": share, "type": "Metric"},
            {"name": "query_ran", "value": float(result is not None), "type": "Metric"},
        ],
    }


def is_same(rows: tuple[Row, ...], expected: Expected) -> bool:
    """Whether rows are the expected ones, in order where order matters."""
    if expected.ordered:
        return rows == expected.rows
    return Counter(rows) == Counter(expected.rows)


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


def find_setup(sample: dict[str, Any]) -> str:
    """The setup that stands beside the reference; empty where there is none."""
    metadata = sample.get("metadata")
    for place in (metadata if isinstance(metadata, dict) else {}, sample):
        if place.get("setup") is not None:
            return _statements(place["setup"])
    return ""


@lru_cache(maxsize=64)  # the samples of one prompt share a reference
def read_reference(found: str, setup: str, limits: Limits) -> Expected:
    """Work out the rows of a reference of any known shape, given as JSON."""
    reference = _as_object(json.loads(found))
    try:
        setup = _statements(reference.get("setup")) or setup
        query, rows = str(reference.get("query") or "").strip(), reference.get("rows")
        result = run(query or "SELECT 1", setup, limits=limits)
        listed = rows if isinstance(rows, list) else []
        stated = tuple(_row(row if isinstance(row, list) else [row]) for row in listed)
        expected = result.rows if query else stated
    except (sqlite3.Error, sqlite3.Warning, TypeError, ValueError) as error:
        raise ValueError(f"unreadable reference {found[:80]}: {error}") from error
    if not expected:
        raise ValueError(
            f"unreadable reference {found[:80]}: expected a query that returns rows, or rows"
        )
    ordered = reference.get("ordered", has_order(query))
    return Expected(setup, expected, bool(ordered))


def _as_object(reference: object) -> dict[str, Any]:
    """An object with `query` or `rows`, whatever the reference came as."""
    if isinstance(reference, dict) and set(reference) == {"text"}:
        reference = reference["text"]
    if isinstance(reference, str):
        try:
            held = json.loads(reference)
        except ValueError:
            return {"query": reference}
        reference = held if isinstance(held, (dict, list)) else None
    if isinstance(reference, list):
        return {"rows": reference}
    return reference if isinstance(reference, dict) else {}


def _statements(setup: object) -> str:
    """One script of a text or a list of them."""
    lines = setup if isinstance(setup, list) else [setup or ""]
    if not all(isinstance(line, str) for line in lines):
        raise ValueError("setup is no text and no list of texts")
    return ";\n".join(str(line) for line in lines)


def has_order(query: str) -> bool:
    """Whether the outermost query has an ORDER BY."""
    text, before = QUOTED.sub("''", query), ""
    while text != before:
        text, before = INNERMOST.sub("", text), text
    return ORDERED.search(text) is not None


def last_answer(messages: list[dict[str, Any]]) -> str:
    """The text of the assistant turn that ends the conversation."""
    if not messages or messages[-1].get("role") not in ASSISTANT_ROLES:
        raise ValueError(f"the last message is not one of {' or '.join(ASSISTANT_ROLES)}")
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def read_query(text: str) -> str:
    """The SQL of an answer; empty where there is none."""
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


def try_query(query: str, setup: str, *, limits: Limits) -> Result | None:
    """What the answer's query returns; None where it can't be run within the limits."""
    if not query.strip():
        return None
    try:
        return run(query, setup, limits=limits)
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError):
        return None  # no SQL, refused, too long, too much, or characters that SQLite can't take


def run(query: str, setup: str, *, limits: Limits) -> Result:
    """Run one reading query on a fresh database."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"PRAGMA hard_heap_limit = {HEAP_BYTES}")
        database.executescript(setup)
        read: set[str] = set()
        _restrict(database, read, seconds=limits.seconds)
        rows = []
        size = 0
        for row in database.execute(query):
            rows.append(_row(list(row)))
            size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
            if len(rows) > limits.rows or size > RESULT_CHARS:
                raise ValueError(f"more than {limits.rows} rows or {RESULT_CHARS} characters")
    return Result(tuple(rows), read_table=bool(read))


def _restrict(database: sqlite3.Connection, read: set[str], *, seconds: float) -> None:
    """Reading only, for so long; the names of the tables that are read go into `read`."""

    def permit(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        is_refused = action == sqlite3.SQLITE_FUNCTION and second in REFUSED_FUNCTIONS
        if action not in READING or is_refused:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_READ and first and not first.startswith("sqlite_"):
            read.add(first)
        return sqlite3.SQLITE_OK

    deadline = time.monotonic() + seconds
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES)
    database.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES)
    database.set_authorizer(permit)
    database.set_progress_handler(lambda: time.monotonic() > deadline, INSTRUCTIONS)


def _row(values: list[Any]) -> Row:
    """A row whose floats are cut to nine digits, so that rounding makes no difference."""
    if not all(isinstance(value, (str, bytes, int, float, type(None))) for value in values):
        raise ValueError(f"a row holds something else than values: {str(values)[:80]}")
    return tuple(float(f"{v:.9g}") if isinstance(v, float) else v for v in values)
