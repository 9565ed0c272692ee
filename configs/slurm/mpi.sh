#!/usr/bin/env bash
# One run on many processes: training and sampling of each cell shared among them, with the same bits as on one.
# sbatch configs/slurm/mpi.sh SPEC.toml RUN_DIR          (flowqcd built with --features mpi)
#SBATCH --job-name=flowqcd
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@120
set -u
spec=$1 out=$2

# On GPUs: one task per GPU (--gpus-per-task=1) and --device auto, which takes the GPU of the task's number on its machine.
# A plain `srun` that cannot start this MPI gives processes that do not see each other: the program notices and refuses; then try
# --mpi=pmix or --mpi=pmi2 (`srun --mpi=list`).
srun --mpi=pmix flowqcd run "$spec" --out "$out" --device cpu --threads "$SLURM_CPUS_PER_TASK"
