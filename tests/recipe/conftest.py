from pathlib import Path

import pytest

from bedrock_rft_sim.errors import RecipeError
from bedrock_rft_sim.recipe import load_recipe

NOVA = """\
jobName: a-job
customModelName: a-model
roleArn: arn:aws:iam::123456789012:role/BedrockRFTRole
baseModelIdentifier: amazon.nova-2-lite-v1:0:256k
customizationType: REINFORCEMENT_FINE_TUNING
trainingDataConfig: {s3Uri: "s3://my-bucket/train.jsonl"}
outputDataConfig: {s3Uri: "s3://my-bucket/output/"}
customizationConfig:
  rftConfig:
    graderConfig:
      lambdaGrader: {lambdaArn: "arn:aws:lambda:us-east-1:123456789012:function:reward"}
    hyperParameters:
      batchSize: 16
      learningRate: 1e-5
local:
  model: tiny
  trainingData: data/train.jsonl
  reward: gsm8k
"""
OPEN_WEIGHT = """\
model: openai.gpt-oss-20b
training_file: file-abc123
method:
  type: reinforcement
  reinforcement:
    grader:
      type: lambda
      lambda: {function: "arn:aws:lambda:us-west-2:123456789012:function:reward"}
    hyperparameters:
      n_epochs: 1
      batch_size: 4
      learning_rate_multiplier: 1.0
local:
  model: tiny
  trainingData: problems
  reward: gsm8k
"""


@pytest.fixture(scope="session")
def nova() -> str:
    return NOVA


@pytest.fixture(scope="session")
def open_weight() -> str:
    return OPEN_WEIGHT


@pytest.fixture
def write(tmp_path: Path):
    def write_text(text: str, name: str = "recipe.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


@pytest.fixture
def refuse(write):
    """Load a text that can't be rehearsed and give the error, its place without the folder."""

    def refuse_text(text: str, sets=(), name: str = "recipe.yaml") -> RecipeError:
        path = write(text, name)
        with pytest.raises(RecipeError) as caught:
            load_recipe(path, sets=sets)
        error = caught.value
        error.where = error.where and error.where.replace(f"{path.parent}/", "")
        return error

    return refuse_text
