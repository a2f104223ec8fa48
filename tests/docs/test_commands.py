"""Every `rft` command of the README and of the rooms' READMEs, as it is copied from there.

Each runs in a folder that holds what it names, made up and small. Those that train, go on until
they are stopped or fetch a model are only read as far as their arguments here; where each of them
is run stands beside it.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main, parser
from bedrock_rft_sim.contract.events import metrics_event
from bedrock_rft_sim.data import plan, problems
from bedrock_rft_sim.recipe import load_recipe
from tests.data.prepare.test_logs import entry
from tests.run_folders import group, metric_line, write_run

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", *sorted((ROOT / "sim/bedrock_rft_sim").glob("*/README.md"))]
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
READ_ONLY = {
    "run": "trains: tests/docs/test_readme.py and tests/train/test_rehearsal.py",
    "sweep": "trains: tests/sweep/test_runs.py",
    "serve": "goes on until it is stopped: tests/server/test_running.py",
    "--watch": "goes on as long as the run: tests/report/test_watch.py",
    "--measure": "trains: tests/cli/test_estimate.py",
    "HuggingFaceTB": "names a model of the Hub: tests/cli/test_init.py with one that is here",
    "chat": "asks a trained model: tests/cli/test_runs_as_things.py",
    "export": "merges a trained model: tests/cli/test_runs_as_things.py",
    "rm": "asks first: tests/cli/test_runs_as_things.py",
    "probe": "samples for a minute: tests/probe/test_command.py",
    "submit": "asks AWS: tests/cloud/test_whole_story.py and tests/cli/test_submit.py",
    "my-job": "asks AWS: tests/cloud/test_whole_story.py and tests/cloud/test_pull.py",
    "cloud": "reads a job that was pulled: tests/cloud/test_pull.py",
}


def commands() -> list[tuple[str, str]]:
    """Return a room and its command, without what is said of it; each command once."""
    found: dict[str, str] = {}
    for path in FILES:
        for block in BLOCK.findall(path.read_text(encoding="utf-8")):
            whole = block.replace("\\\n", " ")
            lines = (line.partition(" #")[0].strip() for line in whole.splitlines())
            room = path.parent.name if path.parent != ROOT else "README"
            found.update((line, room) for line in lines if line.startswith("rft "))
    return [(room, line) for line, room in found.items()]


def curve(seed: int) -> list[dict[str, Any]]:
    """Return the lines of eight steps that go up, each seed's a little otherwise."""
    draw = random.Random(seed)
    return [metric_line(step, 8, reward=step / 10 + draw.random() / 20) for step in range(1, 9)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with everything that the commands name."""
    folder = tmp_path_factory.mktemp("prepared")
    readme = FILES[0].read_text(encoding="utf-8")
    recipe = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)[0]
    small = recipe.replace("trainingData: problems ", "trainingData: problems:100 ")
    assert small != recipe
    for name in ("recipe.yaml", "my-recipe.yaml", "gsm8k.yaml"):
        (folder / name).write_text(small)
    shutil.copy(ROOT / "rewards/gsm8k.py", folder / "my_reward.py")
    (folder / "data").mkdir()
    for name, count in (("train", 120), ("validation", 8)):
        made = problems.generate(count, seed=0, split=name)
        records = [problems.to_record(each, shape="nova") for each in made]
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"data/{name}.jsonl").write_text(text)
    for name in ("train.jsonl", "rows.jsonl"):
        shutil.copy(folder / "data/train.jsonl", folder / name)
    (folder / "rows.csv").write_text("question,answer\n" + "What is 1 + 1?,2\n" * 3)
    (folder / "logs").mkdir()
    (folder / "logs/a.json.gz").write_bytes(gzip.compress(json.dumps(entry()).encode() + b"\n"))
    for name in ("FOLDER", "gsm8k"):
        (folder / name).mkdir()
        for part, count in (("train", 40), ("test", 10)):
            rows = [{"question": f"{part} {n}?", "answer": f"so\n#### {n}"} for n in range(count)]
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / name / f"{part}.jsonl").write_text(text)
    (folder / "events.json").write_text(json.dumps([metrics_event(line) for line in curve(0)]))
    row = next(plan.source_rows(load_recipe("quickstart"), "train"))
    answers = {1: group(1, row.id, [("#### 3", 1.0), ("no", 0.0)])}
    names = (
        "quickstart",
        "gsm8k",
        *(f"{each}{n}" for each in ("seed", "a", "b") for n in range(3)),
    )
    for seed, name in enumerate(names):
        run = {"prompts": ((row,), ()), "rollouts": answers, "lines": curve(seed)}
        write_run(folder / "runs", name, seed=seed, **run).close()
    return folder


def why_only_read(words: list[str]) -> str | None:
    """Return why a command is not run here; None for one that is."""
    named = {word.partition("/")[0] for word in words}
    return next((why for name, why in READ_ONLY.items() if name in named), None)


def there(word: str) -> list[str]:
    """Return what a shell makes of a word."""
    return [str(path) for path in Path().glob(word)] if "*" in word else [word]


@pytest.mark.parametrize(("room", "command"), commands())
def test_a_command_of_the_documents_does_what_they_say(
    room: str,
    command: str,
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = tmp_path / "here"
    shutil.copytree(prepared, here)
    monkeypatch.chdir(here)
    words = [each for word in shlex.split(command)[1:] for each in there(word)]
    parsed = parser().parse_args(words)
    assert callable(parsed.command)
    if why_only_read(words) is None:
        if "-o" in words:  # is written by the command
            written = here / words[words.index("-o") + 1]
            if written.is_dir():
                shutil.rmtree(written)
            else:
                written.unlink(missing_ok=True)
        code = main([*words, *(["--rows", "4"] if words[0] in ("check", "audit") else [])])
        assert code == 0, capsys.readouterr()


def test_the_documents_name_no_command_that_is_not_tried() -> None:
    assert len(commands()) > 25
    assert {room for room, _ in commands()} >= {
        "compare",
        "data",
        "grader",
        "runs",
        "server",
        "sweep",
    }
    for why in READ_ONLY.values():
        assert (ROOT / re.findall(r"tests/[\w/]+\.py", why)[0]).is_file()
