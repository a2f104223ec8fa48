"""A rehearsal as a SageMaker training job on one spot instance of eight GPUs, which goes on.

python configs/cluster/sagemaker_job.py

It needs `pip install "sagemaker>=3.27,<4"`, and in place of those below a role of yours, a bucket,
and an image with bedrock-rft-sim, bash and pip. SageMaker copies the run folder to the bucket and
back, for each instance by itself: for several, RUNS must be on a disk that they share, such as FSx
for Lustre as an input channel.
"""

from sagemaker.core.training.configs import (
    CheckpointConfig,
    Compute,
    SourceCode,
    StoppingCondition,
)
from sagemaker.train import ModelTrainer

RUN = "my-rehearsal"
COMMAND = (
    'resume=$(test -e "$RUNS/$RUN/run.json" && echo --resume || true); '
    'torchrun --nnodes "$SM_HOST_COUNT" --node_rank "$SM_CURRENT_HOST_RANK" '
    '--nproc_per_node "$SM_NUM_GPUS" '
    '--master_addr "$SM_MASTER_ADDR" --master_port "$SM_MASTER_PORT" '
    '-m bedrock_rft_sim run "$RECIPE" --out "$RUNS" --name "$RUN" $resume'
)
"""The same as `Torchrun()` starts, which takes a script and no module."""

ModelTrainer(
    training_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/bedrock-rft-sim:latest",
    role="arn:aws:iam::123456789012:role/SageMakerRole",
    base_job_name=RUN,
    source_code=SourceCode(source_dir=".", command=COMMAND),
    environment={"RECIPE": "recipe.yaml", "RUN": RUN, "RUNS": "/opt/ml/checkpoints"},
    compute=Compute(
        instance_type="ml.p4d.24xlarge", instance_count=1, enable_managed_spot_training=True
    ),
    checkpoint_config=CheckpointConfig(s3_uri=f"s3://my-bucket/rehearsals/{RUN}"),
    stopping_condition=StoppingCondition(
        max_runtime_in_seconds=24 * 3600, max_wait_time_in_seconds=48 * 3600
    ),
).train(wait=False)
