import dataclasses
import json

import pytest

from bedrock_rft_sim.contract.knobs import Provenance
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import BuiltInData, load_recipe

HYPER = "customizationConfig.rftConfig.hyperParameters"


def test_what_bedrock_would_refuse_can_be_rehearsed_but_has_no_payload(write, nova):
    recipe = load_recipe(write(nova), sets=[f"{HYPER}.batchSize=4"])
    assert recipe.settings.batch_size == 4
    assert [refusal.path for refusal in recipe.refusals] == [f"{HYPER}.batchSize"]
    assert recipe.payload() is None
    assert recipe.resolved()["refusals"] == [str(recipe.refusals[0])]
    assert recipe.refusals[0].remedy == "smaller values go under local.overrides"


def test_a_smaller_value_is_the_remedy_only_of_one_that_is_too_small(write, nova):
    text = nova.replace("s3://my-bucket/train.jsonl", "s3://My_Bucket/train.jsonl")
    (refusal,) = load_recipe(write(text)).refusals
    assert (refusal.path, refusal.remedy) == ("trainingDataConfig.s3Uri", None)


def test_the_payload_is_the_request_word_for_word_and_a_copy(write, nova):
    recipe = load_recipe(write(nova))
    payload = recipe.payload()
    assert payload == recipe.request
    payload["jobName"] = "another"
    assert recipe.request["jobName"] == "a-job"
    assert "local" not in payload


def test_every_setting_says_where_it_comes_from(write, nova):
    text = nova + "  overrides: {inferenceMaxTokens: 64}\n  training: {temperature: 0.7}\n"
    settings = load_recipe(write(text)).resolved()["settings"]
    origins = {name: (entry["value"], entry["origin"]) for name, entry in settings.items()}
    assert origins["batch_size"] == (16, "stated")
    assert origins["inference_max_tokens"] == (64, "override")
    assert origins["temperature"] == (0.7, "stated")
    assert origins["lora_rank"] == (32, "documented")
    assert origins["epochs"] == (1, "assumed")
    assert origins["lora_alpha"] == (64, "assumed")
    assert all(entry["source"] for entry in settings.values())


def test_local_values_say_where_they_come_from_too(write, nova):
    local = load_recipe(write(nova + "  lambda: {containers: 2}\n")).resolved()["local"]
    assert (local["lambda.containers"]["value"], local["lambda.containers"]["origin"]) == (
        2,
        "stated",
    )
    assert local["lambda.timeout"]["origin"] == "documented"
    assert local["lambda.batchSize"]["origin"] == "assumed"
    assert local["model"]["origin"] == "stated"


@pytest.mark.parametrize("which", ["nova", "open_weight"])
def test_the_resolved_recipe_is_json(write, request, which):
    recipe = load_recipe(write(request.getfixturevalue(which)))
    assert json.loads(json.dumps(recipe.resolved(), allow_nan=False)) == recipe.resolved()


def test_overrides_change_the_settings_and_never_the_payload(write, nova):
    text = nova + "  overrides: {batchSize: 2, learningRate: 0.01, epochCount: 3}\n"
    recipe = load_recipe(write(text))
    settings = recipe.settings
    assert (settings.batch_size, settings.learning_rate, settings.epochs) == (2, 0.01, 3)
    assert recipe.payload() == load_recipe(write(nova)).payload()
    assert recipe.overrides == {"batchSize": 2, "learningRate": 0.01, "epochCount": 3}


def test_openai_overrides_take_the_dialect_s_names_and_bedrock_s_for_the_rest(write, open_weight):
    text = open_weight + (
        "  overrides: {batch_size: 2, n_epochs: 3, learning_rate_multiplier: 2.0,\n"
        "              trainingSamplePerPrompt: 4, maxPromptLength: 99, evalInterval: 7}\n"
    )
    settings = load_recipe(write(text)).settings
    assert (settings.batch_size, settings.epochs, settings.learning_rate) == (2, 3, 2e-5)
    assert (settings.samples_per_prompt, settings.max_prompt_length) == (4, 99)
    assert settings.eval_interval == 7


