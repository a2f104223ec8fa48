"""`rft data gsm8k`, `from`, `logs` and `check` as a user meets them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.cli import main

QUESTION = {"question": "How many are 3 and 4?", "answer": "3+4=<<3+4=7>>7\n#### 7"}
RECORD = {"id": "a", "messages": [{"role": "user", "content": "x"}], "reference_answer": "7"}
LOG = {
    "schemaType": "ModelInvocationLog",
    "requestId": "r",
    "operation": "InvokeModel",
    "input": {"inputBodyJson": {"prompt": "How many?"}},
    "requestMetadata": {"project": "math"},
}
MALFORMED: dict[str, bytes] = {
    "not UTF-8": b'{"a": "\xff"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a blank line": b"",
    "a NUL byte": b'{"a": "\x00"}',
    "the key 'a' twice": b'{"a": 1, "a": 2}',
    "nested too deeply": b'{"a": ' + b"[" * 100_000,
    "too long": b'{"a": "' + b"x" * 10_000_000 + b'"}',
    "not JSON": b'{"a": ',
}


def rft(*words: object) -> int:
    return main(["data", *map(str, words)])


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with files like the official ones."""
    made = tmp_path / "gsm8k"
    made.mkdir()
    for name in ("train", "test"):
        write(made / f"{name}.jsonl", [QUESTION] * 120)
    return made


