import json

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import load_recipe

HYPER = "customizationConfig.rftConfig.hyperParameters"


def swap(text, old, new):
    assert old in text
    return text.replace(old, new)


def test_an_unknown_key_names_its_line_and_the_nearest_spelling(refuse, nova):
    error = refuse(swap(nova, "batchSize", "batchsize"))
    assert error.where == "recipe.yaml:13"
    assert error.what == f"unknown key {HYPER}.batchsize"
    assert "epochCount, batchSize, learningRate" in error.expected
    assert error.found == "16 (integer)"
    assert error.hint == "did you mean batchSize?"


def test_an_unknown_local_key_names_its_line_and_the_nearest_spelling(refuse, nova):
    error = refuse(nova + "  rewrad: x\n")
    assert (error.where, error.what) == ("recipe.yaml:19", "unknown key local.rewrad")
    assert error.hint == "did you mean reward?"


def test_an_unknown_key_deep_in_local_is_compared_with_the_keys_beside_it(refuse, nova):
    error = refuse(nova + "  lambda: {timeuot: 10}\n")
    assert error.what == "unknown key local.lambda.timeuot"
    assert error.hint == "did you mean timeout?"


def test_an_unknown_openai_key_names_its_line_and_the_nearest_spelling(refuse, open_weight):
    error = refuse(swap(open_weight, "n_epochs", "n_epoch"))
    assert error.where == "recipe.yaml:10"
    assert error.what == "unknown key method.reinforcement.hyperparameters.n_epoch"
    assert error.hint == "did you mean n_epochs?"


def test_a_duplicate_key_names_both_lines(refuse, nova):
    error = refuse(swap(nova, "batchSize: 16\n", "batchSize: 16\n      batchSize: 32\n"))
    assert error.where == "recipe.yaml:14"
    assert error.what == f"duplicate key {HYPER}.batchSize"
    assert error.found == "first given on line 13"


def test_a_duplicate_key_in_json_is_found_too(refuse):
    error = refuse('{\n\t"jobName": "a",\n\t"jobName": "b"\n}', name="recipe.json")
    assert (error.where, error.what) == ("recipe.json:3", "duplicate key jobName")


def test_a_missing_required_key_is_named(refuse, nova):
    error = refuse(swap(nova, "roleArn: arn:aws:iam::123456789012:role/BedrockRFTRole\n", ""))
    assert (error.what, error.found) == ("missing key roleArn", "nothing")


def test_a_missing_local_key_is_named(refuse, nova):
    error = refuse(swap(nova, "  reward: gsm8k\n", ""))
    assert (error.where, error.what) == ("recipe.yaml:15", "missing key local.reward")


def test_a_recipe_without_local_says_what_belongs_there(refuse, nova):
    error = refuse(nova.partition("local:")[0])
    assert error.what == "missing key local"
    assert error.expected == "local: with at least model, trainingData and reward"
    assert error.hint is not None
    assert "rft init --from" in error.hint


def test_a_missing_reward_function_is_named(refuse, nova):
    text = nova.replace("    graderConfig:\n", "").replace("      lambdaGrader: {lambdaArn:", "#")
    error = refuse(text)
    assert error.what.startswith("missing key customizationConfig.rftConfig.graderConfig")


def test_a_quoted_number_is_a_string_and_says_so(refuse, nova):
    error = refuse(swap(nova, "1e-5", '"1e-5"'))
    assert (error.where, error.what) == ("recipe.yaml:14", f"wrong type {HYPER}.learningRate")
    assert error.expected.startswith("a number")
    assert error.found == "'1e-5' (string)"
    assert error.hint == "a number in quotes is a string"


@pytest.mark.parametrize("value", ["true", "16.0", "null", "[16]", "sixteen"])
def test_only_a_whole_number_is_a_batch_size(refuse, value, nova):
    error = refuse(swap(nova, "batchSize: 16", f"batchSize: {value}"))
    assert (error.where, error.what) == ("recipe.yaml:13", f"wrong type {HYPER}.batchSize")
    assert error.expected.startswith("a whole number")


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e999"])
def test_a_number_that_is_not_finite_is_refused(refuse, value, nova):
    error = refuse(swap(nova, "1e-5", value))
    assert (error.where, error.what) == ("recipe.yaml:14", "not a finite number")
    assert error.found == value


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("batchSize: 16", "batchSize: 0", "at least 1"),
        ("batchSize: 16", "batchSize: -16", "at least 1"),
        ("batchSize: 16", "trainingSamplePerPrompt: 1", "at least 2"),
        ("batchSize: 16", "maxPromptLength: 0", "at least 1"),
        ("batchSize: 16", "inferenceMaxTokens: -1", "at least 1"),
        ("learningRate: 1e-5", "learningRate: 0", "more than 0"),
    ],
)
def test_a_value_that_nothing_can_be_trained_with_is_an_error(refuse, old, new, expected, nova):
    error = refuse(swap(nova, old, new))
    assert error.what.startswith("too small to rehearse")
    assert error.expected.startswith(expected)


