"""The laws of the house, read from the source: who may import whom, and what is never done.

One test per law; each lists every place that breaks it.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "bedrock_rft_sim"
HOUSE = ROOT / "sim" / PACKAGE

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
    "train",
    "report",
    "jobs",
    "sweep",
    "cloud",
    "server",
    "cli",
)
HEAVY = {"torch", "trl", "transformers", "peft", "accelerate", "vllm"}
HEAVY_ROOMS = {"engine", "train"}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SLOW_FOR_HELP = ("torch", "trl", "transformers", "datasets", "botocore", "scipy")
FUNCTION_LINES_MAX = 60

REWARDS = sorted((ROOT / "rewards").rglob("*.py"))
EVERY = [*sorted(HOUSE.rglob("*.py")), *REWARDS]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def house() -> Iterator[tuple[Path, str]]:
    """Yield every module of a room, with the room's name."""
    for path in EVERY:
        parts = path.relative_to(ROOT).parts
        if parts[0] == "sim" and parts[2] not in ("__init__.py", "__main__.py"):
            yield path, parts[2].removesuffix(".py")


def place(path: Path, node: ast.AST | None = None) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def imported(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            yield from ((node, f"{PACKAGE}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, "." * node.level + (node.module or "")


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def upward(path: Path, room: str) -> Iterator[str]:
    below = LAYERS[: LAYERS.index(room) + 1]
    for node, name in imported(parse(path)):
        first, _, rest = name.partition(".")
        other = rest.split(".")[0]
        if not first or (first == PACKAGE and other not in (*below, "__version__")):
            yield f"{place(path, node)}: {room} imports {name}"


def test_every_room_has_its_place_in_the_order_of_rooms() -> None:
    assert {room for _, room in house()} - set(LAYERS) == set()


def test_imports_point_downward_only() -> None:
    assert [broken for path, room in house() for broken in upward(path, room)] == []


def test_machine_learning_libraries_stay_in_engine_and_train() -> None:
    assert [
        f"{place(path, node)}: {name}"
        for path, room in house()
        for node, name in imported(parse(path))
        if name.split(".")[0] in HEAVY and room not in HEAVY_ROOMS
    ] == []


def deferred(tree: ast.Module) -> set[ast.AST]:
    """Return the nodes that do not run at import: bodies of functions and of TYPE_CHECKING."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            found.update(ast.walk(node))
    return found


def module_of(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
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
    """Return the modules whose import loads a machine-learning library, by any way."""
    direct = {module_of(path): at_import(path) for path, _ in house()}
    heavy: set[str] = set()
    while more := {module for module, names in direct.items() if names & (HEAVY | heavy)} - heavy:
        heavy |= more
    return heavy


def test_machine_learning_libraries_load_only_when_a_run_starts() -> None:
    # A module may subclass TRL's classes, and so need them at import; it is then itself imported
    # inside a function of whoever stands outside its room, or of the room's own front door.
    heavy = heavy_modules()
    assert {name for name in heavy if name.split(".")[1] not in HEAVY_ROOMS} == set()
    assert heavy & {f"{PACKAGE}.{room}" for room in LAYERS} == set()


def test_rewards_use_the_standard_library_only() -> None:
    allowed = {*sys.stdlib_module_names, "boto3", "botocore"}
    assert [
        f"{place(path, node)}: {name}"
        for path in REWARDS
        for node, name in imported(parse(path))
        if name.split(".")[0] not in allowed
    ] == []


def test_nothing_is_pickled() -> None:
    assert [
        f"{place(path, node)}: {name}"
        for path in EVERY
        for node, name in imported(parse(path))
        if name.split(".")[0] in PICKLES
    ] == []


def trusts(node: ast.AST) -> bool:
    words = [getattr(node, field, None) for field in ("arg", "id", "attr", "value")]
    is_refusal = isinstance(node, ast.keyword) and (
        isinstance(node.value, ast.Constant) and node.value.value is False
    )
    return "trust_remote_code" in words and not is_refusal


def test_code_of_a_model_repository_is_never_trusted() -> None:
    assert [
        place(path, node) for path in EVERY for node in ast.walk(parse(path)) if trusts(node)
    ] == []


def test_there_is_no_junk_drawer() -> None:
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in EVERY}
    assert [
        place(path) for path in EVERY if DRAWERS & {part.strip("_") for part in parts[path]}
    ] == []


def test_a_module_says_what_it_is_for() -> None:
    assert [place(path) for path in EVERY if not ast.get_docstring(parse(path))] == []


def test_no_function_is_longer_than_sixty_lines() -> None:
    assert [
        f"{place(path, node)}: {node.name}"
        for path in EVERY
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ] == []


def test_no_two_types_share_a_name() -> None:
    found = defaultdict(list)
    for path, _ in house():
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(place(path, node))
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_the_command_line_starts_without_a_heavy_library() -> None:
    script = (
        f"import json, sys, {PACKAGE}.cli\n"
        f"print(json.dumps([name for name in {SLOW_FOR_HELP!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
