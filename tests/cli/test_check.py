"""`rft check` on the reward: the audit in short form, the table of profiles, the way past it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.data import problems

READS_TEXT = 'truth = s["reference_answer"]["text"]'
CALLS_GET = 'truth = s["reference_answer"].get("final_answer")'
HANDLER = """
def score(s):
    {line}
    return float(s["messages"][-1]["content"].endswith(truth.rpartition("####")[2].strip()))

def lambda_handler(event, context):
    return [{{"id": s["id"], "aggregate_reward_score": score(s)}} for s in event]
"""


@pytest.fixture
def plain_strings(tmp_path: Path) -> Path:
    """Return a file of 300 records whose reference is a plain string."""
    path = tmp_path / "plain.jsonl"
    made = problems.generate(300, seed=1)
    records = [problems.to_record(problem, shape="open-weight") for problem in made]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def check(reward: object, data: Path | None = None, *options: str) -> int:
    sets = [f"local.reward={reward}"]
    if data is not None:
        sets += [f"local.trainingData={data}", f"local.validationData={data}"]
    given = [part for each in sets for part in ("--set", each)]
    return main(["check", "quickstart", *given, *options])


@pytest.mark.parametrize(
    ("line", "error"),
    [(READS_TEXT, "TypeError: string indices"), (CALLS_GET, "'str' object has no attribute 'get'")],
)
def test_a_grader_that_takes_a_string_for_an_object_is_caught_with_the_table(
    line: str,
    error: str,
    plain_strings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reward = tmp_path / "reward.py"
    reward.write_text(HANDLER.format(line=line))
    assert check(reward, plain_strings) == 1
    printed = capsys.readouterr().out
    for profile in ("both", "metadata", "root"):
        assert f"FAIL {profile:9} 0 of 300" in printed
    assert "300 x raises" in printed
    assert error in printed
    assert "FAIL       references: reference FAIL" in printed
    assert "not ready: the audit of the reward found errors" in printed


def test_the_audit_is_a_line_per_group_and_its_findings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "quickstart"]) == 0
    printed = capsys.readouterr().out
    for group in ("references", "wrong answers", "hackability", "floor", "containers"):
        assert f"  ok         {group}: " in printed
    assert "  ok         floor: no strategy that " in printed  # what it demands, not its name again
    assert "note    binary" in printed
    assert "strategies on 32 rows" in printed
    assert "the run: 6,528 answers in 102 invocations" in printed


def test_no_audit_only_grades_the_good_replies(
    tmp_path: Path, write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    reward = tmp_path / "constant.py"
    reward.write_text(
        "def lambda_handler(event, context):\n"
        "    return [{'id': s['id'], 'aggregate_reward_score': 1.0} for s in event]\n"
    )
    data = write_rows(100)
    assert check(reward, data) == 1
    assert "error   constant" in capsys.readouterr().out
    assert check(reward, data, "--no-audit", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["audit"] is None
    assert all(result["ok"] for result in found["reward"])


def test_waivers_rows_and_evidence_are_options_of_check_too(
    tmp_path: Path, write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    reward = tmp_path / "pays_for_silence.py"
    reward.write_text(
        "def lambda_handler(event, context):\n"
        "    def score(s):\n"
        "        text = s['messages'][-1]['content']\n"
        "        truth = s['reference_answer']['final_answer']\n"
        "        return float(not text.strip() or text.splitlines()[-1] == f'#### {truth}')\n"
        "    return [{'id': s['id'], 'aggregate_reward_score': score(s)} for s in event]\n"
    )
    options = ("--rows", "8", "--evidence")
    data = write_rows(100)
    assert check(reward, data, *options) == 1
    printed = capsys.readouterr().out
    assert "8 of 100 good replies" in printed
    assert '"content": ""' in printed
    assert check(reward, data, *options, "--waive", "empty=silence is gold") == 0
    assert "waived because: silence is gold" in capsys.readouterr().out


def test_a_reward_with_credentials_is_audited_with_few_rows(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_rows(100)
    assert check("gsm8k", data, "--json", "--set", "local.lambda.passAwsCredentials=true") == 0
    plan = json.loads(capsys.readouterr().out)["audit"]["plan"]
    assert (plan["rows"], plan["subjects"]) == (8, 8)


def test_check_names_the_starting_points_that_a_recipe_leaves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    high = "customizationConfig.rftConfig.hyperParameters.learningRate=1e-3"
    assert main(["check", "quickstart", "--no-audit", "--set", high]) == 0
    printed = capsys.readouterr().out
    assert "learningRate 0.001: 0.0001 is a good start for the LoRA" in printed
    assert "batchSize 16: 128 works well" not in printed  # kept, so not told


@pytest.mark.parametrize(("long", "code"), [(50, 0), (51, 1)])
def test_data_most_of_which_would_be_left_out_is_not_ready(
    long: int, code: int, write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_rows(100)
    records = [json.loads(line) for line in data.read_text().splitlines()]
    for record in records[:long]:
        record["messages"][0]["content"] += " x" * 80
    data.write_text("".join(json.dumps(record) + "\n" for record in records))
    limit = ("--set", "local.overrides.maxPromptLength=64", "--no-audit")
    assert check("gsm8k", data, *limit) == code
    verdict = capsys.readouterr().out.strip().splitlines()[-1]
    words = "most of the data would not be trained on (51 of 100 prompts are longer than 64 tokens"
    assert (words in verdict) == bool(code)


def test_what_was_seen_is_told_although_the_starting_point_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    share = {"value": 0.03, "low": 0.0, "high": 0.1, "method": "m"}
    path = tmp_path / "p.json"
    probe = {"model": "tiny", "is_local": True, "max_tokens": 96, "lengths": None}
    probe |= {"grader_seconds": None, "mixed_groups": {"8": share}}
    path.write_text(json.dumps(probe))
    options = ["--set", "customizationConfig.rftConfig.hyperParameters.maxPromptLength=512"]
    assert main(["check", "quickstart", "--no-audit", "--measured", str(path), *options]) == 0
    printed = capsys.readouterr().out
    assert "starting points kept, 0 not" in printed
    assert "Seen: probe p.json of tiny: 3.0 % of groups of 8 are mixed" in printed
    assert "batchSize 16: 128 works well" not in printed  # kept, and nothing seen of it


def test_check_tells_every_starting_point_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "quickstart", "--no-audit", "--advice"]) == 0
    assert "batchSize 16: 128 works well" in capsys.readouterr().out


def test_check_estimates_what_the_job_will_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "quickstart", "--no-audit", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["estimate"]["job"]["steps"]["total"] == found["steps"]["total"]
    assert {remark["knob"] for remark in found["guidance"]} >= {"batchSize", "learningRate"}


def test_a_model_that_does_not_fit_the_recipe_fails_the_check_and_says_why(
    small_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Path(shutil.copytree(small_model("llama"), tmp_path / "model"))
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings["eos_token"] = "<|endoftext|>"
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    (model / "generation_config.json").write_text(json.dumps({"eos_token_id": 0}))
    sets = [f"local.model={model}", "local.trainingData=problems:200"]
    given = [part for each in sets for part in ("--set", each)]
    assert main(["check", "quickstart", "--no-audit", *given]) == 1
    printed = capsys.readouterr().out
    assert "problem: The chat template ends a turn with '<|im_end|>'" in printed
    assert "not ready: most of the data would not be trained on" in printed
    assert "; the model does not fit the recipe (see above)" in printed


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("local.dtype=float16", "float16 needs a CUDA device"),
        ("local.reportTo=[azure_ml]", "the tracker azure_ml is not installed"),
        ("local.reportTo=[azureml]", "unusable value local.reportTo"),
        ("local.training.temperature=1e-40", "unusable value local.training.temperature"),
    ],
)
def test_what_a_run_would_refuse_is_refused_before_it(
    given: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["--set", given, "--set", "local.device=cpu"]
    assert main(["check", "quickstart", "--no-audit", *sets]) == 2
    assert word in capsys.readouterr().err


def test_a_request_whose_data_make_no_step_is_said_in_estimate_and_verdict(
    plain_strings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hyper = "customizationConfig.rftConfig.hyperParameters.batchSize=512"
    sets = ("--set", hyper, "--set", "local.overrides.batchSize=16")
    check("gsm8k", plain_strings, *sets, "--no-audit")
    printed = capsys.readouterr().out
    words = "the data make not one step of the request's batch size, 512"
    assert f"estimate no job: {words}" in printed
    assert f"Bedrock would accept the request; but {words}" in printed
