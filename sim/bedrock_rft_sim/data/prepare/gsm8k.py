"""Turn the official GSM8K into RFT records in either of AWS's published shapes.

The 80/10/10 split is that of AWS's Nova notebook, row for row: the train file shuffled
with seed 42 as `datasets` shuffles, cut into 80, 10 and 10 percent. For that the rows are held in
memory (GSM8K is 5 MB); the official split is streamed.

Sources: openai/grade-school-math (question, answer, "####"); aws-samples/amazon-bedrock-samples,
bedrock-reinforcement-fine-tuning (records of the Nova and the open-weight GSM8K samples).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from bedrock_rft_sim.data.prepare.output import DataOutput, open_parts
from bedrock_rft_sim.data.prepare.rows import DataRow
from bedrock_rft_sim.data.prepare.tables import HUB, read_table, source_of
from bedrock_rft_sim.data.prepare.template import Template
from bedrock_rft_sim.data.rules import shortened
from bedrock_rft_sim.data.shapes import word_problem
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.recipe.dialects.dialect import RecordShape

GSM8KSplit = Literal["official", "80/10/10"]
SPLITS: tuple[GSM8KSplit, ...] = get_args(GSM8KSplit)

HUB_NAME = "openai/gsm8k"
SEED = 42
_FINAL = re.compile(r"####\s*(-?[\d.,]*\d)\s*$")

SYSTEM = "You are a helpful math tutor who solves word problems step by step."


def convert(
    source: str,
    out: Path,
    *,
    shape: RecordShape,
    split: GSM8KSplit,
    template: Template,
    count: int | None = None,
    seed: int = SEED,
    force: bool = False,
) -> tuple[DataOutput, ...]:
    """Write the split's files into the folder `out` and return them as written.

    `source` is a folder, a file, or `openai/gsm8k` for the Hub; `count` takes that many rows only:
    of each official file, or of the shuffled train file.

    Raises:
        DataError: the source can't be read, a row is no GSM8K row, or an output exists.
    """
    files = _files(source, split)
    parameters = {"shape": shape, "split": split, "template": template.text, "count": count}
    is_official = split == "official"
    names = tuple(files) if is_official else ("train", "validation", "test")
    with open_parts(
        out,
        {name: source_of(files[name if is_official else "train"]) for name in names},
        operation="gsm8k",
        parameters=parameters,
        seed=None if is_official else seed,
        force=force,
    ) as outputs:
        for name, rows in _parts(files, split, count, seed).items():
            for index, row in enumerate(outputs[name].counted(rows)):
                made = record(row, shape=shape, template=template, id_=f"{name}_{index}")
                outputs[name].write(made)
    return tuple(outputs.values())


def _files(source: str, split: GSM8KSplit) -> dict[str, str]:
    """Return part name -> file or Hub name."""
    if source in (HUB_NAME, HUB + HUB_NAME):
        return dict.fromkeys(("train", "test"), f"{HUB}{HUB_NAME}/main")
    folder = Path(source)
    if folder.is_file():
        is_test = split == "official" and folder.name.startswith("test")
        return {"test" if is_test else "train": source}
    found = {part: _file_of(folder, part) for part in ("train", "test")}
    missing = [part for part, file in found.items() if file is None]
    if split == "80/10/10" and missing == ["test"]:
        missing = []
    if missing:
        raise DataError(
            "the official GSM8K files are not there",
            where=source,
            expected="a folder with train.jsonl and test.jsonl, or the same as .parquet; a file; "
            f"or {HUB_NAME} for the Hub",
            found=f"no {' and no '.join(missing)} file" if folder.is_dir() else "no such folder",
            hint="download them from github.com/openai/grade-school-math",
        )
    return {part: str(file) for part, file in found.items() if file is not None}


def _file_of(folder: Path, part: str) -> Path | None:
    shard = f"{part}-00000-of-00001.parquet"  # as the Hub keeps it
    names = (f"{part}.jsonl", f"{part}.parquet", shard, f"main/{shard}")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _parts(
    files: dict[str, str], split: GSM8KSplit, count: int | None, seed: int
) -> dict[str, Iterable[DataRow]]:
    if split == "official":
        return {part: islice(read_table(file, split=part), count) for part, file in files.items()}
    import numpy as np

    rows = list(read_table(files["train"], split="train"))
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()[:count]
    first, second = int(len(order) * 0.8), int(len(order) * 0.8) + int(len(order) * 0.1)
    cuts = {"train": order[:first], "validation": order[first:second], "test": order[second:]}
    return {part: [rows[index] for index in chosen] for part, chosen in cuts.items()}


def record(row: DataRow, *, shape: RecordShape, template: Template, id_: str) -> dict[str, Any]:
    """Return the RFT record of one official row.

    Raises:
        DataError: the row has no question, or its answer does not end in "#### number".
    """
    question, answer = _text(row, "question"), _text(row, "answer")
    final = _FINAL.search(answer)
    if final is None:
        _refuse(row, 'an answer that ends in "#### " and a number', repr(answer[-40:]))
    return word_problem(
        f"gsm8k_{id_}",
        shape,
        prompt=template.fill({"question": question}),
        system=SYSTEM,
        question=question,
        solution=answer,
        steps=[line for line in answer[: final.start()].splitlines() if line.strip()],
        answer=final[1].replace(",", ""),
        difficulty="grade_school",
        source=HUB_NAME,
    )


def _text(row: DataRow, key: str) -> str:
    value = row.record.get(key)
    if not isinstance(value, str) or not value.strip():
        found = repr(value) if key in row.record else f"keys {', '.join(map(str, row.record))}"
        _refuse(row, f"text under {key!r}", found)
    return value


def _refuse(row: DataRow, expected: str, found: str) -> NoReturn:
    raise DataError(
        "the row is not one of GSM8K",
        where=f"{row.source}:{row.line}",
        expected=expected,
        found=shortened(found),
        hint="take the official files; other data goes through rft data from",
    )
