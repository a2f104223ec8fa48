import os
import subprocess
import sys
from pathlib import Path

import pytest

from bedrock_rft_sim.contract.knobs import hyperparameters
from bedrock_rft_sim.recipe.reader import read_document
from bedrock_rft_sim.recipe.schema import json_schema
from bedrock_rft_sim.recipe.shipped import shipped_recipes

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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("batchSize: 16", "batchsize: 16"),
        ("batchSize: 16", "batchSize: 4"),
        ("batchSize: 16", "reasoningEffort: hihg"),
        ("jobName: a-job\n", ""),
        ("REINFORCEMENT_FINE_TUNING", "FINE_TUNING"),
        ("  reward: gsm8k\n", ""),
        ("  reward: gsm8k\n", "  reward: gsm8k\n  overrides: {n_epochs: 1}\n"),
        ("  reward: gsm8k\n", "  reward: gsm8k\n  seed: -1\n"),
    ],
)
def test_the_schema_marks_what_is_wrong(old, new, nova, valid):
    assert old in nova
    assert not valid(nova.replace(old, new))


def test_the_schema_marks_what_is_wrong_on_the_open_weight_path(open_weight, valid):
    assert not valid(open_weight.replace("n_epochs", "n_epoch"))
    assert not valid(open_weight.replace("type: lambda", "type: python"))


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
