"""`rft ls`, `rm`, `diff`, `chat` and `export` as a user meets them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main, terminal
from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER
from bedrock_rft_sim.recipe import load_recipe
from bedrock_rft_sim.runs import Run, RunFolder
from tests.run_folders import metric_line, write_run

Make = Callable[..., RunFolder]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function that writes a run under runs/, in the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, *sets: str, **record: object) -> RunFolder:
        lines = [metric_line(step, 3, reward=step / 4) for step in (1, 2, 3)]
        recipe = load_recipe("quickstart", sets=sets)
        fields = {"steps": {"total": 3}, "started": "2026-11-23T03:00:00+00:00", **record}
        with write_run("runs", name, recipe=recipe, lines=lines, **fields) as folder:
            return folder

    return write


@pytest.fixture
def tuned(run: Make) -> RunFolder:
    """Return a run whose model is the embedded one with adapters, as training leaves it."""
    from peft import LoraConfig, get_peft_model

    from bedrock_rft_sim.engine.load import load_tokenizer, load_whole, tokenizer_source

    folder = run("quickstart", data_hash="abc")
    model = load_whole("tiny")
    model.config._name_or_path = model.name_or_path = str(EMBEDDED_FOLDER)
    adapted = get_peft_model(model, LoraConfig(target_modules="all-linear"))
    adapted.save_pretrained(folder.model)
    load_tokenizer(tokenizer_source("tiny")).save_pretrained(folder.model)
    return folder


def umask() -> int:
    """Return the umask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_ls_lists_runs_and_says_where_there_are_none(
    run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ls"]) == 0
    assert "no runs under runs; `rft run quickstart` makes one" in capsys.readouterr().out
    run("a")
    assert main(["ls"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "STATUS", "MODEL", "STEPS", "REWARD", "AGE", "SIZE"]
    assert row.split()[:4] == ["a", "Completed", "tiny", "3/3"]
    assert "0.250 -> 0.750" in row
    assert row.endswith("kB")
    assert main(["ls", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["name"], found["reward_last"]) == ("a", 0.75)


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize(
    "words",
    [["ls"], ["compare", "a", "--with", "b"], ["report", "a", "--text"], ["diff", "a", "b"]],
    ids=" ".join,
)
def test_a_terminal_gets_rows_that_fit_with_every_word_of_the_wide_ones(
    words: list[str],
    width: int,
    run: Make,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("a", data_hash="0" * 20)
    run("b", "local.seed=7", data_hash="1" * 20)
    assert main(words) == 0
    wide = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(terminal, "columns", lambda _: width)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(words) == 0
    narrow = capsys.readouterr().out
    rows = [row for row in narrow.splitlines() if len(row.split()) > 1]  # a path stays whole
    assert max(map(len, rows)) <= width
    assert set(wide.split()) - {"NAME"} <= set(narrow.split())  # a block begins with its name


def test_latest_says_which_run_it_is_wherever_a_run_is_named(
    run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    run("a")
    run("b", "local.seed=7")
    for words in (["report", "latest"], ["compare", "latest", "--with", "a"],
                  ["diff", "latest", "a"], ["check", "quickstart", "--measured", "latest"],
                  ["grade", "latest", "--reward", "gsm8k"], ["export", "latest"],
                  ["chat", "latest", "--prompt", "x"], ["rm", "latest", "--yes"]):  # fmt: skip
        main(words)
        assert "latest is runs/b\n" in capsys.readouterr().err, words
    assert not Path("runs/b").exists()
    Path("runs/latest").unlink(missing_ok=True)  # as on a disk without links
    assert main(["report", "latest", "--text"]) == 0
    assert "latest is runs/a\n" in capsys.readouterr().err


def test_report_opens_the_page_it_wrote(run: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, opened = run("a"), []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert main(["report", "a", "--text", "--open"]) == 0
    assert opened == [folder.report.resolve().as_uri()]
    assert folder.report.is_file()


@pytest.mark.parametrize(("answer", "left"), [("y\n", []), ("\n", ["a"]), ("", ["a"])])
def test_rm_asks_first(
    answer: str,
    left: list[str],
    run: Make,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("a")
    keyboard = io.StringIO(answer)
    keyboard.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", keyboard)
    assert main(["rm", "a"]) == (1 if left else 0)
    assert "(Completed, step 3, " in capsys.readouterr().err
    assert [path.name for path in Path("runs").glob("a")] == left


def test_rm_without_anybody_to_ask_needs_yes(
    run: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run("a")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["rm", "a"]) == 2
    assert "--yes, or a terminal" in capsys.readouterr().err
    assert folder.path.is_dir()
    folder.record.write_text("{")  # a damaged run can be removed as well
    assert main(["rm", "a", "--yes"]) == 0
    assert f"removed {folder.path.resolve()}" in capsys.readouterr().out
    assert not folder.path.exists()
    assert main(["rm", "a", "--yes"]) == 1
    assert "there is no run of this name" in capsys.readouterr().err


def test_diff_groups_what_differs(run: Make, capsys: pytest.CaptureFixture[str]) -> None:
    run("a", data_hash="1")
    run("b", "local.seed=7", data_hash="2")
    assert main(["diff", "a", "b"]) == 0
    printed = capsys.readouterr().out
    assert "recipe\n  seed       0 | 7\ndata\n  data_hash  1 | 2\n" in printed
    assert main(["diff", "a", "a"]) == 0
    assert "nothing differs" in capsys.readouterr().out
    assert main(["diff", "a", "b", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["differences"]
    assert found[0] == {"of": "recipe", "name": "seed", "a": 0, "b": 7}


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft's own
def test_chat_shows_both_models_and_export_writes_an_ordinary_one(
    tuned: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--max-tokens", "6"]
    assert main(["chat", "quickstart", "--prompt", "What is 2 plus 3?", *few, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert answers["base"] == answers["tuned"] != ""  # untrained adapters change nothing
    monkeypatch.setattr("sys.stdin", io.StringIO("What is 2 plus 3?\n\n"))
    assert main(["chat", "quickstart", *few]) == 0
    printed = capsys.readouterr()
    assert " | tuned" in printed.out
    assert "no further validation prompt" in printed.err
    assert "you>" not in printed.err  # nobody types

    assert main(["export", "quickstart", "-o", "out"]) == 0
    assert not list(Path("out").glob("adapter*"))
    card = Path("out/README.md").read_text()
    assert "jobName: quickstart" in card
    assert "## Verdict" in card
    assert "data_hash: `abc`" in card
    assert 'base_model: "tiny"' in card
    assert str(Path.cwd()) not in card
    assert str(EMBEDDED_FOLDER) not in card
    modes = {path.name: path.stat().st_mode & 0o777 for path in Path("out").iterdir()}
    assert set(modes.values()) == {0o666 & ~umask()}, modes
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained("out")
    assert type(model).__name__.endswith("ForCausalLM")
    assert AutoTokenizer.from_pretrained("out").chat_template
    assert main(["export", "quickstart", "-o", "out"]) == 1
    assert "something is there already" in capsys.readouterr().err


def test_the_base_model_of_a_run_is_found_from_any_folder(run: Make) -> None:
    from bedrock_rft_sim.engine.load import models_of_run

    beside = run("a", "local.model=./my-model", model="/where/the/recipe/stands/my-model")
    beside.model.mkdir()
    assert models_of_run(Run.open(beside.path))[0] == "/where/the/recipe/stands/my-model"
    older = run("b")
    older.model.mkdir()
    assert models_of_run(Run.open(older.path))[0] == "tiny"


def test_a_run_without_a_model_can_be_neither_asked_nor_exported(
    run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    run("a")
    assert main(["export", "a"]) == 1
    assert "this run has no model yet" in capsys.readouterr().err
    assert main(["chat", "a", "--prompt", "x"]) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_verbs_options_and_recipes(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert ("bashcompinit" in script) == (shell == "zsh")
    assert "complete -o default -F _rft rft" in script
    assert "--ledger" in script
    assert "quickstart" in script


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["rft", "exp"], {"export"}),
        (["rft", "check", "--led"], {"--ledger"}),
        (["rft", "run", "quick"], {"quickstart"}),
        (["rft", "data", "gs"], {"gsm8k"}),
        (["rft", "report", "myr"], {"myrun"}),
        (["rft", "audit", "gsm"], {"gsm8k"}),
    ],
)
def test_bash_completes(
    words: list[str], offered: set[str], run: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil
    import subprocess

    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    run("myrun")
    main(["completion", "bash"])
    script = capsys.readouterr().out
    asked = f"COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _rft; "
    asked += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run([bash, "-c", script + asked], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered
