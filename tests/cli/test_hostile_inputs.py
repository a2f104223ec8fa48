"""Inputs that are no mistake of ours: each is one message that names what is wrong, and no more."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.data.tokens import EMBEDDED_FOLDER

Refused = Callable[..., str]
LONG = "n" * 300
DEEP = 20_000
ROW = {"id": "a", "messages": [{"role": "user", "content": "What is 2 + 3?"}]}
REWARD = "def lambda_handler(event, context):\n    return []\n"


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refused:
    """Run a command in a folder of its own and return its one message."""
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text(json.dumps(ROW) + "\n")
    Path("reward.py").write_text(REWARD)

    def run(*arguments: str) -> str:
        start = time.process_time()
        try:
            code = main(arguments)
        except SystemExit as exit_:  # argparse's
            code = int(exit_.code or 0)
        assert time.process_time() - start < 15
        said = capsys.readouterr().err
        assert code in (1, 2), said
        assert "a mistake of ours" not in said
        assert "Traceback" not in said
        return said

    return run


def set_(value: str) -> tuple[str, ...]:
    return ("check", "quickstart", "--set", value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('local.lambda.environment={"A": "x\\0"}', "a NUL character"),
        ('local.lambda.environment={"A\\0": "x"}', "a NUL character"),
        ('local.handler="a\\0"', "a NUL character"),
        ('local.reward="./a\\0.py"', "a NUL character"),
        ('local.model="./a\\0"', "a NUL character"),
        ('local.trainingData="./a\\0.jsonl"', "a NUL character"),
        ("local.chatTemplateKwargs.messages=1", "chatTemplateKwargs.messages can't be chosen"),
        ("local.chatTemplateKwargs.tokenize=true", "chatTemplateKwargs.tokenize can't be chosen"),
        (".".join(["a"] * 2000) + "=1", "nested too deep"),
        ("local.chatTemplateKwargs=" + "[" * 2000 + "]" * 2000, "nested too deep"),
        (f"local.reward=./{LONG}.py", "File name too long"),
        (f"local.model=./{LONG}", "File name too long"),
        ("local.reward=~nobodyhere/reward.py", "there is no reward"),
        ("local.model=~nobodyhere/model", "~nobodyhere/model"),
    ],
)
def test_a_value_that_nothing_can_hold_is_refused(refused: Refused, value: str, words: str) -> None:
    assert words in refused(*set_(value))


@pytest.mark.parametrize(
    "command",
    [
        ("check", f"{LONG}.yaml"),
        ("report", LONG),
        ("compare", LONG, "--with", LONG),
        ("grade", LONG, "--reward", "reward.py"),
        ("audit", f"{LONG}.py", "--data", "rows.jsonl"),
        ("audit", "reward.py", "--data", LONG),
        ("estimate", "quickstart", "--measured", LONG),
        ("estimate", "quickstart", "--prices", LONG),
        ("data", "clean", "rows.jsonl", "-o", f"{LONG}.jsonl"),
        ("data", "split", "rows.jsonl", "-o", LONG),
        ("data", "check", LONG),
        ("serve", "--root", LONG, "--port", "0"),
        ("serve", "--mapping", LONG),
    ],
)
def test_a_name_that_no_disk_takes_is_named(refused: Refused, command: tuple[str, ...]) -> None:
    assert "File name too long" in refused(*command)


@pytest.mark.parametrize("name", ["fifo", "loop", "."])
@pytest.mark.parametrize(
    "command",
    [
        ("data", "clean", "rows.jsonl", "-o", "{}.jsonl", "--force"),
        ("data", "balance", "rows.jsonl", "--by", "turns", "--plot", "{}.svg"),
        ("package", "reward.py", "-o", "{}.zip"),
    ],
)
def test_a_result_takes_the_place_of_a_regular_file_only(
    refused: Refused, command: tuple[str, ...], name: str
) -> None:
    pattern = next(part for part in command if "{}" in part)
    file = special(name, pattern) if name != "." else Path()
    before = file.lstat()
    refused(*(str(file) if "{}" in part else part for part in command))
    assert file.lstat().st_ino == before.st_ino


def special(name: str, pattern: str) -> Path:
    """Make what is no regular file, under the pattern's suffix."""
    path = Path(pattern.replace("{}", name))
    if name == "fifo":
        os.mkfifo(path)
    elif name == "loop":
        path.symlink_to(path)
    return path