def test_the_open_weight_defaults_are_aws_s_own_recipes(write, open_weight):
    settings = load_recipe(write(open_weight)).settings
    assert settings.learning_rate == 1e-5
    assert (settings.samples_per_prompt, settings.eval_interval) == (8, 5)
    assert (settings.max_prompt_length, settings.inference_max_tokens) == (512, 1024)
    assert (settings.validation_split, settings.validation_split_seed) == (0.1, 42)
    assert settings.rollouts_per_step == 32


def test_a_validation_set_replaces_the_split(write, open_weight):
    recipe = load_recipe(write(open_weight + "  validationData: v.jsonl\n"))
    assert recipe.settings.validation_split is None
    assert recipe.validation_source == recipe.folder / "v.jsonl"


def test_nova_has_no_split(write, nova):
    recipe = load_recipe(write(nova))
    assert recipe.settings.validation_split is None
    assert recipe.validation_source is None


def test_generated_problems_validate_with_generated_problems(write, nova):
    text = 'validationDataConfig: {validators: [{s3Uri: "s3://my-bucket/v.jsonl"}]}\n' + nova
    recipe = load_recipe(write(text.replace("data/train.jsonl", "problems:1600")))
    assert recipe.training_source == BuiltInData("problems", 1600)
    assert recipe.validation_source == BuiltInData("problems", None)
    assert recipe.resolved()["local"]["validationData"]["origin"] == "assumed"


@pytest.mark.parametrize(
    ("model", "training", "method"),
    [("tiny", "", "full"), ("tiny", "lora", "lora"), ("Qwen/Qwen3-0.6B", "", "lora")],
)
def test_only_the_embedded_model_is_trained_whole_by_default(write, nova, model, training, method):
    text = nova.replace("model: tiny", f"model: {model}")
    text += f"  training: {{method: {training}}}\n" if training else ""
    assert load_recipe(write(text)).settings.training == method


def test_the_record_shape_follows_the_dialect(write, nova, open_weight):
    assert load_recipe(write(nova)).record_shape == "nova"
    assert load_recipe(write(open_weight)).record_shape == "open-weight"


def test_a_string_is_wrapped_on_the_open_weight_path_alone(write, nova, open_weight):
    assert load_recipe(write(nova)).local.wrapStringAsText is False
    assert load_recipe(write(open_weight)).local.wrapStringAsText is True


def test_the_name_is_the_job_s_else_the_file_s(write, nova, open_weight):
    assert load_recipe(write(nova)).name == "a-job"
    assert load_recipe(write(open_weight, "mine.yaml")).name == "mine"


@pytest.mark.parametrize(
    ("job_name", "folder"),
    [("../../etc", "etc"), ("a/b", "a-b"), ("...", "run"), ("my job", "my-job")],
)
def test_a_name_is_safe_as_a_folder_s(write, nova, job_name, folder):
    recipe = load_recipe(write(nova.replace("jobName: a-job", f'jobName: "{job_name}"')))
    assert recipe.name == folder
    assert [refusal.path for refusal in recipe.refusals] == ["jobName"]


def test_paths_start_from_the_recipe_s_own_folder(write, nova, tmp_path):
    text = nova.replace("reward: gsm8k", "reward: ./reward.py")
    recipe = load_recipe(write(text))
    assert recipe.training_source == tmp_path / "data/train.jsonl"
    assert recipe.reward_path == tmp_path / "reward.py"


def test_a_bare_reward_is_the_shipped_file(write, nova):
    assert load_recipe(write(nova)).reward_path.name == "gsm8k.py"


def test_a_model_folder_is_found_beside_the_recipe(write, nova, tmp_path):
    (tmp_path / "models/mine").mkdir(parents=True)
    recipe = load_recipe(write(nova.replace("model: tiny", "model: models/mine")))
    assert recipe.model == str(tmp_path / "models/mine")


def test_a_hub_id_stays_a_hub_id(write, nova):
    assert load_recipe(write(nova.replace("tiny", "Qwen/Qwen3-0.6B"))).model == "Qwen/Qwen3-0.6B"


def test_a_model_folder_that_is_not_there_is_an_error(write, nova):
    with pytest.raises(RecipeError, match="there is no such model"):
        _ = load_recipe(write(nova.replace("model: tiny", "model: ./absent"))).model


