"""Read the JSON and JSON lines of a folder, and say which file is damaged where.

A torn last line is what a kill leaves, and is no damage.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bedrock_rft_sim.errors import RunFolderError
from bedrock_rft_sim.files.writing import named_errors, replace_file


def dump(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return JSON; a non-finite number is our own mistake by now and raises ValueError."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, allow_nan=False, indent=indent, separators=separators)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in the file.

    Raises:
        RunFolderError: the file can't be read or holds no JSON object.
    """
    with named_errors(path, "read the file"):
        text = path.read_bytes()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _damaged(path, None, str(error)) from error
    if not isinstance(value, dict):
        raise _damaged(path, None, type(value).__name__)
    return value


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of the file; a torn last line is left out, no file means no lines."""
    with named_errors(path, "read the file"):
        if not path.exists():
            return []
        lines = path.read_bytes().splitlines()
    values = []
    for number, line in enumerate(lines, start=1):
        value = _parse(line)
        if value is not None:
            values.append(value)
        elif number < len(lines):
            raise _damaged(path, number, repr(line[:60]))
    return values


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _damaged(path: Path, line: int | None, found: str) -> RunFolderError:
    return RunFolderError(
        "the file is damaged",
        where=str(path) if line is None else f"{path}:{line}",
        expected="one JSON object" + ("" if line is None else " per line"),
        found=found,
        hint="start the run anew under another name; this folder was changed by something else",
    )


def keep_lines(path: Path, keep: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Rewrite a JSON-lines file with the objects to keep, and return them."""
    if not path.exists():
        return []
    kept = [value for value in read_json_lines(path) if keep(value)]
    replace_file(path, "".join(dump(value) + "\n" for value in kept).encode())
    return kept
