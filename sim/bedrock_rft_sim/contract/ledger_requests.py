"""The ledger's rows for the fields of the two requests.

Deliberately one row per field that can differ in fate; a parent's row covers what is below it.
Sources: botocore service model bedrock/2023-04-20; AWS Bedrock user guide, rft-submit-job and
fine-tuning-openai-job-create; named in each row.
"""

from __future__ import annotations

from typing import Final

from bedrock_rft_sim.contract import sources
from bedrock_rft_sim.contract.ledger_row import Fidelity, LedgerRow

_HYPER: Final = "customizationConfig.rftConfig.hyperParameters"
_OPENAI_HYPER: Final = "method.reinforcement.hyperparameters"


def _nova(
    knob: str,
    rehearsal: str,
    fidelity: Fidelity,
    why: str,
    *,
    source: str = sources.SERVICE_MODEL,
    settings: tuple[str, ...] = (),
) -> LedgerRow:
    return LedgerRow(knob, rehearsal, fidelity, why, source, settings, "bedrock")


def _open(
    knob: str,
    rehearsal: str,
    fidelity: Fidelity,
    why: str,
    *,
    source: str = sources.UG_OPENAI_JOBS,
    settings: tuple[str, ...] = (),
) -> LedgerRow:
    return LedgerRow(knob, rehearsal, fidelity, why, source, settings, "openai")


BEDROCK_FIELDS: Final[tuple[LedgerRow, ...]] = (
    _nova("jobName", "checked; names the run", "exact", "the same length and pattern"),
    _nova("customModelName", "checked, otherwise unused", "ignored", "no model is registered"),
    _nova("roleArn", "checked for its form", "ignored", "nothing is done under an AWS role"),
    _nova(
        "clientRequestToken",
        "checked for its form",
        "ignored",
        "a run's name is never reused, so there is nothing to make idempotent",
    ),
    _nova(
        "baseModelIdentifier",
        "checked; local.model is trained instead",
        "approximate",
        "a small open model stands in for the cloud model, so only shapes of curves compare",
        source=sources.UG_NOVA,
    ),
    _nova(
        "customizationType",
        "must be REINFORCEMENT_FINE_TUNING",
        "exact",
        "optional in the service model, needed in practice",
        source=sources.UG_SUBMIT,
    ),
    _nova("customModelKmsKeyId", "checked for its form", "ignored", "nothing is encrypted here"),
    _nova("jobTags", "checked", "ignored", "there is no account to tag in"),
    _nova("customModelTags", "checked", "ignored", "there is no account to tag in"),
    _nova("vpcConfig", "checked", "ignored", "the reward runs in a child process on this machine"),
    _nova(
        "trainingDataConfig.s3Uri",
        "checked for its form; local.trainingData is read instead",
        "exact",
        "the same JSONL file is meant to stand in both places; nothing is downloaded",
        source=sources.UG_DATA,
    ),
    _nova(
        "trainingDataConfig.invocationLogsConfig",
        "checked; local.trainingData is read instead, filters are not applied",
        "ignored",
        "the service turns stored logs into prompts; here the prompts must already be a file",
        source=sources.UG_DATA,
    ),
    _nova(
        "validationDataConfig.validators",
        "checked; local.validationData is read instead, as one set",
        "approximate",
        "the API, the console and the notebooks take a validation set; nova-forge-sdk and the "
        "sample validator say that Nova 2 Lite does not",
        source=f"{sources.SERVICE_MODEL}; {sources.FORGE_SDK}",
    ),
    _nova(
        "outputDataConfig.s3Uri",
        "checked for its form; everything goes to the run folder",
        "ignored",
        "nothing is uploaded",
    ),
    _nova(
        "hyperParameters",
        "reported as something Bedrock would refuse",
        "ignored",
        "the top-level strings are for supervised fine-tuning",
        source=sources.FORGE_SDK,
    ),
    _nova(
        "customizationConfig.rftConfig.graderConfig.lambdaGrader.lambdaArn",
        "checked; local.reward runs instead, under this function's name and Region",
        "exact",
        "the same handler file, driven through the Lambda runtime interface",
        source=sources.UG_REWARD,
    ),
    _nova(
        f"{_HYPER}.epochCount",
        "that many passes over the prompts",
        "exact",
        "a pass has floor(prompts / batchSize) steps",
        source=sources.BEST_PRACTICES,
        settings=("epochs",),
    ),
    _nova(
        f"{_HYPER}.batchSize",
        "prompts per step",
        "exact",
        "one step is batchSize prompts times trainingSamplePerPrompt rollouts",
        source=sources.BEST_PRACTICES,
        settings=("batch_size",),
    ),
    _nova(
        f"{_HYPER}.learningRate",
        "AdamW's rate, constant",
        "approximate",
        "Bedrock's optimizer and schedule are not published; a small model bears a higher rate",
        source=sources.BEST_PRACTICES,
        settings=("learning_rate",),
    ),
    _nova(
        f"{_HYPER}.maxPromptLength",
        "longer prompts are dropped and counted",
        "approximate",
        "the rule is the same, but the tokens are the local model's tokens",
        source=sources.BEST_PRACTICES,
        settings=("max_prompt_length",),
    ),
    _nova(
        f"{_HYPER}.trainingSamplePerPrompt",
        "rollouts per prompt, i.e. the GRPO group",
        "exact",
        "at least 2, because a group of one has nothing to be compared with",
        source=sources.UG_SUBMIT,
        settings=("samples_per_prompt",),
    ),
    _nova(
        f"{_HYPER}.inferenceMaxTokens",
        "answers are cut there, graded as they are, and counted",
        "approximate",
        "the tokens are the local model's tokens; how Bedrock grades a cut answer is not known",
        source=sources.BEST_PRACTICES,
        settings=("inference_max_tokens",),
    ),
    _nova(
        f"{_HYPER}.reasoningEffort",
        "handed to the chat template; a model without such a thing is not affected",
        "ignored",
        "the stand-in models do not reason by effort",
        source=sources.SAMPLES,
        settings=("reasoning_effort",),
    ),
    _nova(
        f"{_HYPER}.evalInterval",
        "validation every so many steps, and at step 0 and the end",
        "exact",
        "unset, both take min(10, dataset / batch); dataset is counted after the length filter",
        source=sources.BEST_PRACTICES,
        settings=("eval_interval",),
    ),
)

