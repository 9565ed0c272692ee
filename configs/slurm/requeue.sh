#!/usr/bin/env bash
# A run that goes on by itself for as long as it takes, on machines that it may be driven from: asked to stop, it leaves a checkpoint
# and goes back into the queue, and on however many processes it continues there the bits are the same.
# sbatch configs/slurm/requeue.sh SPEC.toml RUN_DIR
#SBATCH --job-name=flowqcd-long
#SBATCH --ntasks=16
#SBATCH --cpus-per-task=4
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=USR1@120
set -u
spec=$1 out=$2

srun --mpi=pmix flowqcd run "$spec" --out "$out" --device cpu --threads "$SLURM_CPUS_PER_TASK"
status=$?
# 128 and the number of a signal: it was asked to stop, and is not finished.
if [ "$status" -gt 128 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
