//! What whoever started the process says of others beside it.

use crate::error::{Error, Result};

/// Variables by which launchers say how many processes they have started: Open MPI; MPICH and other users of PMI; a step of SLURM.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"];

/// Processes that were started together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// The variable that says so.
    pub variable: &'static str,
    /// How many.
    pub size: usize,
}

impl Launched {
    /// What the environment says, if it says anything.
    pub fn here() -> Option<Self> {
        Self::from(&|name| std::env::var(name).ok())
    }

    fn from(value: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        SIZES.into_iter().find_map(|variable| {
            let size = value(variable)?.trim().parse().ok()?;
            Some(Self { variable, size })
        })
    }

    /// Whether it was an `mpirun`.
    pub fn is_mpirun(&self) -> bool {
        self.variable != SIZES[2]
    }

    /// Whether the processes can reach each other by an MPI library that sees so many of them; one that sees no others was started by
    /// the launcher of another.
    ///
    /// # Errors
    /// [`Error::Usage`] if it sees another number.
    pub fn check(&self, seen: usize) -> Result<()> {
        match self.size == seen {
            true => Ok(()),
            false => Err(Error::Usage {
                message: format!(
                    "{} = {}, but the MPI library of this program sees {seen}: the launcher belongs to another",
                    self.variable, self.size
                ),
                hint: "start it with the mpirun of the MPI that it was built with; with SLURM, srun --mpi=pmix or --mpi=pmi2"
                    .into(),
            }),
        }
    }

    /// The error of a program that cannot work together with others.
    pub fn refused(&self) -> Error {
        Error::Usage {
            message: format!(
                "{} = {}: this program was built without MPI, so that each of the {} would be a run of its own in one folder",
                self.variable, self.size, self.size
            ),
            hint: "build it with --features mpi; cells of a study are shared among processes without it: --shard i/n".into(),
        }
    }
}

/// The processes on the same machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbours {
    /// Which of them this is.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
    /// How many of them may use the same cores as this one, itself included.
    pub on_these_cores: usize,
}

impl Neighbours {
    /// One process on its own.
    pub const NONE: Self = Self { rank: 0, size: 1, on_these_cores: 1 };

    /// Its share of cores that it may use together with others.
    pub fn threads(&self, cores: usize) -> usize {
        (cores / self.on_these_cores).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_their_variables_and_a_foreign_one_is_refused() {
        let of = |pairs: &[(&str, &str)]| {
            let find =
                |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
            Launched::from(&find)
        };
        assert_eq!(of(&[("SLURM_NTASKS", "4"), ("HOME", "/")]), None);
        let launched = of(&[("OMPI_COMM_WORLD_SIZE", "4")]).unwrap();
        assert_eq!((launched.variable, launched.size), (SIZES[0], 4));
        assert!(launched.check(4).is_ok() && launched.is_mpirun());
        assert!(!of(&[("SLURM_STEP_NUM_TASKS", "2")]).unwrap().is_mpirun());
        let message = launched.check(1).unwrap_err().to_string();
        assert!(message.contains("OMPI_COMM_WORLD_SIZE = 4") && message.contains("sees 1"), "{message}");
        assert_eq!(of(&[("PMI_SIZE", "2"), ("SLURM_STEP_NUM_TASKS", "2")]).unwrap().variable, "PMI_SIZE");
    }

    #[test]
    fn cores_are_shared_by_those_who_may_use_them() {
        let threads = |on_these_cores, cores| Neighbours { rank: 0, size: 4, on_these_cores }.threads(cores);
        assert_eq!([threads(4, 16), threads(1, 4), threads(4, 2)], [4, 4, 1]);
    }
}
