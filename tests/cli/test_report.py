"""`rft report` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bedrock_rft_sim.cli import main
from bedrock_rft_sim.report.watch import Watch
from tests.report.conftest import make_run

BAND_WORDS = "AWS's experiments, other models"

pytestmark = pytest.mark.usefixtures("each_curve_once")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_run(tmp_path / "runs").close()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "run"


def test_the_page_goes_into_the_run_folder(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "latest"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("Validation reward 1.000 → 1.000.")
    assert Path(printed[1]) == run / "report.html"
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_page_goes_where_it_is_told(run: Path, tmp_path: Path) -> None:
    assert main(["report", "run", "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").is_file()
    assert not (run / "report.html").exists()


def test_text_prints_and_writes_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--text"]) == 0
    assert "Policy entropy" in capsys.readouterr().out
    assert not (run / "report.html").exists()


def test_json_is_for_programs(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "Completed"
    assert found["files"] == [str(run / "report.html")]
    truncation = next(v for v in found["verdicts"] if v["rule"] == "truncation")
    assert truncation["numbers"]["last_fifth"] == 0.125
    assert truncation["remedy"]


def test_export_takes_a_form_and_a_folder(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["report", "run", "--export", "gif", "pictures"])
    assert exit_.value.code == 2
    assert "expected one of png, svg, pdf, found 'gif'" in capsys.readouterr().err
    assert main(["report", "run", "--export", "svg", str(tmp_path / "pictures")]) == 0
    assert (tmp_path / "pictures" / "training-rewards.svg").is_file()
    assert BAND_WORDS not in (tmp_path / "pictures" / "policy-entropy.svg").read_text()
    assert not (run / "report.html").exists()


def test_the_bands_of_aws_s_experiments_are_shown_where_they_are_asked_for(
    run: Path, tmp_path: Path
) -> None:
    pictures = ["--export", "svg", str(tmp_path)]
    for form, options in (("plain", []), ("banded", ["--bands", *pictures])):
        page = ["--out", str(tmp_path / f"{form}.html")]
        assert main(["report", "run", *options, *page]) == 0
    assert BAND_WORDS in (tmp_path / "policy-entropy.svg").read_text()
    pages = [(tmp_path / f"{form}.html").read_text() for form in ("plain", "banded")]
    assert ['"band": [0.8, 1.1]' in each or '"band":[0.8,1.1]' in each for each in pages] == [
        False,
        True,
    ]


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_is_a_port(run: Path, port: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["report", "run", "--watch", "--port", port])
    assert exit_.value.code == 2


def test_a_run_that_has_ended_is_not_watched(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "run", "--watch"]) == 0
    assert "this run has ended (Completed)" in capsys.readouterr().out


def test_a_run_that_goes_on_is_watched_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    follow = Watch.follow
    with make_run(tmp_path, status="InProgress", steps=1) as going_on:

        def follow_to_the_end(watch: Watch) -> str:
            going_on.write_record(status="Completed")
            return follow(watch, check_every_s=0.01, linger_s=0.0)

        monkeypatch.setattr(Watch, "follow", follow_to_the_end)
        assert main(["report", str(going_on.path), "--watch"]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("http://127.0.0.1:")
    assert "the run has ended (Completed)" in last


def test_an_unknown_run_is_one_message(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "rnu"]) == 1
    printed = capsys.readouterr()
    assert "there is no run of this name" in printed.err
    assert "found: under runs/: run" in printed.err
    assert printed.out == ""


def test_a_damaged_run_is_one_message(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "metrics.jsonl").write_text('{"loss": 1}\n')
    assert main(["report", "run"]) == 1
    assert "this is not a line of metrics" in capsys.readouterr().err


def test_a_folder_that_can_not_be_written_is_one_message(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "run", "--out", str(tmp_path / "nowhere" / "page.html")]) == 1
    assert "can't write the report" in capsys.readouterr().err
