"""Find out what a path holds and read it: the one reader of every format.

Where two formats look alike, `kind` decides; what is none of the formats is an error that
names them all.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Final

from bedrock_rft_sim.compare.series import logs, steplines, tables
from bedrock_rft_sim.compare.series.curve import KINDS, Curves, Gathering, Kind
from bedrock_rft_sim.compare.series.events import looks_like_events, read_events
from bedrock_rft_sim.compare.series.jsontext import Placed, damage, values
from bedrock_rft_sim.compare.series.source import GZIP, member, read_bytes, text_of
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.runs import is_run

NOVA_CSV: Final = "step_wise_training_metrics.csv"
ARCHIVE: Final = "output.tar.gz"
TRAINER_STATE: Final = "trainer_state.json"
MOST_FILES: Final = 10_000
"""Files looked at in a folder before it is called something else."""


def read_curves(path: str | Path, *, kind: Kind | None = None) -> list[Curves]:
    """Return the curves at the path: one run's, or each run's of a W&B or TensorBoard export.

    Raises:
        DataError: it is none of the known sources, or not the wanted `kind`, or it is damaged;
            the message names file and line.
    """
    found = _folder(Path(path)) if Path(path).is_dir() else _file(Path(path), kind)
    if kind is not None and any(curves.kind != kind for curves in found):
        raise DataError(
            f"is no {kind}",
            where=str(path),
            expected=kind,
            found=found[0].kind,
            hint="leave the kind out, or give the other file",
        )
    return found


def _folder(path: Path) -> list[Curves]:
    if is_run(path):
        return [steplines.read_run(path)]
    files = sorted(itertools.islice(filter(Path.is_file, path.rglob("*")), MOST_FILES))
    for name in (NOVA_CSV, ARCHIVE):
        named = [file for file in files if file.name == name]
        if len(named) > 1:
            raise DataError(
                "several files could be meant",
                where=str(path),
                expected="one",
                found=", ".join(str(file.relative_to(path)) for file in named[:5]),
                hint="give the file itself",
            )
        if named:
            return _file(named[0], None)
    states = [file for file in files if file.name == TRAINER_STATE]
    if states:  # one per checkpoint, and each holds the history before it
        return _file(max(states, key=lambda file: (len(read_bytes(file)), str(file))), None)
    tags = [file for file in files if file.suffix == ".csv" and _is_tag(file)]
    if tags:
        return _tensorboard(tags)
    raise _foreign(str(path), f"a folder of {len(files)} other files")


def _is_tag(file: Path) -> bool:
    first = read_bytes(file).partition(b"\n")[0].strip().removeprefix(b"\xef\xbb\xbf")
    return first == ",".join(tables.TENSORBOARD).encode()


def _tensorboard(files: list[Path]) -> list[Curves]:
    runs: dict[str, Gathering] = {}
    for file in files:
        run, text = tables.run_and_tag(file)[0], text_of(read_bytes(file), where=str(file))
        runs[run] = tables.read_tensorboard(text, str(file), runs.get(run))
    folder = files[0].parent
    return [
        gathering.curves(f"{folder}#{run}" if run else str(folder))
        for run, gathering in runs.items()
    ]


def _file(path: Path, kind: Kind | None) -> list[Curves]:
    content = read_bytes(path)
    source = str(path)
    if content.startswith(GZIP):  # the archives of SageMaker jobs
        inside, content = member(content, NOVA_CSV, where=source)
        source = f"{source}!{inside}"
    text = text_of(content, where=source)
    is_json = _is_json(text)
    for reader in (_json, _plain) if is_json else (_plain, _json):
        found = reader(text, source, kind)
        if found is not None:
            return found
    damaged = damage(text, where=source) if is_json else None
    raise damaged or tables.unreadable(text, source) or _foreign(source, repr(text.lstrip()[:60]))


def _is_json(text: str) -> bool:
    """Whether it begins as an object or a list of them; a log's line may begin with [time]."""
    head = text.lstrip()[:64].replace(" ", "").replace("\n", "").replace("\r", "")
    return head.startswith(("{", "[{", "[[", "[]"))


def _json(text: str, source: str, _wanted: Kind | None) -> list[Curves] | None:
    placed, unread = values(text, where=source) or ([], [])
    found = _of_values(placed, source) if placed else None
    if found is None or not unread:
        return found
    lines = "1 line is" if len(unread) == 1 else f"{len(unread)} lines are"
    note = f"{lines} no JSON and left out, the first {unread[0]}; a cut file looks like a short run"
    return [replace(curves, notes=(*curves.notes, note)) for curves in found]


def _of_values(placed: list[Placed], source: str) -> list[Curves] | None:
    if steplines.looks_like_trainer_state(placed):
        return [steplines.read_trainer_state(placed, source)]
    lines = logs.lines_of_cloudwatch(placed, source)
    found = _log(lines, source, None) if lines else None
    if found is not None:
        return found
    if looks_like_events(placed):
        return [read_events(placed, source)]
    if steplines.looks_like_step_lines(placed):
        return [steplines.read_step_lines(placed, source)]
    return None


def _plain(text: str, source: str, wanted: Kind | None) -> list[Curves] | None:
    table = tables.kind_of(text)
    if table == "nova-csv":
        return [tables.read_nova(text, source)]
    if table == "tensorboard-csv":
        return [tables.read_tensorboard(text, source).curves(source)]
    if table == "wandb-csv":
        return tables.read_wandb(text, source)
    if table == "log":
        return _log(logs.lines_of_records(tables.records(text, source)), source, wanted)
    numbered = enumerate(text.splitlines(), start=1)
    lines = [(float(n), f"{source}:{n}", line) for n, line in numbered]
    return _log(lines, source, wanted)


def _log(lines: list[logs.Line], source: str, wanted: Kind | None) -> list[Curves] | None:
    kind = wanted if wanted in ("verl-log", "hyperpod-log") else None
    kind = kind or logs.kind_of(line for _, _, line in lines)
    return [logs.read_log(lines, source, kind)] if kind else None


def _foreign(source: str, found: str) -> DataError:
    return DataError(
        "holds no metrics that can be read",
        where=source,
        expected=f"one of: {', '.join(KINDS)}",
        found=found,
        hint="a Bedrock job's metrics are the events of fine_tuning.jobs.list_events as JSON, or "
        f"{NOVA_CSV} in the {ARCHIVE} of the job",
    )
