#!/usr/bin/env bash
# The cells of a study on many machines, without MPI: every task of the array takes a part of them (chains whole) into the same folder.
# sbatch configs/slurm/array.sh STUDY.toml RUN_DIR
#SBATCH --job-name=flowqcd-study
#SBATCH --array=1-8
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@120
set -u
spec=$1 out=$2

# The part comes from the array. Two minutes before the time is over a signal asks for a checkpoint; the same command goes on from there,
# and `flowqcd status RUN_DIR` says what is left.
srun flowqcd run "$spec" --out "$out" --threads "$SLURM_CPUS_PER_TASK"
