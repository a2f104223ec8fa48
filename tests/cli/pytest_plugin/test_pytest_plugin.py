"""The plugin as a user meets it: each test runs a small suite of its own.

One of each kind runs in another process; the others in this one, which has loaded it all already.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.grader.audit.checks import CHECKS

ROOT = Path(__file__).parents[3]
# The plugin is named on the command line, so that the tests do not depend on an installed package.
PLUGIN = ("-p", "bedrock_rft_sim.cli.pytest_plugin")
AGAIN = [
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # the plugin was imported before
    *("-p", "no:cacheprovider", "-p", "no:faulthandler"),
    *("-p", "no:threadexception", "-p", "no:unraisableexception"),
]
"""Options of a session inside another one's."""
THREE_LINES = "def test_my_reward(rft_check):\n    rft_check()\n"
SUBSTRING = """
def lambda_handler(event, context):
    return [
        {
            "id": sample["id"],
            "aggregate_reward_score": 2.0 * (
                sample["reference_answer"]["final_answer"] in sample["messages"][-1]["content"]
            ),
        }
        for sample in event
    ]
"""
FIXTURES = """
from bedrock_rft_sim.grader import Sample

def test_fixtures(rft_grader, rft_rows):
    turn = {"role": "assistant", "content": "#### 3"}
    row = rft_rows[0]
    sample = Sample(row.id, [*row.messages, turn], row.reference_answer, row.extra)
    assert len(rft_rows) == 12
    assert rft_grader.grade([sample]).grades[0].score == 1.0
"""

Suite = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path, write_rows: Callable[..., Path]) -> Path:
    """Return a folder with 12 rows, where pytest finds no settings of ours."""
    write_rows(12)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@pytest.fixture
def suite(project: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """Return a function that runs pytest over `test_it.py` in this process."""

    def run(
        *options: str, source: str = THREE_LINES, folder: Path = project
    ) -> subprocess.CompletedProcess[str]:
        (project / "test_it.py").write_text(source)
        out, err = io.StringIO(), io.StringIO()
        modules = set(sys.modules)
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.resetwarnings()
            patch.chdir(folder)
            patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            patch.setenv("COLUMNS", "200")
            patch.setattr(sys, "path", [*sys.path])
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = pytest.main([*PLUGIN, *AGAIN, "-rA", *options])
        for name in set(sys.modules) - modules:
            if name.startswith("test_"):
                del sys.modules[name]
        return subprocess.CompletedProcess(options, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def suite_apart(project: Path) -> Suite:
    """Return a function that runs pytest over `test_it.py` in a clean process."""

    def run(
        *options: str, source: str = THREE_LINES, folder: Path = project
    ) -> subprocess.CompletedProcess[str]:
        (project / "test_it.py").write_text(source)
        path = os.pathsep.join([str(ROOT / "sim"), os.environ.get("PYTHONPATH", "")])
        alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path, "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", "pytest", *PLUGIN, "-rA", "-p", "no:cacheprovider", *options],
            cwd=folder,
            env={**os.environ, **alone},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def outcomes(done: subprocess.CompletedProcess[str]) -> Mapping[str, str]:
    """Return the outcome of each check's test by the check's name."""
    lines = re.findall(r"^([A-Z]+) test_it\.py::test_my_reward\[(\S+)\]", done.stdout, re.MULTILINE)
    return {name: outcome for outcome, name in lines}


def test_a_test_of_three_lines_runs_once_per_check(suite_apart: Suite) -> None:
    done = suite_apart("--rft-reward", "gsm8k", "--rft-data", "rows.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done) == {check.name: "PASSED" for check in CHECKS}


def test_a_broken_law_fails_its_own_check_with_the_event_that_shows_it(
    suite: Suite, tmp_path: Path
) -> None:
    (tmp_path / "substring.py").write_text(SUBSTRING)
    given = ("--rft-reward", "./substring.py", "--rft-data", "rows.jsonl")
    done = suite(*given, "--rft-waive", "many-candidates=the prompt asks for a list")
    assert done.returncode == 1
    found = outcomes(done)
    assert found["hidden-answer"] == found["all-numbers"] == "FAILED"
    assert found["many-candidates"] == "XFAIL"
    assert found["reference"] == found["empty"] == "PASSED"
    assert "remedy: compare the answer's final value" in done.stdout
    [event] = json.loads(re.findall(r"^\[\n.*?^\]$", done.stdout, re.MULTILINE | re.DOTALL)[0])
    assert event["messages"][-1]["role"] == "assistant"
    assert "RewardWarning: range: scores stay between -1 and 1" in done.stdout
    assert "pytest_plugin.py" not in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rft-profile", "middle"), "expected metadata, root, both, found 'middle'"),
        (("--rft-json", "none/x.json"), "there is no folder"),
        (("--rft-waive", "hiden-answer=x"), "did you mean hidden-answer?"),
    ],
)
def test_a_wrong_option_is_one_usage_error(
    options: tuple[str, ...], message: str, suite: Suite
) -> None:
    done = suite(*options)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stderr
    assert done.stderr.count("ERROR") == 1
    assert "Traceback" not in done.stderr + done.stdout


