"""The Dockerfile, as far as it can be tried without a container: its files, users and command."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bedrock_rft_sim.cli import parser
from bedrock_rft_sim.cli.serve import PORT

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()


def said(word: str) -> list[str]:
    return [line.removeprefix(f"{word} ") for line in LINES if line.startswith(f"{word} ")]


def test_every_file_it_copies_is_there_and_reaches_the_builder() -> None:
    copied = [path for line in said("COPY") for path in line.split()[:-1]]
    assert [path for path in copied if not (ROOT / path).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert ignored[0] == "*"
    assert kept == set(copied)


def test_its_command_is_one_that_rft_takes_and_what_it_keeps_is_in_the_volume() -> None:
    (command,), (volume,), (port,) = map(said, ("CMD", "VOLUME", "EXPOSE"))
    taken = parser().parse_args(json.loads(command))
    assert str(taken.root) == volume
    assert taken.port == PORT == int(port)
    assert not taken.no_token


def test_it_installs_what_the_lock_names_and_serves_as_nobody_special() -> None:
    installs = [line for line in said("RUN") if "pip install" in line]
    assert all("--constraint constraints.txt" in line for line in installs)
    assert said("USER") == ["rft"]
    assert re.fullmatch(r"python:3\.1\d-slim", said("FROM")[0])
