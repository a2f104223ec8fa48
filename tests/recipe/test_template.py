"""What `rft init` writes: a recipe that is complete, explained, and says the defaults truly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bedrock_rft_sim.contract.knobs import DialectName
from bedrock_rft_sim.recipe import Recipe, load_recipe
from bedrock_rft_sim.recipe.local import LOCAL_MODELS
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.recipe.template import blank_request, recipe_text, request_text
from tests.recipe.conftest import NOVA, OPEN_WEIGHT

BEHIND = re.compile(r"^( +)#((?:  )*\w+:)", re.MULTILINE)
STATED = {"model": "tiny", "trainingData": "problems", "reward": "gsm8k"}
DIALECTS: tuple[DialectName, ...] = ("bedrock", "openai")


def written(request: str, tmp_path: Path, **stated: Any) -> tuple[str, Recipe]:
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_text(request, STATED | stated, title="A recipe.", path=path))
    return path.read_text(), load_recipe(path)


def leaves(schema: dict[str, Any], sections: dict[str, Any], place: str = "") -> set[str]:
    """Return the dotted names of all keys that hold a value."""
    found = set()
    for name, known in schema["properties"].items():
        kinds = (known, *known.get("anyOf", ()))
        refs = [kind["$ref"].rpartition("/")[2] for kind in kinds if "$ref" in kind]
        below = [sections[ref] for ref in refs if "properties" in sections[ref]]
        for section in below:
            found |= leaves(section, sections, f"{place}{name}.")
        found |= set() if below else {f"{place}{name}"}
    return found


def stated_leaves(data: dict[str, Any], place: str = "") -> set[str]:
    found = set()
    for name, value in data.items():
        is_section = isinstance(value, dict) and value
        found |= stated_leaves(value, f"{place}{name}.") if is_section else {f"{place}{name}"}
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_local_key_stands_in_it(dialect: DialectName, tmp_path: Path) -> None:
    text, _ = written(blank_request(dialect, validates=False), tmp_path)
    schema = LOCAL_MODELS[dialect].model_json_schema(by_alias=True)
    local = read_document(BEHIND.sub(r"\1\2", text), name="text").data["local"]
    assert stated_leaves(local) == leaves(schema, schema["$defs"])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_behind_a_hash_stands_at_its_default(dialect: DialectName, tmp_path: Path) -> None:
    text, before = written(blank_request(dialect, validates=False), tmp_path)
    without_stops = re.sub(r"^ +#earlyStopping:.*\n(?: +#  .*\n| +# .*\n)*", "", text, flags=re.M)
    path = tmp_path / "uncommented.yaml"
    # Overrides of a first look win over the request, so both are held against the request alone.
    path.write_text(BEHIND.sub(r"\1\2", without_stops))
    after = load_recipe(path)
    assert after.settings == before.settings
    assert after.local.model_dump(exclude={"overrides", "training"}) == before.local.model_dump(
        exclude={"overrides", "training"}
    ) | {"checkpointInterval": after.settings.checkpoint_interval}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_key_of_local_is_explained(dialect: DialectName, tmp_path: Path) -> None:
    text, _ = written(blank_request(dialect, validates=False), tmp_path)
    for name, field in LOCAL_MODELS[dialect].model_fields.items():
        said = " ".join(re.sub(r"\n +# ", " ", text).split())
        assert " ".join((field.description or name).split()) in said


@pytest.mark.parametrize("dialect", DIALECTS)
def test_its_request_is_one_that_bedrock_would_take(dialect: DialectName, tmp_path: Path) -> None:
    _, recipe = written(
        blank_request(dialect, validates=True), tmp_path, validationData="problems:8"
    )
    assert recipe.refusals == ()


@pytest.mark.parametrize("text", [NOVA, OPEN_WEIGHT])
def test_a_request_that_exists_stays_as_it_is(text: str, tmp_path: Path) -> None:
    request = text.partition("local:")[0]
    whole, recipe = written(request_text(request, name="request.yaml"), tmp_path)
    assert request in whole
    assert recipe.request == read_document(request, name="request").data


def test_a_request_in_json_is_written_as_yaml(tmp_path: Path) -> None:
    data = read_document(NOVA.partition("local:")[0], name="request").data
    data["jobTags"] = [{"key": "true", "value": "1e5"}]
    whole, recipe = written(request_text(json.dumps(data), name="request.json"), tmp_path)
    assert recipe.request == data
    assert "jobName: a-job\n" in whole


def test_a_first_look_asks_for_no_more_than_the_request(tmp_path: Path) -> None:
    request = blank_request("bedrock", validates=False)
    small = request.replace("maxPromptLength: 8192", "maxPromptLength: 100")
    _, recipe = written(small, tmp_path)
    assert "maxPromptLength" not in recipe.overrides
    assert recipe.settings.max_prompt_length == 100


def test_no_line_is_longer_than_a_hundred_columns(tmp_path: Path) -> None:
    text, _ = written(blank_request("openai", validates=True), tmp_path, validationData="problems")
    assert max(map(len, text.splitlines())) <= 100
