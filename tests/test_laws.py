"""The laws of the house, read from the source: who may import whom, and what is never done."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A module imports only from its own room and from rooms before it.
LAYERS = (
    "errors",
    "files",
    "stats",
    "contract",
    "recipe",
    "data",
    "runs",
    "grader",
    "compare",
    "engine",
    "probe",
    "estimate",
    "diagnosis",
    "report",
    "train",
    "jobs",
    "sweep",
    "cloud",
    "server",
    "cli",
)
HEAVY = {"torch", "trl", "transformers", "peft", "accelerate", "vllm"}
HEAVY_ROOMS = {"engine", "train"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
SLOW_FOR_HELP = ("torch", "trl", "transformers", "datasets", "botocore")

PACKAGE = "bedrock_rft_sim"
HOUSE = ROOT / "sim" / PACKAGE
SIM = sorted(HOUSE.rglob("*.py"))
REWARDS = sorted((ROOT / "rewards").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room_of(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            yield from ((node, f"{PACKAGE}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


def deferred(tree: ast.Module) -> set[ast.AST]:
    """Return the nodes that do not run at import: bodies of functions and of TYPE_CHECKING."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            found.update(ast.walk(node))
    return found


every_sim_file = pytest.mark.parametrize("path", SIM, ids=name_of)
every_reward = pytest.mark.parametrize("path", REWARDS, ids=name_of)
every_file = pytest.mark.parametrize("path", [*SIM, *REWARDS], ids=name_of)


@every_sim_file
def test_imports_point_downward_only(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return  # the package itself, and the door to cli
    assert room in LAYERS, f"{room} has no place in the order of rooms"
    below = set(LAYERS[: LAYERS.index(room) + 1])
    for node, name in imported(parse(path)):
        assert not name.startswith("."), f"line {node.lineno}: relative import"
        if name.startswith(f"{PACKAGE}."):
            other = name.split(".")[1]
            if other != "__version__":
                assert other in below, f"line {node.lineno}: {room} imports {name}"


@every_sim_file
def test_machine_learning_libraries_stay_in_engine_and_train(path: Path) -> None:
    for node, name in imported(parse(path)):
        if name.split(".")[0] in HEAVY:
            assert room_of(path) in HEAVY_ROOMS, f"line {node.lineno}: {name}"


def module_of(path: Path) -> str:
    base = HOUSE.parent if path.is_relative_to(HOUSE) else ROOT
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def at_import(path: Path) -> set[str]:
    """Return what is imported as soon as the file is, each with the packages above it."""
    tree = parse(path)
    later = deferred(tree)
    found = set()
    for node, name in imported(tree):
        if node not in later:
            names = [name]
            if isinstance(node, ast.ImportFrom):
                names += [f"{name}.{alias.name}" for alias in node.names]
            for each in names:
                parts = each.split(".")
                found.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return found


def heavy_modules() -> set[str]:
    """Return the modules of sim whose import loads a machine-learning library, by any way."""
    direct = {module_of(path): at_import(path) for path in SIM}
    heavy: set[str] = set()
    while more := {module for module, names in direct.items() if names & (HEAVY | heavy)} - heavy:
        heavy |= more
    return heavy


def test_machine_learning_libraries_load_only_when_a_run_starts() -> None:
    # A module may subclass TRL's classes, and so need them at import; it is then itself imported
    # inside a function of whoever stands outside its room, or of the room's own front door.
    heavy = heavy_modules()
    front_doors = {f"{PACKAGE}.{room}" for room in LAYERS}
    assert {name for name in heavy if name.split(".")[1] not in HEAVY_ROOMS} == set()
    assert heavy & front_doors == set()


@every_reward
def test_rewards_use_the_standard_library_only(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "boto3", "botocore"}
    for node, name in imported(parse(path)):
        assert name.split(".")[0] in allowed, f"line {node.lineno}: {name}"


@every_file
def test_nothing_is_pickled(path: Path) -> None:
    pickles = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for node, name in imported(parse(path)):
        assert name.split(".")[0] not in pickles, f"line {node.lineno}: {name}"


@every_file
def test_code_of_a_model_repository_is_never_trusted(path: Path) -> None:
    for node in ast.walk(parse(path)):
        words = [getattr(node, field, None) for field in ("arg", "id", "attr", "value")]
        is_allowed = isinstance(node, ast.keyword) and (
            isinstance(node.value, ast.Constant) and node.value.value is False
        )
        assert "trust_remote_code" not in words or is_allowed, f"line {node.lineno}"


@every_file
def test_there_is_no_junk_drawer(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    assert not DRAWERS & {part.strip("_") for part in parts}


@every_file
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(parse(path))


@every_file
def test_no_function_is_longer_than_sixty_lines(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name}, line {node.lineno}"


def test_the_command_line_starts_without_a_heavy_library() -> None:
    script = (
        "import json, sys, bedrock_rft_sim.cli\n"
        f"print(json.dumps([name for name in {SLOW_FOR_HELP!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
