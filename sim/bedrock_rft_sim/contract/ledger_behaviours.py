"""The ledger's rows for what the service does without being asked.

Deliberately names what is not simulated too, and where two sources contradict each other.
Sources: named in each row.
"""

from __future__ import annotations

from typing import Final

from bedrock_rft_sim.contract import sources
from bedrock_rft_sim.contract.ledger_row import LedgerRow

_DATA: Final = (
    LedgerRow(
        "number of records",
        "100 to 20,000, counted for training; more or fewer can still be rehearsed",
        "exact",
        "one AWS blog says 10,000 at most, every other source 20,000",
        f"{sources.UG_NOVA}; {sources.UG_DATA_OPEN_WEIGHT}",
    ),
    LedgerRow(
        "over-long prompts",
        "dropped before the steps are counted, and named",
        "exact",
        "AWS says that they are filtered out; its verl recipes set filter_overlong_prompts",
        f"{sources.BEST_PRACTICES}; {sources.HYPERPOD_RECIPES}",
    ),
    LedgerRow(
        "order of prompts",
        "as in the file, in every epoch",
        "assumed",
        "AWS's own recipes do not shuffle; Bedrock's order is not published",
        sources.HYPERPOD_RECIPES,
        ("shuffle",),
    ),
    LedgerRow(
        "last partial batch",
        "dropped, so an epoch has floor(prompts / batch) steps",
        "exact",
        "verl's loader drops it; 270 prompts in batches of 4 gave the published 67 steps",
        f"{sources.VERL}; {sources.SAMPLES}",
    ),
    LedgerRow(
        "validation split",
        "0.9 to 0.1 with seed 42 when no validation set is given",
        "assumed",
        "the split of AWS's verl recipes; 300 records and 67 published steps agree with it, "
        "which records go where is not known",
        f"{sources.HYPERPOD_RECIPES}; {sources.SAMPLES}",
        ("validation_split", "validation_split_seed"),
        "openai",
    ),
    LedgerRow(
        "validation split",
        "none: a file without a validation set is not validated; built-in problems bring their own",
        "exact",
        "the console's validation graphs appear only with a validation set",
        sources.BEST_PRACTICES,
        ("validation_split", "validation_split_seed"),
        "bedrock",
    ),
    LedgerRow(
        "validation sampling",
        "greedy, one answer per prompt, at step 0, every evalInterval steps and at the end",
        "assumed",
        "how AWS's verl recipes validate; Bedrock's way is not published",
        sources.HYPERPOD_RECIPES,
    ),
    LedgerRow(
        "chat template",
        "the local model's own",
        "approximate",
        "each model has its own prompt format; prompts differ in tokens, not in words",
        sources.HYPERPOD_RECIPES,
    ),
    LedgerRow(
        "tools in a record",
        "handed to the reward unchanged, not to the model",
        "ignored",
        "AWS's own validators disagree on whether they are required or may be left out",
        f"{sources.NOVA_SAMPLES}; {sources.FORGE_SDK}",
    ),
)