BESIDE = THREE_LINES + "def test_other():\n    pass\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--rft-reward, rft_reward in the ini file, or reward in @pytest.mark.rft: a test"),
        (("--rft-reward", "gsm8k"), "--rft-data, rft_data in the ini file, or data in @pytest"),
        (("--rft-reward", "gsm9k", "--rft-data", "rows.jsonl"), "did you mean gsm8k?"),
        (("--rft-reward", "./none.py", "--rft-data", "rows.jsonl"), "there is no reward"),
        (("--rft-reward", "gsm8k", "--rft-data", "none.jsonl"), "none.jsonl"),
        (
            ("--rft-reward", "gsm8k", "--rft-data", "rows.jsonl", "--rft-replies", "none.jsonl"),
            "none.jsonl",
        ),
    ],
)
def test_a_wrong_or_missing_reward_fails_the_tests_that_use_it_and_no_other(
    options: tuple[str, ...], message: str, suite: Suite
) -> None:
    done = suite(*options, source=BESIDE)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert message in done.stdout
    assert f"1 passed, {len(CHECKS)} error" in done.stdout
    assert "Traceback" not in done.stderr + done.stdout
    assert "sim/" not in done.stdout


MARKED = """
import pytest

@pytest.mark.rft(reward="../substring.py", data="../rows.jsonl", waive={"hidden-answer": "known"})
def test_mine(rft_check):
    rft_check()

@pytest.mark.rft(reward="gsm8k", data="../rows.jsonl")
class TestGsm8k:
    def test_shipped(self, rft_check):
        rft_check()

    def test_rows(self, rft_rows, rft_report):
        assert len(rft_rows) == 12
        assert rft_report.ok

@pytest.mark.rft(reward="../none.py", data="../rows.jsonl")
def test_none(rft_grader):
    pass

@pytest.mark.rft(rewrad="gsm8k")
def test_misspelt(rft_rows):
    pass

@pytest.mark.rft(profile="middle", data="../rows.jsonl")
def test_middle(rft_rows):
    pass

@pytest.mark.rft("gsm8k")
def test_positional(rft_rows):
    pass

@pytest.mark.rft(waive="hidden-answer")
def test_waivers(rft_rows):
    pass

def test_unmarked():
    pass
"""


def test_a_mark_takes_reward_and_data_so_that_one_suite_holds_several(
    suite: Suite, tmp_path: Path
) -> None:
    (tmp_path / "substring.py").write_text(SUBSTRING)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "test_marked.py").write_text(MARKED)
    wanted = (
        "hidden-answer or rows or none or misspelt or middle or positional or waivers or unmarked"
    )
    options = ("inner", "--strict-markers", "--rft-json", "audit.json", "-k", wanted)
    done = suite(*options, source="")
    lines = re.findall(r"^([A-Z]+) inner/test_marked\.py::(\S+)", done.stdout, re.MULTILINE)
    assert {name: outcome for outcome, name in lines} == {
        "test_mine[substring.py-hidden-answer]": "XFAIL",
        "TestGsm8k::test_shipped[gsm8k-hidden-answer]": "PASSED",
        "TestGsm8k::test_rows[gsm8k]": "PASSED",
        "test_none[none.py]": "ERROR",
        "test_misspelt[reward]": "ERROR",
        "test_middle[reward]": "ERROR",
        "test_positional[reward]": "ERROR",
        "test_waivers[reward]": "ERROR",
        "test_unmarked": "PASSED",
    }
    for words in (
        f"there is no reward {tmp_path}",
        "found rewrad='gsm8k'",
        "profile: expected metadata, root, both, found 'middle'",
        "found 'gsm8k'",
        "found waive='hidden-answer'",
    ):
        assert words in done.stdout
    summary = json.loads((tmp_path / "audit.json").read_text())
    assert (summary["reward"], summary["audit"]) == (None, None)
    audited = {Path(each["reward"]).name: each["audit"]["profile"] for each in summary["marked"]}
    assert audited == {"substring.py": "both", "gsm8k": "both"}


