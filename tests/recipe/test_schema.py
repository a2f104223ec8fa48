import os
import subprocess
import sys
from pathlib import Path

import pytest

from bedrock_rft_sim.contract.knobs import hyperparameters
from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import parse_recipe
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.recipe.schema import json_schema
from bedrock_rft_sim.recipe.shipped import shipped_recipes
from tests.recipe.conftest import NOVA, OPEN_WEIGHT

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def valid():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    return lambda text: validator.is_valid(read_document(text, name="text").data)


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_schema_takes_every_shipped_recipe(name, valid):
    assert valid(shipped_recipes()[name].read_text(encoding="utf-8"))


def test_the_schema_takes_what_the_recipe_takes(nova, open_weight, valid):
    assert valid(nova + "  overrides: {learningRate: 0.01}\n  lambda: {timeout: 10}\n")
    assert valid(open_weight + "  overrides: {n_epochs: 2, evalInterval: 3}\n")


ARN = '      lambdaGrader: {lambdaArn: "arn:aws:lambda:us-east-1:123456789012:function:reward"}\n'
FUNCTION = '{function: "arn:aws:lambda:us-west-2:123456789012:function:reward"}'
TRAIN = '{s3Uri: "s3://my-bucket/train.jsonl"}'
LOGS = '{s3Uri: "s3://b/t", invocationLogsConfig: {invocationLogSource: {s3Uri: "s3://b/l"}}}'
BAD_NOVA = [
    *(("batchSize: 16", f"batchSize: {value}") for value in ("true", "16.5", "null", "[16]", "0")),
    *(("learningRate: 1e-5", f"learningRate: {value}") for value in ('"1e-5"', "0", "-1")),
    ("batchSize: 16", "batchsize: 16"),
    ("batchSize: 16", 'batchSize: "16"'),
    ("batchSize: 16", "trainingSamplePerPrompt: 1"),
    ("batchSize: 16", "maxPromptLength: 0"),
    ("batchSize: 16", "inferenceMaxTokens: -1"),
    ("batchSize: 16", "evalInterval: 0"),
    ("batchSize: 16", "epochCount: 0"),
    ("batchSize: 16", "reasoningEffort: hihg"),
    ("batchSize: 16", "reasoningEffort: 3"),
    ("jobName: a-job\n", ""),
    ("jobName: a-job\n", "jobName: 7\n"),
    ("jobName: a-job\n", "jobName: a-job\nmodel: openai.gpt-oss-20b\n"),
    ("REINFORCEMENT_FINE_TUNING", "FINE_TUNING"),
    ("customizationType: REINFORCEMENT_FINE_TUNING\n", ""),
    (ARN, "      lambdaGrader: {}\n"),
    (ARN, "      {}\n"),
    (f"    graderConfig:\n{ARN}", ""),
    (TRAIN, "{}"),
    (TRAIN, LOGS),
    ('{s3Uri: "s3://my-bucket/output/"}', "{}"),
    ("  model: tiny\n", '  model: ""\n'),
    ("  model: tiny\n", "  model: 1\n"),
    ("  reward: gsm8k\n", ""),
]
BAD_OPEN_WEIGHT = [
    *(("n_epochs: 1", f"n_epochs: {value}") for value in ("0", "true", "1.5")),
    *(("batch_size: 4", f"batch_size: {value}") for value in ("0", '"4"', "4.5")),
    ("n_epochs", "n_epoch"),
    ("multiplier: 1.0", "multiplier: 0"),
    ("type: lambda", "type: python"),
    ("type: reinforcement", "type: supervised"),
    ("training_file: file-abc123\n", ""),
    ("training_file: file-abc123", "training_file: 7"),
    ("model: openai.gpt-oss-20b\n", ""),
    (FUNCTION, "{}"),
    (f"      lambda: {FUNCTION}\n", ""),
]
BAD_LOCAL = (
    "seed: 1.5", "seed: true", "seed: -1", "seed: 4294967296", "device: gpu", "dtype: float8",
    "engine: sglang", 'handler: ""', "payloadProfile: roots", 'wrapStringAsText: "yes"',
    "lambda: {timeout: 1801}", "lambda: {memorySize: 64}", "lambda: {environment: {A: 1}}",
    "lambda: {timeuot: 10}", "lambda: null", "overrides: {learningRate: -1}",
    "overrides: {learning_rate: 1}", "overrides: []", "overrides: null",
    "training: {temperature: 0}", "training: {method: lorra}", "reportTo: wandb",
    "reportTo: [wandbb]", "maxSteps: 0", "maxSteps: 1.5", "validationPrompts: 0", "rewrad: x",
    "earlyStopping: {patience: 0}", "earlyStopping: true", "chatTemplateKwargs: []",
)  # fmt: skip


def bad_texts():
    for text, table in ((NOVA, BAD_NOVA), (OPEN_WEIGHT, BAD_OPEN_WEIGHT)):
        for old, new in table:
            assert old in text
            yield text.replace(old, new, 1)
        yield from (f"{text}  {line}\n" for line in BAD_LOCAL)
        yield f"{text.partition('local:')[0]}local: [tiny]\n"
        yield text.partition("local:")[0]


def test_the_schema_refuses_what_the_check_refuses_by_shape(valid):
    for text in bad_texts():
        with pytest.raises(RecipeError):
            parse_recipe(text, name="recipe.yaml")
        assert not valid(text), text


def test_the_schema_marks_what_bedrock_alone_would_refuse(nova, valid):
    text = nova.replace("batchSize: 16", "batchSize: 4")
    assert parse_recipe(text, name="recipe.yaml").refusals
    assert not valid(text)


def test_every_hyperparameter_says_what_the_rehearsal_does_with_it():
    bedrock, openai = json_schema()["anyOf"]
    rft = bedrock["properties"]["customizationConfig"]["properties"]["rftConfig"]["properties"]
    method = openai["properties"]["method"]["properties"]["reinforcement"]["properties"]
    for dialect, known in (
        ("bedrock", rft["hyperParameters"]["properties"]),
        ("openai", method["hyperparameters"]["properties"]),
    ):
        assert all(known[name]["description"] for name in hyperparameters(dialect))


def test_the_generated_documents_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "scripts/docs", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "sim")},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
