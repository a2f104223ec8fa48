"""What happens to files: ways to damage one, and a seeded mutator for those of a run folder."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Harm = Callable[[Path], None]
DEEP = b'{"step":' + b"[" * 20_000 + b"]" * 20_000 + b"}\n"
ODD: tuple[Any, ...] = (
    "x", -1, 0, 1.5, 10**30, 10**400, True, None, [], {}, [[]], {"a": {}}, "\ud800", "\0",
    "9" * 5000, float("nan"), float("inf"),
)  # fmt: skip


def cut(path: Path) -> None:
    """Lose the second half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    """Lose everything but the name."""
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    """Change one bit in the middle, where there is one."""
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 1
    path.write_bytes(data)


def removed(path: Path) -> None:
    """Lose the name as well."""
    path.unlink()


def a_folder(path: Path) -> None:
    """Have a folder in its place."""
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    """Have a pipe in its place, that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


def a_loop(path: Path) -> None:
    """Have a link to itself in its place."""
    path.unlink()
    path.symlink_to(path.name)


def not_utf_8(path: Path) -> None:
    """Have bytes in the middle that are no text."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff\xe9" + data[len(data) // 2 :])


def nested(path: Path) -> None:
    """Begin 20,000 levels deep."""
    path.write_bytes(DEEP + path.read_bytes())


HARMS: tuple[Harm, ...] = (
    cut, emptied, flipped, removed, a_folder, a_pipe, a_loop, not_utf_8, nested,
)  # fmt: skip


class Mutator:
    """Damages one file of a folder at a time; the same seed does the same."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def damage(self, folder: Path) -> tuple[str, Path]:
        """Damage a file; return how, in words, and which."""
        files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
        path = self._chance.choice(files)
        ways: list[Harm] = [*HARMS, self._cut_anywhere, self._lose_a_line, self._repeat_a_line]
        if path.suffix in (".json", ".jsonl"):
            ways += [self._change_a_value] * len(ways)
        way = self._chance.choice(ways)
        way(path)
        return way.__name__, path.relative_to(folder)

    def _cut_anywhere(self, path: Path) -> None:
        os.truncate(path, self._chance.randrange(path.stat().st_size + 1))

    def _lose_a_line(self, path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        del lines[self._chance.randrange(len(lines))]
        path.write_bytes(b"".join(lines))

    def _repeat_a_line(self, path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        lines.insert(self._chance.randrange(len(lines)), self._chance.choice(lines))
        path.write_bytes(b"".join(lines))

    def _change_a_value(self, path: Path) -> None:
        texts = [path.read_text()] if path.suffix == ".json" else path.read_text().splitlines()
        number = self._chance.randrange(len(texts))
        value = json.loads(texts[number])
        *way, last = self._chance.choice([place for place in _places(value) if place])
        at = value
        for key in way:
            at = at[key]
        if isinstance(at, dict) and self._chance.random() < 1 / 6:
            del at[last]
        else:
            at[last] = self._chance.choice(ODD)
        texts[number] = json.dumps(value)
        path.write_text("\n".join(texts) + "\n")


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _places(inside, (*place, key))
    elif isinstance(value, list):
        for number, inside in enumerate(value[:3]):
            yield from _places(inside, (*place, number))