OPENAI_FIELDS: Final[tuple[LedgerRow, ...]] = (
    _open(
        "model",
        "checked; local.model is trained instead",
        "approximate",
        "a small open model stands in for the cloud model, so only shapes of curves compare",
        source=sources.UG_OPENAI,
    ),
    _open(
        "training_file",
        "checked for presence; local.trainingData is read instead",
        "exact",
        "the same JSONL file is meant to stand in both places; nothing is downloaded",
        source=sources.UG_DATA_OPEN_WEIGHT,
    ),
    _open("method.type", "must be reinforcement", "exact", "the only method rehearsed here"),
    _open(
        "method.reinforcement.grader.type",
        "must be lambda",
        "exact",
        "the only grader that Bedrock documents",
    ),
    _open(
        "method.reinforcement.grader.lambda.function",
        "checked; local.reward runs instead, under this function's name and Region",
        "exact",
        "the same handler file, driven through the Lambda runtime interface",
        source=sources.UG_REWARD_OPEN_WEIGHT,
    ),
    _open(
        f"{_OPENAI_HYPER}.n_epochs",
        "that many passes over the prompts",
        "exact",
        "a pass has floor(prompts / batch_size) steps; unset is assumed to be 1",
        settings=("epochs",),
    ),
    _open(
        f"{_OPENAI_HYPER}.batch_size",
        "prompts per step",
        "exact",
        "the published run's 67 steps and multiples of 1/32 follow; unset is assumed to be 128",
        source=sources.SAMPLES,
        settings=("batch_size",),
    ),
    _open(
        f"{_OPENAI_HYPER}.learning_rate_multiplier",
        "scales a base rate of 1e-5, or local.overrides.learningRate",
        "assumed",
        "Bedrock's base rate is not published; 1e-5 is that of AWS's LoRA recipes for verl",
        source=sources.HYPERPOD_RECIPES,
        settings=("learning_rate",),
    ),
    _open(
        f"{_OPENAI_HYPER}.eval_interval",
        "used, and reported as something Bedrock does not document",
        "unknown",
        "a key of OpenAI's schema; no Bedrock example shows it",
        source=sources.OPENAI_SCHEMA,
        settings=("eval_interval",),
    ),
    _open(
        f"{_OPENAI_HYPER}.eval_samples",
        "reported as something Bedrock does not document; one greedy answer per prompt",
        "ignored",
        "a key of OpenAI's schema; no Bedrock example shows it",
        source=sources.OPENAI_SCHEMA,
    ),
    _open(
        f"{_OPENAI_HYPER}.compute_multiplier",
        "reported as something Bedrock does not document",
        "ignored",
        "a key of OpenAI's schema; no Bedrock example shows it",
        source=sources.OPENAI_SCHEMA,
    ),
    _open(
        f"{_OPENAI_HYPER}.reasoning_effort",
        "handed to the chat template, and reported as something Bedrock does not document",
        "ignored",
        "a key of OpenAI's schema; a model without such a thing is not affected",
        source=sources.OPENAI_SCHEMA,
        settings=("reasoning_effort",),
    ),
    _open(
        "suffix",
        "reported as something Bedrock would refuse",
        "ignored",
        "named as unsupported",
    ),
    _open(
        "validation_file",
        "reported as something Bedrock does not document; local.validationData is read instead",
        "unknown",
        "a key of OpenAI's schema; no Bedrock example shows it",
        source=sources.OPENAI_SCHEMA,
    ),
    _open(
        "seed",
        "reported as something Bedrock does not document; local.seed is used instead",
        "ignored",
        "a key of OpenAI's schema; no Bedrock example shows it",
        source=sources.OPENAI_SCHEMA,
    ),
    _open(
        "metadata",
        "reported as something Bedrock does not document",
        "ignored",
        "a key of OpenAI's schema; no Bedrock example shows it",
        source=sources.OPENAI_SCHEMA,
    ),
    _open(
        "integrations",
        "reported as something Bedrock does not document",
        "ignored",
        "a key of OpenAI's schema; no Bedrock example shows it",
        source=sources.OPENAI_SCHEMA,
    ),
    _open(
        "hyperparameters",
        "reported as something Bedrock does not document",
        "ignored",
        "OpenAI's older place for them; no Bedrock example shows it",
        source=sources.OPENAI_SCHEMA,
    ),
)
