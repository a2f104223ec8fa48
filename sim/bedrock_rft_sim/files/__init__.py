"""Files on disk: written whole or not at all, appended by whole lines, locked, read as JSON.

It knows no file name of a run; `bedrock_rft_sim.runs` does.
"""

from __future__ import annotations

from bedrock_rft_sim.files.locks import BUSY, Lock, is_held
from bedrock_rft_sim.files.records import dump, keep_lines, read_json, read_json_lines
from bedrock_rft_sim.files.writing import (
    append_line,
    make_folder,
    named_errors,
    replace_file,
    replacing,
    write_file,
)

__all__ = [
    "BUSY",
    "Lock",
    "append_line",
    "dump",
    "is_held",
    "keep_lines",
    "make_folder",
    "named_errors",
    "read_json",
    "read_json_lines",
    "replace_file",
    "replacing",
    "write_file",
]
