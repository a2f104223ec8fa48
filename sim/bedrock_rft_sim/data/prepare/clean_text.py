"""Write a text in one way: Unicode composed, line ends and spaces plain, the meaning untouched.

NFC only, unless NFKC is asked for: NFKC turns x² into x2 and ½ into 1⁄2, which changes mathematics.
Indentation, tabs and table columns stay; a reference answer keeps every character but its Unicode
form, its line ends and the spaces around it.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from typing import Any

from bedrock_rft_sim.data.prepare.rows import messages_of

_INVISIBLE = re.compile("[\u200b\ufeff\u00ad]")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_LINE_ENDS = re.compile("\r\n|[\r\u2028\u2029\u0085]")
_RUN = re.compile(r"(?<=[^\s|]) {2,}(?=[^\s|])")


def normalised(text: str, *, nfkc: bool = False) -> str:
    """Return the text in normal form; applied twice it changes nothing more."""
    composed = unicodedata.normalize("NFKC" if nfkc else "NFC", text)
    plain = _SPACES.sub(" ", _INVISIBLE.sub("", _LINE_ENDS.sub("\n", composed)))
    lines = [_line(line.rstrip()) for line in plain.split("\n")]
    return unicodedata.normalize("NFC", "\n".join(lines).strip("\n").rstrip())


def _line(line: str) -> str:
    """Return a line of prose with single spaces; code and tables as they are."""
    is_prose = not line.startswith((" ", "\t")) and "\t" not in line and "|" not in line
    return _RUN.sub(" ", line) if is_prose else line


def normalised_reference(text: str) -> str:
    """Return a reference answer in normal form, its meaning untouched."""
    return unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", text)).strip()


def normalised_record(record: dict[str, Any], *, nfkc: bool = False) -> dict[str, Any]:
    """Return the record with its prompt, question and reference in normal form."""
    new = copy.deepcopy(record)
    for message in messages_of(new):
        if "content" in message:
            message["content"] = _content(message["content"], nfkc=nfkc)
    if isinstance(new.get("original_question"), str):
        new["original_question"] = normalised(new["original_question"], nfkc=nfkc)
    for key in ("reference_answer", "ground_truth", "original_answer"):
        if key in new:
            new[key] = _reference(new[key])
    return new


def _content(content: Any, *, nfkc: bool) -> Any:
    """Return the content normalised; one that would become empty stays for the check to refuse."""
    if isinstance(content, str):
        return normalised(content, nfkc=nfkc) or content
    if not isinstance(content, list):
        return content
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            part["text"] = normalised(part["text"], nfkc=nfkc) or part["text"]
    return content


def _reference(value: Any) -> Any:
    if isinstance(value, str):
        return normalised_reference(value) or value
    if isinstance(value, list):
        return [_reference(each) for each in value]
    if isinstance(value, dict):
        return {key: _reference(each) for key, each in value.items()}
    return value
