"""Documented limits that a request, a data file or a reward must stay within.

Deliberately leaves out whatever botocore's service model already states (shapes, ranges,
patterns): `bedrock_rft_sim.recipe.dialects.bedrock` reads those from the model itself.
Sources: named beside each constant.
"""

from __future__ import annotations

from typing import Final

# Records in the training file; the best-practices blog says 10,000 at most, every other source
# 20,000 (Bedrock user guide rft-nova-models and rft-prepare-data-open-weight, nova-forge-sdk).
RECORDS_MIN: Final = 100
RECORDS_MAX: Final = 20_000

# Inferred: nothing is said for RFT, so the general limit of a synchronous invocation holds, for
# the request and for the response (AWS Lambda developer guide, quotas).
LAMBDA_PAYLOAD_BYTES: Final = 6 * 1024 * 1024

# AWS Lambda developer guide, and Bedrock user guide reward-functions-open-weight.
LAMBDA_TIMEOUT_S_DEFAULT: Final = 3
LAMBDA_TIMEOUT_S_DOCUMENTED: Final = 900
# botocore 1.44.8 names 1,800 s where 1.44.5 named 900; seen on 2026-11-26, when the stored guides
# still said 900.
LAMBDA_TIMEOUT_S_MAX: Final = 1800
LAMBDA_MEMORY_MB_MIN: Final = 128
LAMBDA_MEMORY_MB_MAX: Final = 10_240

# "after three failed retries": AWS Machine Learning Blog on Lambda reward functions.
GRADER_RETRIES: Final = 3

# SageMaker's lambda_batch_size (Nova guide, nova-implementing-reward-functions); Bedrock's own
# number of samples per event is not known.
SAMPLES_PER_EVENT: Final = 64

# Bedrock model id -> Regions in which RFT is offered (Bedrock user guide, rft-nova-models and
# fine-tuning-openai-apis). The guide and the sample notebook spell the Qwen id differently.
NOVA_RFT_MODELS: Final = {"amazon.nova-2-lite-v1:0:256k": ("us-east-1",)}
OPEN_WEIGHT_RFT_MODELS: Final = {
    "openai.gpt-oss-20b": ("us-west-2",),
    "qwen.qwen3-32b": ("us-west-2",),
    "qwen.qwen3-32b-v1:0": ("us-west-2",),
}

# botocore's LambdaArn shape, used for the open-weight request too, which has no service model.
LAMBDA_ARN_PATTERN: Final = (
    r"arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2}(-gov)?-[a-z]+-\d{1}:\d{12}:function:"
    r"[a-zA-Z0-9-_\.]+(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
LAMBDA_ARN_MAX_LENGTH: Final = 512

# Substrings that a sample validator forbids in content, ignoring case; whether the service
# enforces them for RFT is not known (aws-samples/amazon-nova-samples, customization).
FORBIDDEN_SUBSTRINGS: Final = (
    "System:", "SYSTEM:", "User:", "USER:", "Bot:", "BOT:", "Assistant:", "ASSISTANT:", "Thought:",
    "[EOS]", "<image>", "<video>", "<unk>",
)  # fmt: skip

# Share of sampled answers the base model should get right before RFT makes sense (Nova guide,
# RFT pages; AWS Machine Learning Blog).
BASE_SUCCESS_MIN: Final = 0.05
BASE_SUCCESS_MAX: Final = 0.95
# A training reward that stays below this calls for another reward or other data (same sources).
STUCK_REWARD: Final = 0.15