def test_each_operation_ends_with_the_next_command_and_the_last_makes_a_recipe(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def last(*words: object) -> str:
        assert rft(*words) == 0
        return capsys.readouterr().out.splitlines()[-1].strip()

    out, rows = tmp_path / "out", write(tmp_path / "rows.jsonl", [RECORD])
    train, held_out = out / "train.jsonl", out / "validation.jsonl"
    next_ = last("gsm8k", folder, "-o", out, "--shape", "nova", "--split", "80/10/10")
    assert next_ == f"rft data check {train} --validation {held_out} --validation {out}/test.jsonl"
    for words in (["augment", rows, "--paraphrase"], ["clean", rows],
                  ["split", train, "--parts", "train=1"],
                  ["balance", train, "--by", "steps", "--cap", 5],
                  ["logs", write(tmp_path / "log.jsonl", [LOG]), "--metadata", "project=math"],
                  ["from", rows, "--map", "messages=id"]):  # fmt: skip
        made = tmp_path / f"{words[0]}.jsonl"
        first = made if words[0] != "split" else f"{made}/train.jsonl"
        assert last(*words, "-o", made).startswith(f"rft data check {first}"), words
    assert last("clean", rows) == f"rft data check {rows}"
    last("gsm8k", folder, "-o", out, "--shape", "nova", "--force")  # 120 rows, of 100 demanded
    test = out / "test.jsonl"
    next_ = last("check", train, "--validation", test)
    assert next_ == f"rft init --data {train} --validation {test}"
    assert last("check", train, "--recipe", "quickstart") == "rft check quickstart"


@pytest.mark.parametrize("shape", ["nova", "open-weight"])
@pytest.mark.parametrize("split", ["official", "80/10/10"])
def test_gsm8k_then_check_passes(
    shape: str, split: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert rft("gsm8k", folder, "-o", out, "--shape", shape, "--split", split, "--json") == 0
    written = json.loads(capsys.readouterr().out)
    assert sum(each["rows"]["out"] for each in written) == (240 if split == "official" else 120)
    limits = ("--model", "tiny", "--max-prompt-length", 10)
    if split == "official":
        assert rft("check", out / "train.jsonl", out / "test.jsonl", "--model", "tiny") == 0
        printed = capsys.readouterr().out
        assert "recommended       maxPromptLength" in printed
        assert "verdict  keeps every rule that matters" in printed
        assert rft("check", out / "train.jsonl", out / "test.jsonl", *limits) == 1
        printed = capsys.readouterr().out
        assert "maxPromptLength   10: 120 prompts (100 %) would be dropped" in printed
        assert "error    prompts-left: most prompts are longer than maxPromptLength" in printed
        assert f"{out / 'train.jsonl'}: 120 of 120 prompts are longer" in printed
        assert "verdict  would be refused or can't be used: errors 2" in printed


def test_check_tells_file_lines_and_holder_of_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [{**RECORD, "id": str(number)} for number in range(120)]
    bad = [{**RECORD, "id": "x", "messages": []}, {**RECORD, "id": "0"}]
    path = write(tmp_path / "rows.jsonl", [*good, *bad])
    assert rft("check", path) == 1
    printed = capsys.readouterr().out
    assert f"{path}  122 records, 120 valid (training)" in printed
    assert f"{path}:121: []" in printed
    assert f"{path}:122: the same id on line 1" in printed
    assert "required by: service (AWS Bedrock user guide, rft-prepare-data)" in printed
    assert "name a tokenizer with --model" in printed
    assert "verdict  would be refused or can't be used: errors 2, warnings 0, notes 1" in printed


def test_check_with_a_recipe_tells_the_steps_that_result(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    train, validation = write_rows(100), write_rows(10, "validation.jsonl")
    files = (train, "--validation", validation)
    assert rft("check", *files, "--recipe", "quickstart", "--json") == 0
    first, second = json.loads(capsys.readouterr().out)["files"]
    assert first["steps"]["total"] == 100 // 16
    assert first["lengths"]["limit"] == 128
    assert first["lengths"]["dropped"] == 0
    assert second["steps"] is None
    assert rft("check", train, "--recipe", "quickstart") == 0
    assert "steps             6 an epoch, 6 in all" in capsys.readouterr().out


def test_check_holds_out_what_the_open_weight_path_does(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert rft("check", write_rows(300), "--recipe", "gsm8k-open-weight", "--json") == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["steps"]["total"] == 67
    assert file["steps"]["checkpoints"] == [20, 40, 60, 67]


def test_too_few_prompts_for_a_step_are_no_steps(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_rows(100)
    limit = ("--max-prompt-length", 1)
    assert rft("check", rows, "--recipe", "quickstart", "--json", *limit) == 1
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["lengths"]["dropped"] == 100
    assert file["steps"] is None


def test_a_limit_without_a_tokenizer_is_a_usage_error(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert rft("check", write_rows(100), "--max-prompt-length", 128) == 2
    assert "--model or --recipe beside it" in capsys.readouterr().err


def test_from_reads_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "x.csv", tmp_path / "out.jsonl"
    source.write_text("q,a\nWhat?,7\n,8\n")
    maps = ("--map", "messages=q", "--map", "reference_answer=a")
    assert rft("from", source, "-o", out, *maps, "--template", "short") == 0
    printed = capsys.readouterr().out
    assert "1 record, 1 row left out" in printed
    assert "1 x the record has no messages: line 3" in printed
    (made,) = [json.loads(line) for line in out.read_text().splitlines()]
    assert made["messages"][0]["content"] == 'What? Give the final answer after "####".'


def test_logs_takes_what_the_filter_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "log", [LOG, {**LOG, "requestId": "s", "requestMetadata": {}}])
    takes: list[tuple[tuple[str, ...], int, int]] = [
        ((), 2, 0),
        (("--metadata", "project=math"), 1, 0),
        (("--metadata", "project!=math"), 1, 0),
        (("--metadata", "project=math", "--metadata", "project!=math"), 0, 1),
        (("--metadata", "project=math", "--metadata", "project!=math", "--any"), 2, 0),
        (("--filters", '{"equals": {"project": "math"}}'), 1, 0),
    ]
    for number, (words, taken, code) in enumerate(takes):
        out = tmp_path / f"{number}.jsonl"
        assert rft("logs", source, "-o", out, *words, "--json") == code
        assert json.loads(capsys.readouterr().out)["rows"]["out"] == taken


@pytest.mark.parametrize(
    "words",
    [
        ("--filters", "{"),
        ("--filters", "null"),
        ("--filters", '{"equals": {}}'),
        ("--filters", '{"equals": {"a": "b"}}', "--metadata", "a=b"),
        ("--metadata", "a"),
    ],
)
def test_a_filter_that_can_t_be_is_a_usage_error(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rft("logs", write(tmp_path / "log", [LOG]), "-o", tmp_path / "x.jsonl", *words) == 2
    assert capsys.readouterr().err.count("rft: ") == 1
    assert not (tmp_path / "x.jsonl").exists()


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_a_count_below_one_is_a_usage_error(count: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as exit_:
        rft("gsm8k", tmp_path, "-o", tmp_path, "--shape", "nova", "--count", count)
    assert exit_.value.code == 2


@pytest.mark.parametrize("operation", ["gsm8k", "from"])
@pytest.mark.parametrize(("words", "line"), MALFORMED.items(), ids=list(MALFORMED))
def test_a_malformed_line_is_one_message_with_file_and_line_and_no_output(
    operation: str, words: str, line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = json.dumps(QUESTION).encode()
    source = tmp_path / "train.jsonl"
    at_start = line.startswith(b"\xef")
    source.write_bytes(b"\n".join([line, good] if at_start else [good, line, good]) + b"\n")
    out = tmp_path / "out"
    more = {
        "gsm8k": ("--shape", "nova", "--split", "80/10/10"),
        "from": ("--map", "messages=question"),
    }[operation]
    assert rft(operation, source, "-o", out, *more) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("rft: ") == 1
    assert words in printed.err
    assert f"train.jsonl:{1 if at_start else 2}" in printed.err
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize(("words", "line"), MALFORMED.items(), ids=list(MALFORMED))
def test_a_malformed_line_of_a_log_is_counted_and_ends_no_other(
    words: str, line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = (json.dumps({**LOG, "requestId": name}).encode() for name in "ab")
    lines = [line + first, last] if line.startswith(b"\xef") else [first, line, last]
    source = tmp_path / "log"
    source.write_bytes(b"\n".join(each.replace(b"{}{", b"{") for each in lines) + b"\n")
    assert rft("logs", source, "-o", tmp_path / "out.jsonl") == 0
    printed = capsys.readouterr().out
    harmless = words in ("a byte order mark", "a blank line")
    assert f"2 records, {'0 rows' if harmless else '1 row'} left out" in printed
    assert harmless or ": line 2" in printed


@pytest.mark.parametrize(("words", "line"), MALFORMED.items(), ids=list(MALFORMED))
def test_check_lists_a_malformed_line_and_goes_on(
    words: str, line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [json.dumps({**RECORD, "id": str(number)}).encode() for number in range(101)]
    lines = [line + good[0], *good[1:]] if line.startswith(b"\xef") else [good[0], line, *good[1:]]
    lines = [each.replace(b"{}{", b"{") for each in lines]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert rft("check", path, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["files"][0]["valid"] == 101
    (error,) = [each for each in found["findings"] if each["severity"] == "error"]
    assert error["lines"] == [1 if line.startswith(b"\xef") else 2]
    assert words in f"{error['what']} {error['found']}"


def test_a_file_is_not_replaced_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write(tmp_path / "log", [LOG]), tmp_path / "out.jsonl"
    out.write_text("precious")
    assert rft("logs", source, "-o", out) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert rft("logs", source, "-o", out, "--force") == 0


def test_a_killed_operation_leaves_no_file_that_looks_finished(tmp_path: Path) -> None:
    source, out = tmp_path / "big.csv", tmp_path / "out" / "rows.jsonl"
    with source.open("w") as file:
        file.write("q,a\n")
        file.writelines(f"{'How many? ' * 20}{number},{number}\n" for number in range(150_000))
    words = [
        "data",
        "from",
        source,
        "-o",
        out,
        "--map",
        "messages=q",
        "--map",
        "reference_answer=a",
    ]
    child = subprocess.Popen([sys.executable, "-m", "bedrock_rft_sim", *map(str, words)])
    temporary = out.with_name(f".{out.name}.{child.pid}.tmp")
    with child:
        while child.poll() is None and not (temporary.exists() and temporary.stat().st_size):
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert [path.name for path in out.parent.iterdir()] == [temporary.name]


def test_rft_check_says_of_a_recipe_s_data_what_rft_data_check_says(
    write_rows: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_rows(99)
    lines = path.read_text().splitlines()
    record = json.loads(lines[4])
    record["messages"][0]["content"] = "The User: what is 1 + 2?"
    del record["id"]
    path.write_text("\n".join([*lines[:4], json.dumps(record), *lines[5:]]) + "\n")
    rft("check", path, "--json")
    found = json.loads(capsys.readouterr().out)["findings"]
    told = [each for each in found if each["severity"] != "note"]
    assert [each["rule"] for each in told] == ["same-keys", "forbidden-words", "records-min"]
    sets = ["--set", f"local.trainingData={path}", "--set", f"local.validationData={path}"]
    assert main(["check", "quickstart", *sets, "--no-audit", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["data"]["findings"]
    same = [each for each in found if each["file"] == "local.trainingData"]
    for each, other in zip(told, same, strict=True):
        assert each | {"file": "local.trainingData"} == other
    assert main(["check", "quickstart", *sets, "--no-audit"]) == 1
    printed = capsys.readouterr().out
    assert "error records-min: local.trainingData: too few records; expected:" in printed
    assert "not ready: Bedrock would refuse the data (too few records, add records)" in printed