@pytest.mark.parametrize("name", ["fifo", "loop", "/dev/zero", "."])
@pytest.mark.parametrize(
    "command",
    [
        ("check", "{}.yaml"),
        ("sweep", "{}.yaml"),
        ("data", "check", "{}.jsonl"),
        ("data", "clean", "{}.jsonl", "-o", "o.jsonl"),
        ("data", "from", "{}.csv", "-o", "o.jsonl", "--map", "messages=m"),
        ("data", "from", "{}.json", "-o", "o.jsonl", "--map", "messages=m"),
        ("data", "logs", "{}.json", "-o", "o.jsonl"),
        ("data", "gsm8k", "{}.jsonl", "-o", "o.jsonl", "--shape", "nova"),
        ("compare", "{}.json", "--with", "{}.json"),
        ("audit", "{}.py", "--data", "rows.jsonl"),
        ("audit", "reward.py", "--data", "{}.jsonl"),
        ("serve", "--mapping", "{}.yaml"),
        ("estimate", "quickstart", "--prices", "{}.json"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(
    refused: Refused, command: tuple[str, ...], name: str
) -> None:
    pattern = next(part for part in command if "{}" in part)
    file = special(name, pattern) if name in ("fifo", "loop") else Path(name)
    refused(*(str(file) if "{}" in part else part for part in command))


def test_a_folder_to_write_to_is_no_file_to_write(refused: Refused) -> None:
    for command in ("clean", "augment --renumber", "balance --by turns --cap 1", "logs"):
        verb, *more = command.split()
        assert "the output exists already" in refused("data", verb, "rows.jsonl", *more, "-o", ".")


@pytest.mark.parametrize("port", ["99999", "-1", "x"])
def test_a_port_that_is_none_is_a_usage_error(refused: Refused, port: str) -> None:
    assert "--port: expected a whole number from 0 to 65535" in refused("serve", "--port", port)


def test_a_host_that_can_be_no_name_is_refused(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFT_TOKEN", "t" * 20)
    assert "can't listen here" in refused("serve", "--host", "é" * 80, "--port", "0")


def test_an_endpoint_with_a_label_too_long_is_no_address(refused: Refused) -> None:
    url = f"http://{'a' * 64}.example/v1"
    assert "is no web address" in refused(
        "probe", "quickstart", "--endpoint", url, "--endpoint-model", "m"
    )


@pytest.mark.parametrize("text", ['{"andAll":[' * 3000 + "{}" + "]}" * 3000, "{", "[1]"])
def test_filters_that_can_not_be_read_are_refused(refused: Refused, text: str) -> None:
    refused("data", "logs", "rows.jsonl", "-o", "o.jsonl", "--filters", text)


def test_a_mapping_of_bytes_that_are_no_text_is_refused(refused: Refused) -> None:
    Path("mapping.yaml").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in refused("serve", "--mapping", "mapping.yaml")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp037", "utf-7", "shift_jis"])
def test_a_recipe_in_another_encoding_is_refused(refused: Refused, encoding: str) -> None:
    Path("recipe.yaml").write_bytes("jobName: x\n# 日本\n".encode(encoding, "replace"))
    refused("check", "recipe.yaml")


DEEP_METRICS = (
    "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    '{"a":1}\n' + "[" * DEEP,
)


@pytest.mark.parametrize("text", DEEP_METRICS)
def test_metrics_nested_too_deep_are_refused(refused: Refused, text: str) -> None:
    Path("metrics.json").write_text(text)
    assert "is no JSON" in refused("compare", "metrics.json", "--with", "metrics.json")


def model(**files: str | bytes) -> str:
    """Make a model folder beside the test and return the --set that takes it."""
    folder = Path("model")
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((EMBEDDED_FOLDER / name).read_bytes())
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(data)
    return f"local.model={folder.resolve()}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "maximum recursion depth"),
        ("{{ '\\ud800' }}", "half a character"),
        ("{{ 'x' * 3000000000 }}", "more than 1024 MB"),
        ("{% for a in messages * 99 %}{{ 'x' * 999999 }}{% endfor %}", "more than 10,000,000"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages[9].content }}", "has no element 9"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "a chat template that is broken"),
        (b"\xff\xfe", "can't decode"),
    ],
)
def test_a_chat_template_is_rendered_within_bounds(
    refused: Refused, template: str | bytes, words: str
) -> None:
    assert words in refused(*set_(model(chat_template__jinja=template)))


@pytest.mark.slow
def test_a_chat_template_that_never_ends_is_given_up(refused: Refused) -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    assert "takes longer than 3 s" in refused(*set_(model(chat_template__jinja=loop)))


@pytest.mark.parametrize("name", ["tokenizer_config__json", "tokenizer__json", "config__json"])
@pytest.mark.parametrize("text", ["[" * DEEP + "]" * DEEP, '{"a":' * DEEP, b"\xff", "[1]"])
def test_a_model_file_that_is_damaged_is_named(
    refused: Refused, name: str, text: str | bytes
) -> None:
    if (name, text) == ("tokenizer_config__json", "[1]"):
        pytest.skip("says nothing of use, and is not needed")
    assert name.replace("__", ".") in refused(*set_(model(**{name: text})), "--no-audit")
