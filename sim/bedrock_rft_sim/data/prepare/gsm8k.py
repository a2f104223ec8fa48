"""Turn the official GSM8K into RFT records in either of AWS's published shapes.

The keys are the published ones, and `id`, which the format allows and which names a row in every
later step. The 80/10/10 split is that of AWS's Nova notebook, row for row: the train file shuffled
with seed 42 as `datasets` shuffles, cut into 80, 10 and 10 percent. For that the rows are held in
memory (GSM8K is 5 MB); the official split is streamed.

Sources: openai/grade-school-math (question, answer, "####"); aws-samples/amazon-bedrock-samples,
bedrock-reinforcement-fine-tuning (records of the Nova and the open-weight GSM8K samples).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NoReturn

from bedrock_rft_sim.data.prepare.output import Output
from bedrock_rft_sim.data.prepare.rows import DataRow
from bedrock_rft_sim.data.prepare.tables import HUB, read_table, source_of
from bedrock_rft_sim.data.prepare.template import Template
from bedrock_rft_sim.errors import DataError

Shape = Literal["nova", "open-weight"]
Split = Literal["official", "80/10/10"]
SHAPES: tuple[Shape, ...] = ("nova", "open-weight")
SPLITS: tuple[Split, ...] = ("official", "80/10/10")

HUB_NAME = "openai/gsm8k"
SEED = 42
_FINAL = re.compile(r"####\s*(-?[\d.,]*\d)\s*$")

SYSTEM = "You are a helpful math tutor who solves word problems step by step."


def convert(
    source: str,
    out: Path,
    *,
    shape: Shape,
    split: Split,
    template: Template,
    count: int | None = None,
    seed: int = SEED,
    force: bool = False,
) -> tuple[Output, ...]:
    """Write the split's files into the folder `out` and return them as written.

    `source` is a folder, a file, or `openai/gsm8k` for the Hub; `count` takes that many rows only:
    of each official file, or of the shuffled train file.

    Raises:
        DataError: the source can't be read, a row is no GSM8K row, or an output exists.
    """
    files = _files(source, split)
    parameters = {"shape": shape, "split": split, "template": template.text, "count": count}
    names = tuple(files) if split == "official" else ("train", "validation", "test")
    with ExitStack() as stack:
        outputs = tuple(
            stack.enter_context(
                Output(
                    out / f"{name}.jsonl",
                    operation="gsm8k",
                    parameters={**parameters, "part": name},
                    sources=[source_of(files[name if split == "official" else "train"])],
                    seed=seed if split == "80/10/10" else None,
                    force=force,
                )
            )
            for name in names
        )
        for output, (name, rows) in zip(
            outputs, _parts(files, split, count, seed).items(), strict=True
        ):
            for index, row in enumerate(output.counted(rows)):
                output.write(record(row, shape=shape, template=template, id_=f"{name}_{index}"))
    return outputs


def _files(source: str, split: Split) -> dict[str, str]:
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
    files: dict[str, str], split: Split, count: int | None, seed: int
) -> dict[str, Iterable[DataRow]]:
    if split == "official":
        return {part: islice(read_table(file, split=part), count) for part, file in files.items()}
    import numpy as np

    rows = list(read_table(files["train"], split="train"))
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()[:count]
    first, second = int(len(order) * 0.8), int(len(order) * 0.8) + int(len(order) * 0.1)
    cuts = {"train": order[:first], "validation": order[first:second], "test": order[second:]}
    return {part: [rows[index] for index in chosen] for part, chosen in cuts.items()}


def record(row: DataRow, *, shape: Shape, template: Template, id_: str) -> dict[str, Any]:
    """Return the RFT record of one official row.

    Raises:
        DataError: the row has no question, or its answer does not end in "#### number".
    """
    question, answer = _text(row, "question"), _text(row, "answer")
    final = _FINAL.search(answer)
    if final is None:
        _refuse(row, 'an answer that ends in "#### " and a number', repr(answer[-40:]))
    number = final[1].replace(",", "")
    user = {"role": "user", "content": template.fill({"question": question})}
    named = f"gsm8k_{id_}"
    if shape == "open-weight":
        return {
            "id": named,
            "messages": [user],
            "reference_answer": answer,
            "ground_truth": number,
            "data_source": HUB_NAME,
        }
    steps = [line for line in answer[: final.start()].splitlines() if line.strip()]
    return {
        "id": named,
        "messages": [{"role": "system", "content": SYSTEM}, user],
        "reference_answer": {"final_answer": number, "steps": steps},
        "task_id": named,
        "domain": "math",
        "difficulty_level": "grade_school",
        "data_source": HUB_NAME,
        "original_question": question,
        "original_answer": answer,
    }


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
        found=found if len(found) <= 80 else found[:77] + "...",  # noqa: PLR2004
        hint="take the official files; other data goes through rft data from",
    )
