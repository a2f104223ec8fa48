"""Whether a checkpoint is whole: a manifest of its files, written last, with size and hash of each.

The hash finds damage, not malice: whoever can change a file can change the manifest. A checkpoint
of version 0.1 has no manifest; its files are read as far as their own forms hold a check (the CRC
of a zip, the offsets of safetensors, JSON), which finds what was cut, not every flipped bit.

Sources: `zipfile` (the form of torch.save), safetensors' format description.
"""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from bedrock_rft_sim import files
from bedrock_rft_sim.errors import RunFolderError

MANIFEST: Final = "manifest.json"
TRAINER_STATE: Final = "trainer_state.json"
TORCH_FILES: Final = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
WEIGHTS: Final = "*.safetensors"
_HEADER_BYTES: Final = 8
"""Of safetensors: the length of the JSON header, little-endian, before the header itself."""


def seal(checkpoint: Path) -> None:
    """Write the manifest of every file of the checkpoint, which must be complete."""
    files.as_new_files(checkpoint)
    paths = sorted(path for path in checkpoint.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in paths]
    entries = {
        path.relative_to(checkpoint).as_posix(): {"bytes": size, "sha256": digest}
        for path, size, digest in zip(paths, sizes, _digests(paths), strict=True)
    }
    text = files.dump({"files": entries}, indent=2) + "\n"
    files.write_file(checkpoint / MANIFEST, text, "write the manifest of the checkpoint")


def is_sealed(checkpoint: Path) -> bool:
    """Whether the checkpoint has a manifest."""
    return (checkpoint / MANIFEST).is_file()


def damage(checkpoint: Path) -> str | None:
    """Return what is wrong with a checkpoint that has, or ought to have, a manifest; else None."""
    if not checkpoint.is_dir():
        return "it is missing"
    try:
        entries = _entries(checkpoint / MANIFEST)
    except RunFolderError as error:
        return f"{MANIFEST} can't be used ({error.found})"
    for name, entry in entries.items():
        found = _wrong_size(checkpoint / name, entry["bytes"])
        if found is not None:
            return f"{name} {found}"
    try:
        digests = _digests([checkpoint / name for name in entries])
    except OSError as error:
        return f"{Path(error.filename or checkpoint).name} can't be read ({error.strerror})"
    for (name, entry), digest in zip(entries.items(), digests, strict=True):
        if digest != entry["sha256"]:
            return f"{name} has its size but not its contents: another SHA-256"
    return None


def damage_without_manifest(checkpoint: Path) -> str | None:
    """Return what can be seen to be wrong with a checkpoint of version 0.1; None for nothing."""
    weights = sorted(path for path in checkpoint.rglob(WEIGHTS) if path.is_file())
    if not weights:
        return "its weights are missing"
    for name in (TRAINER_STATE, *TORCH_FILES):
        if not (checkpoint / name).is_file():
            return f"{name} is missing"
    for path in (*weights, *(checkpoint / name for name in (TRAINER_STATE, *TORCH_FILES))):
        try:
            _demand_form(path)
        except (OSError, ValueError, RecursionError, zipfile.BadZipFile) as error:
            return f"{path.name} is damaged ({error})"
    return None


def _entries(manifest: Path) -> dict[str, Any]:
    entries = files.read_json(manifest).get("files")
    is_form = isinstance(entries, dict) and all(
        isinstance(each, dict)
        and isinstance(each.get("bytes"), int)
        and isinstance(each.get("sha256"), str)
        for each in entries.values()
    )
    if not is_form or not entries:
        raise RunFolderError("the manifest is damaged", found="no table of files")
    return dict(entries)


def _wrong_size(path: Path, size: int) -> str | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"can't be read ({error.strerror})"
    if not stat.S_ISREG(status.st_mode):
        return "is no file"
    return None if status.st_size == size else f"has {status.st_size:,} of {size:,} bytes"


def _digests(paths: list[Path]) -> Iterator[str]:
    """Return the SHA-256 of each file; large files side by side, since hashing frees the lock."""
    with ThreadPoolExecutor() as pool:
        return iter(list(pool.map(_digest, paths)))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _demand_form(path: Path) -> None:
    if path.name == TRAINER_STATE:
        json.loads(path.read_bytes())
    elif path.suffix == ".safetensors":
        _demand_safetensors(path)
    else:
        with zipfile.ZipFile(path) as archive:
            torn = archive.testzip()
        if torn is not None:
            raise ValueError(f"{torn} in it does not match its CRC")


def _demand_safetensors(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_HEADER_BYTES), "little")
        if length > size:
            raise ValueError("its header is cut")
        header = json.loads(file.read(length))
    ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
    expected = _HEADER_BYTES + length + max(ends, default=0)
    if size != expected:
        raise ValueError(f"{size:,} of {expected:,} bytes")
