"""`rft data balance` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main


def rft(*words: object) -> int:
    return main(["data", "balance", *map(str, words)])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file of twelve rows in two classes."""
    path = tmp_path / "in.jsonl"
    with path.open("w") as file:
        for number in range(12):
            asked = [{"role": "user", "content": f"What is {number}?"}]
            made = {"id": f"r{number}", "messages": asked, "reference_answer": "x"}
            file.write(json.dumps({**made, "domain": "rare" if number < 3 else "often"}) + "\n")
    return path


def domains(path: Path) -> list[str]:
    return [json.loads(line)["domain"] for line in path.read_text().splitlines()]


def test_without_a_way_the_profile_is_shown_as_table_and_plot(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = source.with_name("profile.svg")
    assert rft(source, "--by", "domain", "--plot", plot) == 0
    printed = capsys.readouterr().out.splitlines()
    again = f"data balance {source} --by domain --down-sample -o {source.with_stem('in-balanced')}"
    assert printed.pop() == f"  rft {again}"
    assert printed.pop() == "next, for instance:"
    assert [line.split() for line in printed] == [
        ["rows", "share"],
        ["9", "75.0%", "often"],
        ["3", "25.0%", "rare"],
    ]
    assert "rows by domain" in plot.read_text()
    assert sorted(each.name for each in source.parent.iterdir()) == ["in.jsonl", "profile.svg"]


@pytest.mark.parametrize(
    ("words", "often", "rare"),
    [
        (("--cap", 5), 5, 3),
        (("--down-sample",), 3, 3),
        (("--target", "often=0.5,rare=0.5"), 3, 3),
        (("--target", "often=1"), 9, 0),
        (("--target", "often=2,rare=1"), 6, 3),
    ],
)
def test_each_way_leaves_what_it_says_and_tells_what_was_lost(
    words: tuple[object, ...],
    often: int,
    rare: int,
    source: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = source.with_name("out.jsonl")
    assert rft(source, "--by", "domain", *words, "-o", out) == 0
    assert domains(out).count("often") == often
    assert domains(out).count("rare") == rare
    printed = capsys.readouterr().out
    assert f"{often + rare} records, {12 - often - rare} rows left out" in printed
    if often < 9:
        assert f"{9 - often} x too many of class often: line " in printed


def test_the_manifest_is_the_json(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = source.with_name("out.jsonl")
    assert rft(source, "--by", "domain", "--cap", 2, "-o", out, "--seed", 5, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(Path(f"{out}.manifest.json").read_text())
    assert told["parameters"] == {"by": ["domain"], "cap": 2, "down_sample": False, "target": None}
    assert told["seed"] == 5
    assert rft(source, "--by", "domain", "--json") == 0
    assert json.loads(capsys.readouterr().out)["classes"][1]["class"] == ["rare"]


@pytest.mark.parametrize(
    "words",
    [
        ("--by", "domain", "-o", "x.jsonl"),
        ("--by", "domain", "--cap", "2"),
        ("--by", "domain", "--cap", "0", "-o", "x.jsonl"),
        ("--by", "domain", "--cap", "2", "--down-sample", "-o", "x.jsonl"),
        ("--by", "domain", "--target", "often", "-o", "x.jsonl"),
        ("--cap", "2", "-o", "x.jsonl"),
    ],
)
def test_words_that_do_not_go_together_are_a_usage_error(
    words: tuple[str, ...], source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    with pytest.raises(SystemExit) as exit_:
        rft(source, *words)
    assert exit_.value.code == 2
    assert [path.name for path in source.parent.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "domian", "--cap", 2), "no row has the key 'domian'"),
        (("--by", "domain", "--target", "seldom=1"), "no row of seldom"),
    ],
)
def test_a_key_or_class_that_is_not_there_is_one_message_and_no_file(
    words: tuple[object, ...], said: str, source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rft(source, *words, "-o", source.with_name("out.jsonl")) == 2
    error = capsys.readouterr().err
    assert error.count("rft: ") == 1
    assert said in error
    assert [path.name for path in source.parent.iterdir()] == ["in.jsonl"]


def test_a_file_is_replaced_with_force_only(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = source.with_name("out.jsonl")
    out.write_text("precious")
    words = (source, "--by", "domain", "--cap", 2, "-o", out)
    assert rft(*words) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert rft(*words, "--force") == 0
    assert len(domains(out)) == 4
