from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.data.prepare import output as output_module
from bedrock_rft_sim.data.prepare.output import LINES_KEPT, DataOutput, manifest_path
from bedrock_rft_sim.data.prepare.rows import DataRow, read
from bedrock_rft_sim.errors import DataError

RECORDS = [{"id": "a"}, {"id": "b", "text": "é\u2028\x00"}, {"id": "c", "n": [1.5, None, True]}]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    return path


def output_to(path: Path, source: Path, **options: Any) -> DataOutput:
    return DataOutput(path, operation="test", parameters={"n": 1}, sources=[source], **options)


def write_all(output: DataOutput, records: list[dict[str, Any]]) -> None:
    for record in records:
        output.write(record)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read_back_and_the_manifest_says_how_it_was_made(
    tmp_path: Path, source: Path
) -> None:
    out = tmp_path / "deep" / "out.jsonl"
    with output_to(out, source, seed=7) as output:
        for row in output.counted(read(source)):
            if row.line == 2:
                output.drop(row, "too odd")
            else:
                output.write(row.record)
        output.note("pairs", [["a", "c"]])
    assert [row.record for row in read(out)] == [RECORDS[0], RECORDS[2]]
    manifest = json.loads(manifest_path(out).read_text())
    assert manifest == output.manifest()
    assert manifest["operation"] == "test"
    assert manifest["parameters"] == {"n": 1}
    assert manifest["seed"] == 7
    assert manifest["tool"].startswith("rft ")
    assert manifest["sources"] == [
        {
            "name": str(source),
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "bytes": source.stat().st_size,
        }
    ]
    assert manifest["output"]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert manifest["rows"] == {"in": 3, "out": 2, "dropped": 1}
    assert manifest["drops"] == [
        {"reason": "too odd", "source": str(source), "count": 1, "lines": [2]}
    ]
    assert manifest["notes"] == {"pairs": [["a", "c"]]}
    assert names(out.parent) == ["out.jsonl", "out.jsonl.manifest.json"]


def test_a_remote_source_is_named_without_a_hash(tmp_path: Path) -> None:
    with DataOutput(
        tmp_path / "x.jsonl", operation="t", parameters={}, sources=["hf://a/b"]
    ) as output:
        pass
    assert output.manifest()["sources"] == [{"name": "hf://a/b", "sha256": None}]
    assert output.manifest()["rows"] == {"in": None, "out": 0, "dropped": 0}


def test_an_exception_leaves_nothing(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(ZeroDivisionError), output_to(out, source) as output:
        output.write({"id": 1 / 0})
    assert names(tmp_path) == ["in.jsonl"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "half \ud800", b"bytes"])
def test_what_json_can_t_hold_is_one_error_and_leaves_nothing(
    tmp_path: Path, source: Path, value: object
) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(DataError, match=r"out.jsonl:2 \(id 'x'\)"), output_to(out, source) as made:
        write_all(made, [{"id": "a"}, {"id": "x", "value": value}])
    assert names(tmp_path) == ["in.jsonl"]


