"""A GGUF file as an ordinary model folder: made once per file, kept in the user's cache.

The reading is the work of `bedrock_rft_sim.engine.gguf`, in a process of its own: this room never
loads a model, and a file from anywhere may crash its reader or ask for more memory than there is.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.files import named_errors

SUFFIX: Final = ".gguf"
READER: Final = (sys.executable, "-P", "-m", "bedrock_rft_sim.engine.gguf")
EXPECTED: Final = "a GGUF file of a chat model that transformers can read"


def cache_folder() -> Path:
    """Return where this program keeps what can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "bedrock-rft-sim"


def is_gguf(model: str | Path) -> bool:
    """Whether a model's name is that of a GGUF file."""
    return str(model).lower().endswith(SUFFIX)


def unpacked(path: Path) -> Path:
    """Return the ordinary model folder of a GGUF file, in float32; made where it is not there.

    Raises:
        RecipeError: there is no such file, or it can't be trained.
    """
    if not path.is_file():
        raise RecipeError(
            "there is no such model", where="local.model", expected="a GGUF file", found=str(path)
        )
    folder = cache_folder() / "gguf" / f"{path.stem}-{_identity(path)}"
    if folder.is_dir():
        return folder
    hint = f"make room there, or set XDG_CACHE_HOME; the model is unpacked to {folder.parent}"
    with named_errors(folder, "unpack the GGUF file", kind=RecipeError, hint=hint):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / "model"
            _read(path, made)
            if not folder.is_dir():  # another process may have been quicker
                shutil.move(made, folder)
    return folder


def _identity(path: Path) -> str:
    """Tell files, and what reads them, apart; a large file is not read for it."""
    seen = path.stat()
    parts = (str(path.resolve()), seen.st_size, seen.st_mtime_ns, version("transformers"))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _read(path: Path, folder: Path) -> None:
    package = str(Path(__file__).resolve().parents[2])
    found = subprocess.run(
        [*READER, str(path), str(folder)],
        env={**os.environ, "PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        return
    raise RecipeError(
        "the GGUF file can't be trained",
        where=f"local.model: {path}",
        **_refusal(found.stdout, found.returncode),
    )


def _refusal(output: str, code: int) -> dict[str, Any]:
    """Read what the reader says in its last line; a reader that died says nothing."""
    try:
        refusal: dict[str, Any] = json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        found = f"its reader ended with exit code {code}"
        hint = "make sure that the model fits into memory in float32, four bytes a parameter"
        return {"expected": EXPECTED, "found": found, "hint": hint}
    return {"expected": EXPECTED, **refusal}
