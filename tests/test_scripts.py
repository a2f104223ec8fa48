"""What scripts/ imports of the simulator is there; nothing else looks into them."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = [
    path
    for path in sorted((Path(__file__).parent.parent / "scripts").iterdir())
    if path.is_file() and path.read_text(encoding="utf-8").startswith("#!/usr/bin/env python")
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_import_of_a_script_is_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bedrock_rft_sim"):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{module.__name__}.{alias.name}")