def test_a_misspelt_choice_is_an_error_with_the_nearest(refuse, nova):
    error = refuse(swap(nova, "batchSize: 16", "reasoningEffort: hihg"))
    assert error.what == f"unknown value {HYPER}.reasoningEffort"
    assert error.hint == "did you mean high?"


@pytest.mark.parametrize("line", ["customizationType: FINE_TUNING\n", ""])
def test_another_kind_of_customization_is_an_error(refuse, line, nova):
    error = refuse(swap(nova, "customizationType: REINFORCEMENT_FINE_TUNING\n", line))
    assert "customizationType" in error.what
    assert error.expected.startswith("REINFORCEMENT_FINE_TUNING")


def test_two_dialects_in_one_recipe_are_an_error(refuse, nova):
    error = refuse("model: openai.gpt-oss-20b\n" + nova)
    assert error.what == "two dialects in one recipe"
    assert error.found == "jobName and model"


def test_no_request_is_an_error_with_the_nearest_key(refuse):
    error = refuse("jobname: x\nlocal: {model: tiny, trainingData: problems, reward: gsm8k}\n")
    assert (error.where, error.what) == ("recipe.yaml:1", "no request found")
    assert error.hint == "did you mean jobName?"
    assert error.expected.endswith("rft init writes them")


def test_a_recipe_of_local_alone_says_what_to_add(refuse):
    error = refuse("local: {model: tiny, trainingData: problems, reward: gsm8k}\n")
    assert (error.what, error.found) == ("no request found", "nothing")
    assert error.hint == "add the arguments of create_model_customization_job"


@pytest.mark.parametrize(
    ("addition", "what"),
    [
        ("  seed: 1.5\n", "wrong type local.seed"),
        ("  seed: true\n", "wrong type local.seed"),
        ("  seed: -1\n", "unusable value local.seed"),
        ("  device: gpu\n", "unusable value local.device"),
        ("  dtype: float8\n", "unusable value local.dtype"),
        ("  payloadProfile: roots\n", "unusable value local.payloadProfile"),
        ("  lambda: {timeout: 1801}\n", "unusable value local.lambda.timeout"),
        ("  lambda: {memorySize: 64}\n", "unusable value local.lambda.memorySize"),
        ("  lambda: {environment: {A: 1}}\n", "wrong type local.lambda.environment.A"),
        ("  overrides: {learningRate: -1}\n", "unusable value local.overrides.learningRate"),
        ("  overrides: {n_epochs: 1}\n", "unknown key local.overrides.n_epochs"),
        ("  overrides: []\n", "wrong type local.overrides"),
        ("  training: {temperature: 0}\n", "unusable value local.training.temperature"),
        ("  training: {temperature: 1e-40}\n", "unusable value local.training.temperature"),
        ("  training: {method: lorra}\n", "unusable value local.training.method"),
        ("  reportTo: wandb\n", "wrong type local.reportTo"),
        ("  maxSteps: 0\n", "unusable value local.maxSteps"),
        ("  alsoGrade: gsm8k\n", "wrong type local.alsoGrade"),
        ('  alsoGrade: [""]\n', "unusable value local.alsoGrade.0"),
        ("  alsoGrade: [gsm8]\n", "no reward of that name is shipped"),
        (
            "  alsoGrade: [a/own.py, b/own.py]\n",
            "two rewards of local.alsoGrade have one name",
        ),
    ],
)
def test_a_wrong_local_value_names_its_line(refuse, addition, what, nova):
    error = refuse(nova + addition)
    assert (error.where, error.what) == ("recipe.yaml:19", what)
    assert error.expected
    assert error.found


def test_local_that_is_not_a_mapping_is_an_error(refuse, nova):
    error = refuse(nova.partition("local:")[0] + "local: [tiny]\n")
    assert (error.where, error.what) == ("recipe.yaml:15", "wrong type local")


@pytest.mark.parametrize("value", ["problem", "problems:", "problems:0", "problems:many"])
def test_a_bare_word_is_not_taken_for_a_data_file(refuse, value, nova):
    error = refuse(swap(nova, "data/train.jsonl", f'"{value}"'))
    assert (error.where, error.what) == ("recipe.yaml:17", "unknown data local.trainingData")
    assert error.expected.startswith("problems or orders")