def test_the_hash_follows_the_meaning_not_the_writing(write, nova):
    one = load_recipe(write(nova))
    same = load_recipe(write("# a comment\n" + nova.replace("1e-5", "0.00001"), "recipe.yaml"))
    other = load_recipe(write(nova), sets=["local.seed=1"])
    assert one.recipe_hash == same.recipe_hash != other.recipe_hash


def test_the_size_of_an_update_is_part_of_the_hash_where_it_cuts_a_batch(write, nova):
    """So runs from before there were several updates go on, unless they would have made several."""
    few, many = "local.overrides.batchSize=16", "local.overrides.batchSize=64"
    hashes = {
        batch: {
            load_recipe(
                write(nova), sets=[batch, f"local.training.miniBatchSize={size}"]
            ).recipe_hash
            for size in (16, 32)
        }
        for batch in (few, many)
    }
    assert (len(hashes[few]), len(hashes[many])) == (1, 2)


def test_the_hash_covers_values_and_no_wording_of_ours(write, nova, monkeypatch):
    before = load_recipe(write(nova))
    hashed, resolved = before.recipe_hash, before.resolved()
    reworded = {
        name: Provenance(each.origin, f"{each.source}, said otherwise")
        for name, each in before.provenance.items()
    }
    after = dataclasses.replace(before, provenance=reworded)
    assert after.resolved() != resolved
    assert (after.recipe_hash, after.changes_since(resolved)) == (hashed, {})


def test_a_changed_recipe_says_which_values_were_and_are(write, nova):
    before = load_recipe(write(nova)).resolved()
    after = load_recipe(write(nova), sets=["local.seed=7", "local.overrides.batchSize=2"])
    was = before["settings"]["batch_size"]["value"]
    changed = {"batch_size": (was, 2), "seed": (0, 7), "local.seed": (0, 7)}
    assert after.changes_since(before) == changed


def test_a_setting_that_an_older_version_did_not_know_counts_where_it_changes_something(
    write, nova
):
    older = load_recipe(write(nova)).resolved()
    del older["local"]["engine"]
    del older["settings"]["mini_batch_size"]
    assert load_recipe(write(nova)).changes_since(older) == {}
    stated = load_recipe(write(nova), sets=["local.engine=native"])
    assert stated.changes_since(older) == {"local.engine": ("auto", "native")}


def test_a_batch_that_an_older_version_took_in_one_update_is_not_cut_midway(write, nova):
    many = ["local.overrides.batchSize=64"]
    older = load_recipe(write(nova), sets=many).resolved()
    del older["settings"]["mini_batch_size"]
    assert load_recipe(write(nova), sets=many).changes_since(older) == {
        "mini_batch_size": (None, 32)
    }


def test_json_is_a_recipe_too(write, nova):
    recipe = load_recipe(write(nova))
    data = {**recipe.request, "local": {"model": "tiny", "trainingData": "problems"}}
    data["local"]["reward"] = "gsm8k"
    again = load_recipe(write(json.dumps(data, indent="\t"), "recipe.json"))
    assert again.payload() == recipe.payload()
    assert again.settings == recipe.settings


def test_a_recipe_can_not_be_changed(write, nova):
    recipe = load_recipe(write(nova))
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.name = "another"
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.settings.seed = 1
    with pytest.raises(ValueError, match="frozen"):
        recipe.local.seed = 1


def test_a_folder_needs_no_mark_before_its_name(write, nova, tmp_path, monkeypatch):
    (tmp_path / "my_reward").mkdir()
    (tmp_path / "my_model").mkdir()
    text = nova.replace("reward: gsm8k", "reward: my_reward").replace("tiny", "my_model")
    recipe = load_recipe(write(text))
    assert recipe.reward_path == tmp_path / "my_reward"
    assert recipe.model == str(tmp_path / "my_model")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "own_reward").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    given = load_recipe(write(nova), sets=["local.reward=own_reward"])
    assert given.reward_path == elsewhere / "own_reward"


def test_a_folder_does_not_hide_what_is_shipped(write, nova, tmp_path):
    for name in ("gsm8k", "tiny"):
        (tmp_path / name).mkdir()
    recipe = load_recipe(write(nova))
    assert recipe.reward_path.name == "gsm8k.py"
    assert recipe.model == "tiny"
