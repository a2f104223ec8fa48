"""What scripts/ imports of the simulator is there, and the one for a GPU runs without one."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "scripts"
SCRIPTS = [
    path
    for path in sorted(FOLDER.iterdir())
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


@pytest.mark.parametrize(
    ("wheel", "word"), [(None, "can't be fetched"), ("other.whl", "is another file")]
)
def test_a_real_model_that_can_t_be_had_is_one_line(
    tmp_path: Path, wheel: str | None, word: str
) -> None:
    root = Path(__file__).parent.parent
    (tmp_path / "other.whl").write_bytes(b"other")
    given = [] if wheel is None else ["--wheel", str(tmp_path / wheel)]
    found = subprocess.run(
        [sys.executable, str(root / "scripts/real_model"), "--out", str(tmp_path / "m"), *given],
        env={**os.environ, "PYTHONPATH": str(root / "sim"), "PYTHON": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert found.stderr.startswith("real_model: ")
    assert word in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
def test_what_is_measured_on_a_gpu_once_can_be_seen_to_run_on_a_cpu() -> None:
    command = [sys.executable, FOLDER / "bench_gpu", "--small", "--device", "cpu"]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for engine in ("native", "transformers"):
        assert f"{engine} on " in seen
        assert f"engine {{'name': '{engine}'" in seen
    assert "greedy, float32: 16 of 16 tokens equal to transformers', 2 of 2 answers" in seen


@pytest.mark.slow
def test_the_set_up_says_that_it_is_at_work_while_packages_are_installed(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(FOLDER / "setup", tmp_path / "scripts/setup")
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text("")
    python = tmp_path / "python"
    venv = 'mkdir -p .venv/bin && cp "$0" .venv/bin/python'
    python.write_text(f'#!/bin/sh\ncase "$*" in *install*) sleep 6 ;; *venv*) {venv} ;; esac\n')
    python.chmod(0o755)
    found = subprocess.run(
        [tmp_path / "scripts/setup"],
        env={**os.environ, "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "setup: at work, 5 s\n" in found.stderr
    assert (tmp_path / ".venv/uv.lock").is_file()
