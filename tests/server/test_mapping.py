"""Which local model and which limits stand behind a model id, and how that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.server.mapping import Limits, ModelMapping, StandIn, read_mapping
from tests.server.aws_setup import rft_request

REQUEST = rft_request("a", bucket="bucket", function="f")


def write(folder: Path, text: str) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(text)
    return path


def test_by_default_the_embedded_model_stands_behind_everything_for_seventy_steps() -> None:
    stand_in = ModelMapping().stand_in("amazon.nova-2-lite-v1:0:256k")
    assert (stand_in.model, stand_in.maxSteps) == ("tiny", 70)


def test_a_file_names_models_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    mapping = read_mapping(
        write(
            tmp_path,
            "default: {maxSteps: 10}\n"
            "models:\n"
            "  openai.gpt-oss-20b: {model: ./folder, maxSteps: null}\n"
            "  qwen.qwen3-32b: {model: Qwen/Qwen3-0.6B, overrides: {batch_size: 4}}\n",
        )
    )
    assert mapping.stand_in("openai.gpt-oss-20b").model == str(tmp_path / "folder")
    assert mapping.stand_in("openai.gpt-oss-20b").maxSteps is None
    assert mapping.stand_in("qwen.qwen3-32b").model == "Qwen/Qwen3-0.6B"
    assert mapping.stand_in("anything.else").maxSteps == 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: {a: {modle: tiny}}", "modle"),
        ("default: {maxSteps: 0}", "maxSteps"),
        ("default: {maxSteps: ten}", "maxSteps"),
        ("other: 1", "other"),
        ("models: {a: {modle: tiny}}", "unknown key models.a.modle.*\n.*one of model, maxSteps"),
        ("default: {model: 3}", "wrong type default.model.*\n.*a string"),
        ("default: {overrides: {batchsize: 4}}", "default.overrides.batchsize"),
        ("default: {overrides: {batchSize: 0}}", "default.overrides.batchSize"),
        ("models: {amazon.nova-2-lite-v1:0:256k: {overrides: {batch_size: 4}}}", "batch_size"),
        ("models: {openai.gpt-oss-20b: {overrides: {batchSize: 4}}}", "batchSize"),
    ],
)
def test_what_is_not_understood_is_named_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(RecipeError, match=words) as error:
        read_mapping(write(tmp_path, text))
    assert "mapping.yaml:1" in str(error.value)


def test_a_missing_file_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="can't read the mapping"):
        read_mapping(tmp_path / "none.yaml")


def test_a_file_that_is_no_text_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="can't read the mapping: not UTF-8"):
        read_mapping(path)


def test_a_limit_holds_only_where_the_request_asks_for_more() -> None:
    limits = Limits(maxPromptLength=9_000, inferenceMaxTokens=96, trainingSamplePerPrompt=4)
    overrides = StandIn(limits=limits).local("bedrock", REQUEST)["overrides"]
    assert overrides == {"inferenceMaxTokens": 96, "trainingSamplePerPrompt": 4}


def test_an_override_always_holds_and_is_said() -> None:
    stand_in = StandIn(limits=Limits(), overrides={"batchSize": 4}, maxSteps=None)
    local = stand_in.local("bedrock", REQUEST)
    assert local["overrides"] == {"batchSize": 4}
    assert "maxSteps" not in local
    remarks = stand_in.remarks("bedrock", REQUEST)
    assert remarks[0].endswith("'tiny' stands in for amazon.nova-2-lite-v1:0:256k")
    assert "rehearsal: batchSize is 4 here" in remarks
    assert not any("steps" in remark for remark in remarks)


def test_every_difference_is_said() -> None:
    remarks = StandIn().remarks("bedrock", REQUEST)
    changed = StandIn().local("bedrock", REQUEST)["overrides"]
    assert all(any(name in remark for remark in remarks) for name in changed)


def test_the_default_may_override_by_the_names_of_either_api(tmp_path: Path) -> None:
    text = "default: {overrides: {batchSize: 4, n_epochs: 1, learningRate: 1e-5}}"
    overrides = read_mapping(write(tmp_path, text)).default.overrides
    assert overrides == {"batchSize": 4, "n_epochs": 1, "learningRate": 1e-5}


def test_a_job_without_a_prompt_short_enough_names_the_mapping_s_key(tmp_path: Path) -> None:
    import json

    from bedrock_rft_sim.data.plan import read_data
    from bedrock_rft_sim.data.tokens import load_tokenizer
    from bedrock_rft_sim.errors import DataError
    from bedrock_rft_sim.recipe import parse_recipe

    data = {"trainingData": "problems:100", "validationData": "problems", "reward": "gsm8k"}
    local = StandIn(limits=Limits(maxPromptLength=5)).local("bedrock", REQUEST)
    recipe = parse_recipe(json.dumps({**REQUEST, "local": {**local, **data}}), name="job")
    with pytest.raises(DataError, match=r"limits\.maxPromptLength in --mapping\) to at least \d+"):
        read_data(recipe, load_tokenizer(recipe.model))


def test_one_model_can_stand_behind_every_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "one.gguf").write_bytes(b"GGUF")
    monkeypatch.chdir(tmp_path)
    models = ("./folder", "one.gguf", "Qwen/Qwen3-0.6B")
    found = [ModelMapping().with_default(model).stand_in("anything").model for model in models]
    assert found == [str(tmp_path / "folder"), str(tmp_path / "one.gguf"), models[2]]


def test_answers_of_a_real_model_may_be_longer_than_the_embedded_one_s() -> None:
    assert StandIn().bounds.inferenceMaxTokens == 96
    assert StandIn(model="Qwen/Qwen3-0.6B").bounds.inferenceMaxTokens == 512


def test_the_published_run_keeps_its_67_steps_by_default() -> None:
    import json

    from bedrock_rft_sim.data import plan
    from bedrock_rft_sim.data.tokens import load_tokenizer
    from bedrock_rft_sim.recipe import parse_recipe
    from tests.server.mantle.conftest import method

    request = {"model": "openai.gpt-oss-20b", "training_file": "file", "method": method(1)}
    data = {"trainingData": "problems:300", "reward": "gsm8k"}
    local = {**ModelMapping().stand_in(request["model"]).local("openai", request), **data}
    recipe = parse_recipe(json.dumps({**request, "local": local}), name="job")
    read = plan.read_data(recipe, load_tokenizer(recipe.model))
    assert plan.steps(len(read.train), recipe.settings, validates=True).total == 67


def test_a_model_s_second_opinions_are_shipped_names_or_paths_from_the_file(
    tmp_path: Path,
) -> None:
    text = "models: {amazon.nova-2-lite-v1:0:256k: {alsoGrade: [gsm8k, ./own.py]}}"
    mapping = read_mapping(write(tmp_path, text))
    local = mapping.of_request("bedrock", REQUEST).local("bedrock", REQUEST)
    assert local["alsoGrade"] == ["gsm8k", str(tmp_path / "own.py")]
    assert "alsoGrade" not in ModelMapping().of_request("bedrock", REQUEST).local(
        "bedrock", REQUEST
    )
