"""Functions on disk: who may read them, Regions, and broken zips."""

from __future__ import annotations

import contextlib
import random
import stat
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bedrock_rft_sim.server.errors import AwsError
from bedrock_rft_sim.server.lambda_.code import CodeStore
from bedrock_rft_sim.server.lambda_.references import FunctionId
from bedrock_rft_sim.server.lambda_.store import LATEST, Functions
from tests.server.aws_setup import zipped

EAST, WEST = FunctionId("us-east-1", "echo"), FunctionId("us-west-2", "echo")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def record(function: FunctionId, **latest: Any) -> dict[str, Any]:
    settings = {"Handler": "a.b", "Timeout": 3, "MemorySize": 128, "RevisionId": "1"}
    versions = {LATEST: {"codeFolder": "abc", **settings, **latest}}
    return {"arn": function.arn, "versions": versions, "aliases": {}, "next": 1, "tags": {}}


def test_a_functions_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    functions = Functions(tmp_path)
    functions.add(EAST, record(EAST, Environment={"Variables": {"API_KEY": "secret"}}))
    [path] = tmp_path.glob("*/function.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    functions.close()


def test_what_is_read_and_not_saved_changes_nothing(tmp_path: Path) -> None:
    functions = Functions(tmp_path)
    functions.add(EAST, record(EAST))
    functions.record(EAST)["versions"].clear()
    assert functions.resolve(EAST.arn).version == LATEST
    functions.close()


def test_one_name_in_two_regions_is_two_functions(tmp_path: Path) -> None:
    functions = Functions(tmp_path)
    for number, function in enumerate((EAST, WEST)):
        functions.add(function, record(function, MemorySize=number))
    functions.close()
    again = Functions(tmp_path)
    for number, function in enumerate((EAST, WEST)):
        assert again.ids(function.region) == [function]
        assert again.resolve(function.arn).configuration["MemorySize"] == number
    assert again.regions_with("echo") == ["us-east-1", "us-west-2"]
    again.remove(EAST)
    assert again.ids("us-east-1") == []
    assert again.record(WEST)
    again.close()


@given(st.sampled_from(METHODS), st.integers(0, 2**32))
def test_a_damaged_zip_is_taken_or_refused_and_never_more(method: int, seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choices("abcdefgh\n", k=400))
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.zip"
        with zipfile.ZipFile(whole, "w", method) as archive:
            archive.writestr("a.py", text)
        content = bytearray(whole.read_bytes())
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        with contextlib.suppress(AwsError):
            CodeStore(Path(folder) / "code").keep(bytes(content))


def test_the_same_zip_unpacked_twice_at_once_is_kept_once(tmp_path: Path) -> None:
    store, content = CodeStore(tmp_path), zipped(a="x = 1")
    with ThreadPoolExecutor() as pool:
        kept = list(pool.map(store.keep, [content] * 8))
    assert len({each["codeFolder"] for each in kept}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [kept[0]["codeFolder"]]
    assert (store.path(kept[0]["codeFolder"]) / "a.py").read_text() == "x = 1"