def test_a_file_that_exists_is_replaced_only_by_force(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("precious")
    with pytest.raises(DataError, match="exists already"), output_to(out, source):
        pass
    assert out.read_text() == "precious"
    with pytest.raises(ZeroDivisionError), output_to(out, source, force=True):
        raise ZeroDivisionError
    assert out.read_text() == "precious"
    with output_to(out, source, force=True) as output:
        output.write({"id": "new"})
    assert [row.record for row in read(out)] == [{"id": "new"}]


def test_an_input_is_never_the_output(tmp_path: Path, source: Path) -> None:
    link = tmp_path / "link.jsonl"
    link.symlink_to(source)
    for path in (source, link, tmp_path / "x" / ".." / "in.jsonl"):
        with (
            pytest.raises(DataError, match="one of the inputs"),
            output_to(path, source, force=True),
        ):
            pass
    assert len(list(read(source))) == 3


def test_a_folder_and_a_missing_source_are_errors(tmp_path: Path, source: Path) -> None:
    with pytest.raises(DataError, match="a folder"), output_to(tmp_path, source, force=True):
        pass
    with (
        pytest.raises(DataError, match="can't read"),
        output_to(tmp_path / "out.jsonl", tmp_path / "none.jsonl"),
    ):
        pass
    assert names(tmp_path) == ["in.jsonl"]


def test_a_place_where_no_file_can_be_is_an_error(tmp_path: Path, source: Path) -> None:
    with (
        pytest.raises(DataError, match="can't write"),
        output_to(source / "out.jsonl", source),
    ):
        pass


def test_line_numbers_are_listed_up_to_a_limit_that_is_told(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LINES_KEPT >= 20_000
    monkeypatch.setattr(output_module, "LINES_KEPT", 2)
    with output_to(tmp_path / "out.jsonl", source) as output:
        for row in read(source):
            output.drop(row, "why not")
    (drops,) = output.manifest()["drops"]
    assert (drops["count"], drops["lines"], drops["lines_not_listed"]) == (3, [1, 2], 1)


def test_drops_are_counted_by_reason_and_by_file(tmp_path: Path, source: Path) -> None:
    with output_to(tmp_path / "out.jsonl", source) as output:
        output.drop(DataRow(1, {}, "a"), "x")
        output.drop(DataRow(2, {}, "b"), "x")
        output.drop(DataRow(3, {}), "y")
    found = [(d["reason"], d["source"], d["lines"]) for d in output.manifest()["drops"]]
    assert found == [("x", "a", [1]), ("x", "b", [2]), ("y", None, [3])]
    assert output.dropped == 3


FULL = """
import resource, sys
from pathlib import Path
from bedrock_rft_sim.errors import DataError
from bedrock_rft_sim.data.prepare.output import DataOutput
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with DataOutput(sys.argv[1], operation="t", parameters={}, sources=[]) as output:
        for number in range(int(sys.argv[2])):
            output.write({"id": str(number), "text": "x" * 100})
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize("count", [1000, 45])  # refused while writing, or at the last flush
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path, count: int) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "out.jsonl"), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "out.jsonl: can't write the output" in done.stdout
    assert "nothing was left behind" in done.stdout
    assert done.stderr == ""
    assert names(tmp_path) == []


KILLED = """
import sys
from pathlib import Path
from bedrock_rft_sim.data.prepare.output import DataOutput
with DataOutput(sys.argv[1], operation="t", parameters={}, sources=[Path(sys.argv[2])],
            force=True) as output:
    for number in range(5000):
        output.write({"id": str(number), "text": "x" * 100})
    print("midway", flush=True)
    sys.stdin.read()
"""


def test_a_kill_midway_leaves_nothing_that_looks_finished(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out.jsonl"
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(out), str(source)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"midway\n"
        child.send_signal(signal.SIGKILL)
    left = [name for name in names(tmp_path) if name != "in.jsonl"]
    assert left == [f".out.jsonl.{child.pid}.tmp"]


class Killed(BaseException):
    """Stands for a kill between two system calls: no clean-up may run after it."""


@pytest.mark.parametrize("steps_done", range(4))
def test_a_kill_between_any_two_steps_leaves_no_data_beside_a_foreign_manifest(
    tmp_path: Path, source: Path, steps_done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    with output_to(out, source) as output:
        output.write({"id": "old"})
    done: list[str] = []

    def until_killed(name: str) -> Any:
        real = getattr(Path, name)

        def step(path: Path, *given: Any, **named: Any) -> Any:
            if name == "unlink" and path.suffix == ".tmp":
                return  # clean-up, which a kill leaves out
            if len(done) == steps_done:
                raise Killed
            done.append(name)
            real(path, *given, **named)

        return step

    monkeypatch.setattr(Path, "replace", until_killed("replace"))
    monkeypatch.setattr(Path, "unlink", until_killed("unlink"))
    with contextlib.suppress(Killed), output_to(out, source, force=True) as output:
        output.write({"id": "new"})
    monkeypatch.undo()
    assert done == ["unlink", "replace", "replace"][:steps_done]
    assert out.exists() == (steps_done in (0, 3))
    if out.exists():
        manifest = json.loads(manifest_path(out).read_text())
        assert manifest["output"]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["out.jsonl", f"{'n' * 250}.jsonl"])
def test_an_error_takes_back_the_folders_made_for_the_file(
    name: str, tmp_path: Path, source: Path
) -> None:
    with (
        pytest.raises(DataError),
        output_to(tmp_path / "new" / "inner" / name, source) as output,
    ):
        output.write({"id": float("nan")})
    assert names(tmp_path) == ["in.jsonl"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25)  # each is synced to the disk
@given(records=st.lists(st.dictionaries(st.text("xyz", min_size=1), json_values), min_size=1))
def test_reading_is_the_inverse_of_writing(
    records: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("inverse") / "out.jsonl"
    with DataOutput(out, operation="t", parameters={}, sources=[]) as output:
        for record in records:
            output.write(record)
    assert [row.record for row in read(out)] == records
    assert [row.line for row in read(out)] == list(range(1, len(records) + 1))
