"""`rft audit` as a user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.cli.progress import Progress

HIDDEN = """
def lambda_handler(event, context):
    def score(s):
        return float(s["reference_answer"]["final_answer"] in s["messages"][-1]["content"])
    return [{"id": s["id"], "aggregate_reward_score": score(s)} for s in event]
"""


@pytest.fixture
def careless(tmp_path: Path) -> Path:
    """Return a reward that takes any text that holds the answer."""
    path = tmp_path / "careless.py"
    path.write_text(HIDDEN)
    return path


def audit(reward: object, data: Path, *options: str) -> int:
    return main(["audit", str(reward), "--data", str(data), *options])


def test_a_sound_reward_passes_and_every_check_is_listed(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("gsm8k", write_rows(20)) == 0
    printed = capsys.readouterr()
    # The rows are sums of two numbers, which a script solves without the reference.
    assert "warning floor: " in printed.out
    assert "verdict  passes: 0 errors, 1 warnings, 0 waived" in printed.out
    assert "ok         containers" in printed.out
    assert "planned: at most" in printed.out
    assert "rft: " not in printed.err


def test_the_floor_is_printed_and_in_the_json(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("gsm8k", write_rows(20), "--rows", "8") == 0
    printed = capsys.readouterr().out
    assert " of 1, earned without the reference by " in printed
    assert "the best of 16 strategies on 8 rows" in printed
    assert audit("gsm8k", write_rows(20), "--rows", "8", "--json") == 0
    floor = json.loads(capsys.readouterr().out)["floor"]
    assert f"floor    {floor['score']:.3f} of 1, " in printed
    assert floor["strategy"] in printed


def test_a_careless_reward_fails_with_finding_and_remedy(
    careless: Path, write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(careless, write_rows(20)) == 1
    printed = capsys.readouterr().out
    assert "FAIL       hidden-answer" in printed
    assert "error   hidden-answer: 20 of 20 answers earn the top score (1)" in printed
    assert "remedy: compare the answer's final value" in printed
    assert "--evidence prints the smallest event" in printed
    assert "verdict  does not pass" in printed


def test_evidence_is_an_event_that_can_be_pasted(
    careless: Path, write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(careless, write_rows(5), "--evidence") == 1
    printed = capsys.readouterr().out
    start = printed.index("[\n", printed.index("hidden-answer: "))
    (sample,), _ = json.JSONDecoder().raw_decode(printed[start:])
    assert sample["messages"][-1]["role"] == "assistant"


def test_json_holds_the_whole_report(
    careless: Path, write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(careless, write_rows(5), "--json", "--rows", "3", "--profile", "root") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["profile"], report["plan"]["rows"]) == (False, "root", 3)
    assert any(finding["evidence"] for finding in report["findings"])


def test_waivers_are_printed_and_let_the_reward_pass(
    careless: Path, write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_rows(5)
    assert audit(careless, data, "--json") == 1
    failed = {
        finding["check"]
        for finding in json.loads(capsys.readouterr().out)["findings"]
        if finding["severity"] == "error"
    }
    waived = [part for name in failed for part in ("--waive", f"{name}=only a prototype")]
    assert audit(careless, data, *waived) == 0
    printed = capsys.readouterr().out
    assert "waived because: only a prototype" in printed
    assert f"0 errors, 1 warnings, {len(failed)} waived" in printed


def test_replies_and_saved_answers_come_from_jsonl(
    write_rows: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_rows(4)
    replies, answers = tmp_path / "replies.jsonl", tmp_path / "answers.jsonl"
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    truths = [(row["id"], row["reference_answer"]["final_answer"]) for row in rows]
    replies.write_text(
        "".join(json.dumps({"id": i, "answer": f"#### {n}"}) + "\n" for i, n in truths)
    )
    answers.write_text("".join(json.dumps({"id": i, "answer": "no"}) + "\n" for i, _ in truths * 3))
    options = ("--replies", str(replies), "--answers", str(answers))
    assert audit("gsm8k", data, *options) == 1
    assert "all 12 saved answers score 0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('{"id": "a"}\n', "an answer can't be read"),
        (
            '{"id": "a", "answer": "1"}\n{"id": "a", "answer": "2"}\n',
            "two good replies for one row",
        ),
        ('{"id": "zzz", "answer": "1"}\n', "no reply belongs to any row"),
        ("", "holds no record"),
    ],
)
def test_replies_that_can_not_be_used_are_one_message(
    lines: str,
    words: str,
    write_rows: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    replies = tmp_path / "replies.jsonl"
    replies.write_text(lines)
    assert audit("gsm8k", write_rows(4), "--replies", str(replies)) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed


def test_a_waiver_of_no_check_names_the_nearest(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("gsm8k", write_rows(4), "--waive", "hiden-answer=x") == 2
    assert "did you mean hidden-answer?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--waive", "empty"], ["--rows", "0"], ["--timeout", "1801"], ["--env", "KEY"]]
)
def test_an_option_out_of_bounds_is_a_usage_error(
    options: list[str], write_rows: Callable[..., Path]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        audit("gsm8k", write_rows(1), *options)
    assert exit_.value.code == 2


def test_an_unknown_reward_is_one_message(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("gsm9k", write_rows(1)) == 2
    assert "did you mean gsm8k?" in capsys.readouterr().err


def test_progress_is_told_the_plan_and_each_stage(
    write_rows: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Progress, "doing", lambda _self, stage: told.append(stage.what))
    assert audit("gsm8k", write_rows(20), "--rows", "8") == 0
    assert any(words.startswith("audit: at most") for words in told)
    assert any(
        words.endswith("answers, now answers that never saw the reference") for words in told
    )


def test_a_handler_s_control_characters_do_not_reach_the_terminal(
    tmp_path: Path, write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    reward = tmp_path / "loud.py"
    reward.write_text("def lambda_handler(event, context):\n    raise ValueError('\\x1b[2J')\n")
    assert audit(reward, write_rows(2)) == 1
    assert "\x1b" not in capsys.readouterr().out