def test_a_validation_file_needs_a_stand_in(refuse, nova):
    line = 'validationDataConfig: {validators: [{s3Uri: "s3://my-bucket/v.jsonl"}]}\n'
    error = refuse(line + nova)
    assert (error.where, error.what) == (
        "recipe.yaml:1",
        "nothing stands in for the validation file",
    )
    assert error.hint == "add local.validationData, or remove validationDataConfig"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "null\n"])
def test_an_empty_file_is_an_error(refuse, text):
    error = refuse(text)
    assert (error.what, error.found) == ("not a recipe", "nothing")


@pytest.mark.parametrize("text", ["[1, 2]\n", "words\n"])
def test_a_file_without_keys_is_an_error(refuse, text):
    assert refuse(text).what == "not a recipe"


@pytest.mark.parametrize(
    ("text", "line"),
    [("jobName: a\ncustomModelName: b: c\n", 2), ("jobName: [a\n", 2), ("a: 'b\n", 2)],
)
def test_broken_yaml_names_its_line(refuse, text, line):
    error = refuse(text)
    assert error.what == "not YAML"
    assert error.where == f"recipe.yaml:{line}"


def test_broken_json_names_its_line(refuse):
    error = refuse('{\n  "jobName": "a",\n  "customModelName" "b"\n}\n', name="recipe.json")
    assert (error.where, error.what) == ("recipe.json:3", "not YAML")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: &x 1\nb: *x\n", "anchors and aliases are not read"),
        ("a: !!python/object:os.system ls\n", "tags are not read"),
        ("a: !thing 1\n", "tags are not read"),
        ("[" * 60 + "]" * 60 + "\n", "nested too deep"),
        ("? [a, b]\n: 1\n", "a key is not a word"),
        (f"a: {'9' * 30}\n", "number too large"),
        ('a: "\\ud800"\n', "half a character"),
    ],
)
def test_yaml_beyond_plain_data_is_refused_by_line(refuse, text, what):
    error = refuse(text)
    assert (error.where, error.what) == ("recipe.yaml:1", what)


def test_a_second_document_is_refused(refuse, nova):
    assert refuse(nova + "---\na: 1\n").where == "recipe.yaml:19"


def test_a_file_that_is_too_large_is_not_read(refuse):
    assert refuse("#" * 1_000_001).what == "too large"


def test_a_file_that_is_not_utf_8_is_an_error(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"jobName: caf\xe9\n")
    with pytest.raises(RecipeError, match="not UTF-8") as caught:
        load_recipe(path)
    assert caught.value.found == "byte 0xe9 at position 12"


def test_a_missing_file_says_what_was_looked_for(tmp_path):
    with pytest.raises(RecipeError, match="can't read the recipe") as caught:
        load_recipe(tmp_path / "absent.yaml")
    assert caught.value.where.endswith("absent.yaml")
    assert caught.value.found == "No such file or directory"


def test_a_bare_name_that_is_not_shipped_names_the_nearest():
    with pytest.raises(RecipeError, match="no recipe of that name is shipped") as caught:
        load_recipe("quikstart")
    assert caught.value.hint == "did you mean quickstart?"


def test_an_unknown_bare_reward_names_its_line_and_the_nearest(refuse, nova):
    error = refuse(swap(nova, "reward: gsm8k", "reward: gms8k"))
    assert (error.where, error.what) == ("recipe.yaml:18", "no reward of that name is shipped")
    assert error.hint == "did you mean gsm8k?"


def test_an_error_prints_as_one_message_with_everything_in_it(write):
    path = write(json.dumps({"jobName": "a", "jobname": 1}), "recipe.json")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}:1: unknown key jobname"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["expected", "found", "next"]


@pytest.mark.parametrize(
    ("environment", "what", "found"),
    [
        ("{AWS_REGION: eu-west-1}", "variables that Lambda reserves", "AWS_REGION"),
        ("{MY-MODE: strict}", "variable's name", "'MY-MODE'"),
        ('{MODE: "a\\0b"}', "a NUL character", r"'a\x00b'"),
        (f"{{MODE: {'x' * 5000}}}", "larger than Lambda takes", "5,011 bytes"),
    ],
)
def test_variables_that_lambda_would_refuse_name_their_line(refuse, nova, environment, what, found):
    error = refuse(nova + f"  lambda:\n    environment: {environment}\n")
    assert error.where == "recipe.yaml:20"
    assert what in error.what
    assert error.found == found
