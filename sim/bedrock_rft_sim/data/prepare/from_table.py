"""Turn rows of any table into RFT records by a mapping of columns.

`messages` may come from a column of text, which the template wraps into one user message, or from
one that already holds a list of messages. A dotted target such as `reference_answer.final_answer`
builds an object, a dotted column such as `reward_model.ground_truth` looks into one. A row that
gives no usable record is left out and counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bedrock_rft_sim.data.prepare.output import DataOutput
from bedrock_rft_sim.data.prepare.rows import DataRow
from bedrock_rft_sim.data.prepare.tables import read_table, source_of
from bedrock_rft_sim.data.prepare.template import template
from bedrock_rft_sim.data.reader import Ids
from bedrock_rft_sim.data.record import blocking
from bedrock_rft_sim.errors import DataError, RecipeError

MESSAGES = "messages"


def columns_from(words: Sequence[str]) -> dict[str, str]:
    """Read `target=column` words: which key of a record, dotted inside an object, is which column.

    Raises:
        RecipeError: a word is no such pair, or a target is named twice or below another.
    """
    columns: dict[str, str] = {}
    for word in words:
        target, sign, column = word.partition("=")
        if not sign or not target or not column:
            _refuse(word, "target=column, such as messages=question")
        if any(f"{each}.".startswith(f"{target}.") for each in columns) or any(
            f"{target}.".startswith(f"{each}.") for each in columns
        ):
            _refuse(word, "every target once, and none inside another")
        columns[target] = column
    if MESSAGES not in columns:
        _refuse(", ".join(words) or "nothing", "messages=COLUMN among the mappings")
    return columns


def _refuse(found: str, expected: str) -> None:
    raise RecipeError(
        "the column mapping can't be read",
        where="--map",
        expected=expected,
        found=found,
        hint="for example --map messages=question --map reference_answer=answer",
    )


def convert(
    source: str,
    out: Path,
    *,
    columns: Mapping[str, str],
    template_text: str = "plain",
    system: str | None = None,
    split: str = "train",
    count: int | None = None,
    force: bool = False,
) -> DataOutput:
    """Write the records and return the output as written.

    The template may name any column; `{question}` is the one mapped to messages.

    Raises:
        DataError: the source can't be read or lacks a mapped column.
        RecipeError: the template has no place for any column.
    """
    parameters = {
        "map": dict(columns),
        "template": template_text,
        "system": system,
        "split": split,
        "count": count,
    }
    with DataOutput(
        out, operation="from", parameters=parameters, sources=[source_of(source)], force=force
    ) as output:
        ids = Ids()
        for row in output.counted(islice(read_table(source, split=split), count)):
            made = _record(row, columns, template_text=template_text, system=system)
            broken = next(blocking(made, row.line), None) or ids.repeated(made["id"], row.line)
            if broken is None:
                output.write(made)
            else:
                output.drop(row, broken.what)
    return output


def _cell(row: DataRow, column: str) -> Any:
    """Return what stands in the column; a dot leads into an object, a number into a list.

    Raises:
        DataError: there is no such column.
    """
    if column in row.record:
        return row.record[column]
    value: Any = row.record
    for key in column.split("."):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif value is None:
            return None
        else:
            raise DataError(
                f"there is no column {column!r}",
                where=f"{row.source}:{row.line}",
                expected="every mapped column in every row",
                found=f"columns {', '.join(_columns(row.record))}",
                hint="check the spelling in --map",
            )
    return value


def _columns(record: Mapping[str, Any]) -> Iterator[str]:
    for name, value in record.items():
        inner = ", ".join(map(str, value)) if isinstance(value, dict) else ""
        yield f"{name} ({inner})" if inner else str(name)


def _record(
    row: DataRow, columns: Mapping[str, str], *, template_text: str, system: str | None
) -> dict[str, Any]:
    made: dict[str, Any] = {"id": f"{Path(row.source or '').stem}-{row.line:06d}"}
    for target, column in columns.items():
        value = _cell(row, column)
        if target == MESSAGES:
            made[MESSAGES] = _messages(row, value, template_text=template_text, system=system)
        elif target in ("id", "reference_answer"):
            made[target] = value if isinstance(value, dict) else _text(value)
        else:
            _put(made, target.split("."), value)
    return made


def _messages(row: DataRow, value: Any, *, template_text: str, system: str | None) -> Any:
    opening = [] if system is None else [{"role": "system", "content": system}]
    if isinstance(value, list):
        return [*opening, *value]
    fields = {str(name): _text(each) for name, each in row.record.items()}
    fields["question"] = _text(value)
    if not fields["question"].strip():
        return None
    prompt = template(template_text, fields=fields).fill(fields)
    return [*opening, {"role": "user", "content": prompt}]


def _text(value: Any) -> str:
    """Return a cell as text; nothing for an empty one, JSON for what has parts."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list | dict | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _put(record: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        record = record.setdefault(key, {})
    record[keys[-1]] = value
