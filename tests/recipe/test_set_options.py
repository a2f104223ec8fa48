import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bedrock_rft_sim.recipe import load_recipe, parse_recipe

HYPER = "customizationConfig.rftConfig.hyperParameters"


def test_a_dotted_path_changes_the_cloud_half(write, nova):
    recipe = load_recipe(write(nova), sets=[f"{HYPER}.learningRate=2e-5"])
    assert recipe.settings.learning_rate == 2e-5
    assert recipe.payload()["customizationConfig"]["rftConfig"]["hyperParameters"] == {
        "batchSize": 16,
        "learningRate": 2e-5,
    }


def test_a_dotted_path_changes_what_stays_at_home(write, nova):
    recipe = load_recipe(write(nova), sets=["local.seed=7", "local.training.temperature=0.8"])
    assert (recipe.settings.seed, recipe.settings.temperature) == (7, 0.8)


def test_a_legal_key_that_is_not_in_the_file_may_be_added(write, nova):
    recipe = load_recipe(
        write(nova), sets=[f"{HYPER}.epochCount=2", "local.lambda.environment.METHOD=strict"]
    )
    assert recipe.settings.epochs == 2
    assert recipe.local.lambda_.environment == {"METHOD": "strict"}


def test_a_list_entry_is_reached_by_its_position(write, nova):
    text = nova + "  validationData: v.jsonl\n"
    text += 'validationDataConfig: {validators: [{s3Uri: "s3://my-bucket/v.jsonl"}]}\n'
    recipe = load_recipe(
        write(text), sets=["validationDataConfig.validators.0.s3Uri=s3://other/v.jsonl"]
    )
    assert recipe.request["validationDataConfig"]["validators"] == [{"s3Uri": "s3://other/v.jsonl"}]


def test_the_last_of_two_assignments_wins(write, nova):
    assert load_recipe(write(nova), sets=["local.seed=1", "local.seed=2"]).settings.seed == 2


def test_the_text_stays_as_written(write, nova):
    assert load_recipe(write(nova), sets=["local.seed=1"]).text == nova


def test_files_given_on_the_command_line_start_from_the_current_folder(
    write, tmp_path, monkeypatch, nova
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    recipe = load_recipe(write(nova), sets=["local.trainingData=mine.jsonl"])
    assert recipe.training_source == elsewhere / "mine.jsonl"
    assert load_recipe(write(nova)).training_source == tmp_path / "data/train.jsonl"


def test_second_opinions_given_on_the_command_line_start_from_the_current_folder(
    write, nova, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    text = write(nova + "  alsoGrade: [./beside.py, gsm8k]\n")
    assert load_recipe(text).second_opinions["beside"] == tmp_path / "beside.py"
    for sets in (["local.alsoGrade=[gsm8k, ./mine.py]"], ["local.alsoGrade.0=mine.py"]):
        found = load_recipe(text, sets=sets).second_opinions
        assert found["mine"] == tmp_path / "elsewhere" / "mine.py"
        assert found["gsm8k"].name == "gsm8k.py"


def test_shipped_names_stay_names_on_the_command_line(write, nova):
    recipe = load_recipe(write(nova), sets=["local.trainingData=problems:8", "local.reward=gsm8k"])
    assert recipe.training_source.count == 8
    assert recipe.local.reward == "gsm8k"


@pytest.mark.parametrize(
    ("assignment", "what", "hint"),
    [
        ("local.sede=1", "unknown key local.sede", "did you mean seed?"),
        (f"{HYPER}.batch_size=4", f"unknown key {HYPER}.batch_size", "did you mean batchSize?"),
        ("lokal.seed=1", "unknown key lokal", "did you mean local?"),
        ("roleARN=x", "unknown key roleARN", "did you mean roleArn?"),
        ("local.seed", "not an assignment", "for example --set local.seed=1"),
        ("=1", "not an assignment", "for example --set local.seed=1"),
        ("local..seed=1", "not an assignment", "for example --set local.seed=1"),
        ("jobName.first=a", "jobName has no keys below it", None),
        ("local.reportTo=[", "not YAML", None),
        ("local.seed=.nan", "not a finite number", None),
    ],
)
def test_a_bad_assignment_is_named_itself_not_a_line(refuse, assignment, what, hint, nova):
    error = refuse(nova, sets=[assignment])
    assert error.where.startswith(f"--set {assignment}")
    assert error.what == what
    assert hint is None or error.hint == hint


def test_a_position_that_is_not_in_the_list_is_an_error(refuse, nova):
    text = 'validationDataConfig: {validators: [{s3Uri: "s3://my-bucket/v.jsonl"}]}\n' + nova
    error = refuse(text, sets=["validationDataConfig.validators.1.s3Uri=s3://my-bucket/v.jsonl"])
    assert error.what == "no entry 1 in validationDataConfig.validators"
    assert error.expected == "a position from 0 to 0"


@settings(max_examples=10, deadline=None)
@given(text=st.text())
def test_any_text_reaches_the_recipe_through_set(nova, text):
    recipe = parse_recipe(
        nova, name="text", sets=[f"local.chatTemplateKwargs.style={json.dumps(text)}"]
    )
    assert recipe.local.chatTemplateKwargs == {"style": text}


@settings(max_examples=10, deadline=None)
@given(rate=st.floats(min_value=1e-7, max_value=1e-3), batch=st.integers(16, 512))
def test_numbers_reach_the_payload_through_set_unchanged(nova, rate, batch):
    recipe = parse_recipe(
        nova, name="text", sets=[f"{HYPER}.learningRate={rate}", f"{HYPER}.batchSize={batch}"]
    )
    hyper = recipe.payload()["customizationConfig"]["rftConfig"]["hyperParameters"]
    assert hyper == {"learningRate": rate, "batchSize": batch}


def test_a_model_folder_given_on_the_command_line_starts_from_the_current_folder(
    write, nova, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "mine").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    assert load_recipe(write(nova), sets=["local.model=./mine"]).model == str(elsewhere / "mine")
    hub = load_recipe(write(nova), sets=["local.model=Qwen/Qwen3-0.6B"])
    assert hub.model == "Qwen/Qwen3-0.6B"
