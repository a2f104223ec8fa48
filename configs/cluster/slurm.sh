#!/bin/bash
# A rehearsal on two machines of eight GPUs; queued again, by Slurm or by you, it goes on.
# RECIPE=recipe.yaml RUN=my-rehearsal sbatch configs/cluster/slurm.sh
# It needs `rft` on the machines (activate its environment before sbatch), and the recipe and RUNS
# on a disk that all of them share.
#SBATCH --job-name=rehearsal --nodes=2 --ntasks-per-node=1 --gpus-per-node=8
#SBATCH --time=24:00:00 --requeue --open-mode=append
export RECIPE=${RECIPE:-recipe.yaml} RUN=${RUN:-my-rehearsal} RUNS=${RUNS:-$PWD/runs}
export HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun bash -c '
  resume=$(test -e "$RUNS/$RUN/run.json" && echo --resume || true)
  torchrun --nnodes "$SLURM_NNODES" --node_rank "$SLURM_NODEID" \
    --nproc_per_node "$SLURM_GPUS_ON_NODE" \
    --master_addr "$HEAD" --master_port "${PORT:-29500}" \
    -m bedrock_rft_sim run "$RECIPE" --out "$RUNS" --name "$RUN" $resume
'