_ALGORITHM: Final = (
    LedgerRow(
        "algorithm",
        "GRPO by TRL's GRPOTrainer",
        "approximate",
        "AWS names GRPO; that Bedrock runs verl is inferred from its metric names and recipes",
        f"{sources.WALKTHROUGH}; {sources.HYPERPOD_RECIPES}",
    ),
    LedgerRow(
        "advantages",
        "(reward - group mean) / (group standard deviation + 1e-4) in the loss",
        "approximate",
        "TRL's constant is 1e-4, verl's 1e-6; the reported advantages use verl's",
        f"{sources.TRL}; {sources.VERL}",
    ),
    LedgerRow(
        "loss aggregation",
        "mean over all response tokens of the step",
        "exact",
        "loss_agg_mode token-mean of AWS's verl recipes; that Bedrock uses them is inferred",
        sources.HYPERPOD_RECIPES,
    ),
    LedgerRow(
        "clipping",
        "probability ratio within 1 ± 0.2; no dual clip",
        "approximate",
        "AWS's recipes add a dual clip of 3, which TRL does not have; with one update per batch "
        "neither of the two ever acts",
        f"{sources.HYPERPOD_RECIPES}; {sources.TRL}",
        ("clip_range",),
    ),
    LedgerRow(
        "KL penalty",
        "0.001 in the loss, k3 estimator",
        "approximate",
        "verl clamps the estimator, TRL does not; Bedrock's coefficient is not published",
        f"{sources.HYPERPOD_RECIPES}; {sources.TRL}",
        ("kl_coefficient",),
    ),
    LedgerRow(
        "KL in the reward",
        "never: the reported reward is the mean grade",
        "approximate",
        "a published log of Nova's trainer on SageMaker has it, with coefficient 0.02, so the "
        "cloud's reward curve may differ from its mean grade",
        sources.FORGE_SDK,
        dialect="bedrock",
    ),
    LedgerRow(
        "KL in the reward",
        "never: the reported reward is the mean grade",
        "assumed",
        "use_kl_in_reward is false in AWS's verl recipes",
        sources.HYPERPOD_RECIPES,
        dialect="openai",
    ),
    LedgerRow(
        "updates per batch",
        "one, on policy, so actor_pg_loss is minus critic_advantages_mean",
        "assumed",
        "the one published event breaks that identity, so Bedrock's sampler and trainer may "
        "differ slightly or split the batch",
        f"{sources.HYPERPOD_RECIPES}; {sources.SAMPLES}",
    ),
    LedgerRow(
        "entropy bonus",
        "none",
        "assumed",
        "0 in AWS's verl recipes, 0.001 in one Nova recipe for HyperPod",
        f"{sources.HYPERPOD_RECIPES}; {sources.HYPERPOD_NOVA}",
    ),
    LedgerRow(
        "optimizer",
        "AdamW 0.9/0.999, constant rate, weight decay 0.01, gradient clip 1.0",
        "assumed",
        "AWS's verl recipes and PyTorch's own betas; one Nova recipe has 0.9/0.95 and no decay",
        f"{sources.HYPERPOD_RECIPES}; {sources.TORCH}; {sources.HYPERPOD_NOVA}",
        ("gradient_clip", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon"),
    ),
    LedgerRow(
        "LoRA",
        "rank 32, alpha 64, all linear layers",
        "assumed",
        "AWS states rank 32 for Bedrock; alpha and the layers are those of its recipes",
        f"{sources.BEST_PRACTICES}; {sources.HYPERPOD_RECIPES}",
        ("lora_rank", "lora_alpha"),
    ),
    LedgerRow(
        "full fine-tuning of the embedded model",
        "the model `tiny` is trained whole unless local.training.method says lora",
        "approximate",
        "it is too small for adapters to move it far; Bedrock trains LoRA adapters",
        sources.HERE,
        ("training",),
    ),
    LedgerRow(
        "sampling",
        "temperature 1.0, top_p 1, no top_k",
        "assumed",
        "AWS's verl recipes; one Nova recipe has top_k 1; Bedrock's values are not published",
        f"{sources.HYPERPOD_RECIPES}; {sources.HYPERPOD_NOVA}",
        ("temperature", "top_p", "top_k"),
    ),
    LedgerRow(
        "policy entropy",
        "token-mean entropy in nats, logits divided by the temperature, before the update",
        "exact",
        "verl's definition; its level depends on the model, so only the shape compares",
        sources.VERL,
    ),
    LedgerRow(
        "asynchronous training",
        "none: every rollout comes from the current policy",
        "assumed",
        "a Nova recipe for HyperPod trains up to two steps off policy; Bedrock's way is not "
        "published",
        sources.HYPERPOD_NOVA,
    ),
    LedgerRow(
        "number format",
        "float32 weights; sums in bfloat16 on a GPU made for it, or as local.dtype says",
        "unknown",
        "Bedrock's is not published",
        sources.NOWHERE,
    ),
    LedgerRow(
        "early stopping",
        "off, unless local.earlyStopping gives patience and minGain on the validation reward",
        "assumed",
        "an AWS blog says that it is on by default, yet no API has such a field and AWS's own "
        "recipes carry enable false, min_delta 0.0, patience 3, whose numbers are the defaults",
        f"{sources.BEST_PRACTICES}; {sources.HYPERPOD_RECIPES}",
    ),
    LedgerRow(
        "random seed",
        "local.seed seeds everything random",
        "unknown",
        "no request has a seed that Bedrock documents",
        sources.NOWHERE,
        ("seed",),
    ),
    LedgerRow(
        "length of a run",
        "all steps, or local.maxSteps if that is fewer",
        "exact",
        "AWS says that a job ends when the data is used up or when it is stopped",
        sources.UG_RFT,
        ("max_steps",),
    ),
    LedgerRow(
        "lengths and group size of the open-weight path",
        "8 rollouts, prompts up to 512 tokens, answers up to 1024, validation every 5 steps",
        "assumed",
        "the API has no such fields; 8 rollouts agree with the published multiples of 1/32",
        f"{sources.HYPERPOD_RECIPES}; {sources.SAMPLES}",
        ("samples_per_prompt", "max_prompt_length", "inference_max_tokens", "eval_interval"),
        "openai",
    ),
    LedgerRow(
        "checkpoints",
        "every 20 steps and at the end",
        "assumed",
        "save_freq of AWS's verl recipes; the published run of 67 steps has four checkpoints",
        f"{sources.HYPERPOD_RECIPES}; {sources.SAMPLES}",
        ("checkpoint_interval",),
    ),
)

_GRADER: Final = (
    LedgerRow(
        "payload profile",
        "the reference in metadata, at the root, or in both places (the default)",
        "unknown",
        "AWS's user guide and AWS's own samples put it in different places",
        f"{sources.UG_REWARD}; {sources.SAMPLES}",
    ),
    LedgerRow(
        "reference answer that is a plain string",
        'wrapped as {"text": ...} on the open-weight path',
        "assumed",
        "AWS's sample grader reads it so, though its data holds a plain string",
        sources.SAMPLES,
        dialect="openai",
    ),
    LedgerRow(
        "role of the graded turn",
        "assistant",
        "assumed",
        "some samples also look for nova_assistant",
        f"{sources.UG_REWARD}; {sources.NOVA_SAMPLES}",
    ),
    LedgerRow(
        "samples per Lambda event",
        "local.lambda.batchSize, 64 if unset",
        "assumed",
        "SageMaker's default; Bedrock's number is not published",
        sources.NOVA_REWARD,
    ),
    LedgerRow(
        "Lambda concurrency",
        "local.lambda.containers warm containers, 1 if unset",
        "assumed",
        "SageMaker's recipes have 12 and 100; Bedrock says only that it manages concurrency",
        f"{sources.HYPERPOD_NOVA}; {sources.WALKTHROUGH}",
    ),
    LedgerRow(
        "Lambda timeout",
        "local.lambda.timeout, 3 seconds if unset, 900 at most, enforced by killing the process",
        "exact",
        "Lambda's own default and limit",
        f"{sources.UG_REWARD_OPEN_WEIGHT}; {sources.LAMBDA_QUOTAS}",
    ),
    LedgerRow(
        "Lambda memory",
        "local.lambda.memorySize, 512 MB if unset, enforced by a limit on the process",
        "approximate",
        "Lambda's own default is 128 MB, AWS's reward samples have 512; processor share does not "
        "scale with memory here",
        f"{sources.LAMBDA_CONFIG}; {sources.LAMBDA_REWARDS}",
    ),
    LedgerRow(
        "Lambda payload",
        "6 MB for the event and for the answer",
        "assumed",
        "Lambda's limit for synchronous calls; nothing is said for RFT",
        sources.LAMBDA_QUOTAS,
    ),
    LedgerRow(
        "Lambda retries",
        "three, with growing pauses, then the run fails",
        "approximate",
        "AWS names three retries with exponential backoff, not the pauses",
        sources.LAMBDA_REWARDS,
    ),
    LedgerRow(
        "invalid answer of the reward",
        "missing, unknown or repeated ids, NaN and non-numbers end the run, never a score of 0",
        "unknown",
        "AWS's table says that training fails with format errors; the details are not published",
        f"{sources.NOVA_RECIPE}; {sources.FORGE_SDK}",
    ),
    LedgerRow(
        "range of the reward",
        "any finite number, never clipped",
        "unknown",
        "sources say 0 to 1, -1 to 1 and task-defined; none says that the service clips",
        f"{sources.WALKTHROUGH}; {sources.LAMBDA_REWARDS}; {sources.NOVA_REWARD}",
    ),
    LedgerRow(
        "metrics_list",
        "recorded and averaged by name; only aggregate_reward_score trains",
        "exact",
        "for display only",
        sources.UG_REWARD,
    ),
)

_JOB: Final = (
    LedgerRow(
        "job phases",
        "not reported: a run has one status from start to end",
        "ignored",
        "Bedrock reports validation, data processing and training; the API text ties these phases "
        "to distillation jobs",
        f"{sources.SERVICE_MODEL}; {sources.UG_MONITOR}",
    ),
    LedgerRow(
        "job status",
        "Bedrock's words: InProgress, Completed, Failed, Stopping, Stopped",
        "exact",
        "from the service model",
        sources.SERVICE_MODEL,
    ),
    LedgerRow(
        "job events",
        "one metrics event per step in the published wording; other messages are ours",
        "approximate",
        "one event is published, the wording of the rest is not",
        sources.SAMPLES,
    ),
    LedgerRow(
        "resume",
        "a killed run can be continued here",
        "approximate",
        "Bedrock has no pause or resume for customization jobs",
        sources.SERVICE_MODEL,
    ),
    LedgerRow(
        "step_wise_training_metrics.csv",
        "the columns of Nova's training jobs on SageMaker",
        "assumed",
        "the layout of RFT output on Bedrock is not published; the columns mirror its graphs",
        sources.NOVA_SAMPLES,
    ),
    LedgerRow(
        "invocation, permissions, network",
        "the handler is called directly, without IAM",
        "ignored",
        "a role that may not invoke the function fails only in the cloud",
        sources.UG_RFT,
    ),
)

BEHAVIOURS: Final[tuple[LedgerRow, ...]] = (*_DATA, *_ALGORITHM, *_GRADER, *_JOB)
