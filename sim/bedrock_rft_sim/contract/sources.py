"""The names of the documents every fact here rests on, written once so that they read the same.

Deliberately only names: what each document says stands beside the fact that uses it.
Sources: themselves, as read between December 2025 and November 2026.
"""

from __future__ import annotations

UG_RFT = "AWS Bedrock user guide, reinforcement-fine-tuning"
UG_NOVA = "AWS Bedrock user guide, rft-nova-models"
UG_SUBMIT = "AWS Bedrock user guide, rft-submit-job"
UG_DATA = "AWS Bedrock user guide, rft-prepare-data"
UG_DATA_OPEN_WEIGHT = "AWS Bedrock user guide, rft-prepare-data-open-weight"
UG_REWARD = "AWS Bedrock user guide, reward-functions"
UG_REWARD_OPEN_WEIGHT = "AWS Bedrock user guide, reward-functions-open-weight"
UG_OPENAI = "AWS Bedrock user guide, fine-tuning-openai-apis"
UG_OPENAI_JOBS = "AWS Bedrock user guide, fine-tuning-openai-job-create"
UG_MONITOR = "AWS Bedrock user guide, model-customization-monitor"
SERVICE_MODEL = "botocore service model bedrock/2023-04-20"
OPENAI_SCHEMA = "openai Python library, type definitions of fine_tuning.jobs"
NOVA_REWARD = "Amazon Nova guide, nova-implementing-reward-functions"
NOVA_RFT = "Amazon Nova guide, nova-rft"
NOVA_MONITORING = "Amazon Nova guide, nova-hp-rft-monitoring"
TEACHING = "AWS Machine Learning Blog, RFT for Amazon Nova: teaching AI through feedback"
NOVA_RECIPE = "Amazon Nova guide, nova-hp-rft-nova2"
BEST_PRACTICES = (
    "AWS Machine Learning Blog, reinforcement fine-tuning on Amazon Bedrock: best practices"
)
WALKTHROUGH = (
    "AWS Machine Learning Blog, RFT on Amazon Bedrock with OpenAI-compatible APIs: a walkthrough"
)
LAMBDA_REWARDS = (
    "AWS Machine Learning Blog, how to build effective reward functions with AWS Lambda"
)
SAMPLES = "aws-samples/amazon-bedrock-samples, bedrock-reinforcement-fine-tuning"
NOVA_SAMPLES = "aws-samples/amazon-nova-samples, customization"
FORGE_SDK = "aws/nova-forge-sdk, rft_lora template"
HYPERPOD_RECIPES = "aws/sagemaker-hyperpod-recipes, verl GRPO recipes"
HYPERPOD_NOVA = "aws/sagemaker-hyperpod-recipes, Nova RFT recipes"
LAMBDA_QUOTAS = "AWS Lambda developer guide, quotas"
LAMBDA_CONFIG = "AWS Lambda developer guide, function configuration"
LAMBDA_ENVIRONMENT = "AWS Lambda developer guide, Lambda execution environment"
LAMBDA_VARIABLES = "AWS Lambda developer guide, Lambda environment variables"
VERL = "volcengine/verl, PPO trainer"
TRL = "huggingface/trl, GRPOTrainer"
TORCH = "PyTorch, torch.optim.AdamW"
QLORA = "Dettmers et al. 2023, QLoRA"
NOWHERE = "no source found"
HERE = "this project's own choice"
