"""Uploaded files: one folder each under `root/files`, with the content and what is known of it.

A file is there once its `meta.json` is; a kill before that leaves a folder that no list shows.
Sources: Bedrock user guide, fine-tuning-openai-apis; the sample notebook (a file's id is a UUID).
"""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path
from typing import Any, BinaryIO

from bedrock_rft_sim import files
from bedrock_rft_sim.data.lines import scan_file
from bedrock_rft_sim.server.mantle.errors import OpenAIError
from bedrock_rft_sim.server.mantle.names import is_file_id

PURPOSE = "fine-tune"
FILENAME_CHARS = 255
_META = "meta.json"
_CONTENT = "content.jsonl"


class Files:
    """The files under a root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, source: BinaryIO, *, filename: str) -> dict[str, Any]:
        """Keep a copy of the content, checked to be JSON lines, and return the file object.

        Raises:
            OpenAIError: the content is empty or no JSON lines.
        """
        records = _count_records(source)
        source.seek(0)
        file_id = str(uuid.uuid4())
        folder = self._folder / file_id
        with files.named_errors(folder, "keep the file"):
            folder.mkdir(parents=True)
            with files.replacing(folder / _CONTENT) as target:
                shutil.copyfileobj(source, target)
            file = {
                "id": file_id,
                "object": "file",
                "bytes": (folder / _CONTENT).stat().st_size,
                "created_at": int(time.time()),
                "filename": filename[:FILENAME_CHARS],
                "purpose": PURPOSE,
                "status": "processed",
                "status_details": None,
            }
            # Not shown to clients: the order within a second, and what a job needs to know.
            kept = {"file": file, "added_ns": time.time_ns(), "records": records}
            files.replace_file(folder / _META, files.dump(kept).encode())
        return file

    def list(self) -> list[dict[str, Any]]:
        """Return the file objects, newest first."""
        if not self._folder.is_dir():
            return []
        kept = [files.read_json(path) for path in self._folder.glob(f"*/{_META}")]
        return [each["file"] for each in sorted(kept, key=lambda each: -each["added_ns"])]

    def get(self, file_id: str) -> dict[str, Any]:
        """Return the file object under `file`, and how many `records` it has.

        Raises:
            OpenAIError: there is no such file.
        """
        path = self._folder / file_id / _META
        if not is_file_id(file_id) or not path.is_file():
            raise OpenAIError(f"No such File object: {file_id[:80]}", status=404, param="id")
        return files.read_json(path)

    def content(self, file_id: str) -> Path:
        """Return where the content lies."""
        self.get(file_id)
        return self._folder / file_id / _CONTENT

    def delete(self, file_id: str) -> None:
        """Remove the file; first from the lists, then from the disk."""
        self.get(file_id)
        folder = self._folder / file_id
        with files.named_errors(folder, "remove the file"):
            (folder / _META).unlink()
            shutil.rmtree(folder)


def _count_records(source: BinaryIO) -> int:
    count = 0
    for number, read in scan_file(source):
        if isinstance(read, dict):
            count += 1
        elif read.rule.blocks:
            raise OpenAIError(
                f"Expected a file in JSONL format: line {number}: {read.what}; "
                f"expected {read.rule.expected}, found {read.found}",
                param="file",
                code="invalid_jsonl",
            )
    if count == 0:
        raise OpenAIError("The file is empty.", param="file", code="invalid_jsonl")
    return count