def test_the_ini_file_s_paths_count_from_the_ini_file(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "substring.py").write_text(SUBSTRING)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nrft_reward = ./substring.py\nrft_data = rows.jsonl\nrft_profile = root\n"
        "rft_waive =\n    hidden-answer=known\n"
    )
    options = ("..", "-k", "hidden-answer", "--rft-json", "audit.json")
    done = suite(*options, folder=tmp_path / "inside")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "inside" / "audit.json").read_text())
    assert summary["reward"] == str(tmp_path / "substring.py")
    assert summary["data"] == str(tmp_path / "rows.jsonl")
    assert summary["profile"] == summary["audit"]["profile"] == "root"
    by_name = {check["name"]: check["status"] for check in summary["audit"]["checks"]}
    assert by_name["hidden-answer"] == "waived"


def test_the_fixtures_give_a_grader_and_the_rows(suite: Suite, tmp_path: Path) -> None:
    options = ("--rft-reward", "gsm8k", "--rft-data", "rows.jsonl", "--rft-json", "audit.json")
    done = suite(*options, source=FIXTURES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "audit.json").read_text())["audit"] is None


@pytest.mark.slow
def test_it_works_under_xdist_and_writes_one_summary(suite_apart: Suite, tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    given = ("--rft-reward", "gsm8k", "--rft-data", "rows.jsonl", "--rft-json", "audit.json")
    shared = ("-p", "xdist", "-n", "2", "--dist", "loadgroup")
    done = suite_apart(*given, *shared, source=FIXTURES + THREE_LINES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CHECKS) + 1} passed" in done.stdout
    checks = json.loads((tmp_path / "audit.json").read_text())["audit"]["checks"]
    assert [check["name"] for check in checks] == [check.name for check in CHECKS]


@pytest.mark.slow
def test_a_missing_option_under_xdist_fails_the_tests_in_one_line_each(suite_apart: Suite) -> None:
    pytest.importorskip("xdist")
    done = suite_apart("-p", "xdist", "-n", "1", "-k", "reference")
    assert done.returncode == 1
    assert "a test grades with a reward, and none is named" in done.stdout
    assert "INTERNALERROR" not in done.stdout


@pytest.mark.parametrize(
    ("reward", "rows", "message"),
    [
        ("import no_such_module\n", None, "No module named 'no_such_module'"),
        (SUBSTRING, '{"id": "a"}\n', "rows.jsonl:1"),
    ],
)
def test_what_can_not_be_audited_fails_with_one_message_and_no_traceback(
    reward: str, rows: str | None, message: str, suite: Suite, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(reward)
    if rows is not None:
        (tmp_path / "rows.jsonl").write_text(rows)
    done = suite("--rft-reward", "./mine.py", "--rft-data", "rows.jsonl", "-k", "reference")
    assert done.returncode == 1
    assert message in done.stdout
    assert "sim/" not in done.stdout


COLLECT = """
import json, sys, pytest
pytest.main([*{options!r}, "--collect-only", "-q"])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def loaded(folder: Path, *options: str, source: str) -> set[str]:
    """Return what is imported once a suite of this test is collected."""
    (folder / "test_it.py").write_text(source)
    script = COLLECT.format(options=[*PLUGIN, *options])
    environment: dict[str, Any] = {
        **os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT / "sim")
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "error" not in done.stdout
    return set(json.loads(done.stderr))


def test_a_suite_that_does_not_use_it_loads_nothing_of_it(tmp_path: Path) -> None:
    modules = loaded(tmp_path, source="def test_other(): pass\n")
    assert {name for name in modules if name.split(".")[0] in ("bedrock_rft_sim", "rewards")} == {
        "bedrock_rft_sim",
        "bedrock_rft_sim.cli",
        "bedrock_rft_sim.cli.pytest_plugin",
        "bedrock_rft_sim.contract",
        "bedrock_rft_sim.contract.payload_profiles",
        "bedrock_rft_sim.errors",
    }


def test_collecting_the_checks_loads_no_heavy_library(
    tmp_path: Path, write_rows: Callable[..., Path]
) -> None:
    rows = write_rows(2)
    options = ("--rft-reward", "gsm8k", "--rft-data", str(rows))
    modules = loaded(tmp_path, *options, source=THREE_LINES)
    heavy = {"torch", "numpy", "botocore", "boto3", "transformers", "trl", "datasets", "matplotlib"}
    assert "bedrock_rft_sim.grader.audit.checks" in modules
    assert heavy & modules == set()
