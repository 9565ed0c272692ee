//! Chains of Hybrid Monte Carlo that run beside training and give its batches.

use super::chains::Chains;
use super::sums::TrajectorySums;
use super::trajectory::Tile;
use crate::error::Result;
use crate::rng::Seed;
use crate::spec::TargetHmcSpec;
use crate::theory::{Action, Theory};
use crate::train::{TargetBatch, TargetChains, TargetState};
use rayon::prelude::*;

/// Chains that draw from the streams `train/hmc/0`, `train/hmc/1`, …: thermalised and tuned before the first configuration, then one
/// of each chain in turn after every so many trajectories. What comes next depends on where they stand alone.
pub struct Beside<'a> {
    action: &'a dyn Action,
    chains: Chains<'a>,
    every: u64,
}

/// Where they stand, while they move.
struct Standing {
    tiles: Vec<Tile>,
    made: u64,
    steps: usize,
    given: u64,
}

impl<'a> Beside<'a> {
    /// The chains that a specification names.
    pub fn new(theory: &'a Theory, spec: &TargetHmcSpec, seed: Seed) -> Self {
        // How long they run is up to training.
        let spec_alone = spec.alone(u64::MAX);
        let action = &*theory.action;
        Self {
            action,
            chains: Chains::named("train/hmc", theory, &spec_alone, seed, None),
            every: spec.every,
        }
    }

    fn standing(&self, state: &TargetState) -> Standing {
        let TargetState { made, steps, given, fields, actions } = state;
        let mut tiles = self.chains.start_tiles();
        let (chains, numbers) = (actions.len() / tiles.len(), fields.len() / actions.len());
        for (chain, field) in fields.chunks_exact(numbers).enumerate() {
            let tile = &mut tiles[chain / chains];
            tile.place(chain % chains, field.iter().copied());
            tile.actions[chain % chains] = actions[chain];
        }
        Standing { tiles, made: *made, steps: *steps as usize, given: *given }
    }

    /// All chains up to their next configurations.
    fn advance(&self, standing: &mut Standing) -> TrajectorySums {
        let (steps, mover) = (standing.steps, &self.chains.mover);
        let indices = standing.made..standing.made + self.every;
        let of_tile = |tile: &mut Tile| {
            let sums = indices.clone().filter_map(|index| mover.step(tile, steps, index, &|| false));
            sums.fold(TrajectorySums::default(), TrajectorySums::add)
        };
        let sums: Vec<TrajectorySums> = standing.tiles.par_iter_mut().map(of_tile).collect();
        standing.made = indices.end;
        sums.into_iter().fold(TrajectorySums::default(), TrajectorySums::add)
    }
}

impl Standing {
    fn state(&self) -> TargetState {
        let all =
            || self.tiles.iter().flat_map(|tile| (0..tile.actions.len()).map(move |chain| (tile, chain)));
        TargetState {
            made: self.made,
            steps: self.steps as u64,
            given: self.given,
            fields: all().flat_map(|(tile, chain)| tile.chain(chain)).collect(),
            actions: all().map(|(tile, chain)| tile.actions[chain]).collect(),
        }
    }

    /// Gives the configuration of a chain.
    fn give(&mut self, chain: usize, action: &dyn Action, batch: &mut TargetBatch) {
        let side_by_side = self.tiles[0].actions.len();
        let tile = &self.tiles[chain / side_by_side];
        let mut field = tile.chain(chain % side_by_side);
        action.make_canonical(&mut field);
        batch.fields.extend(field.into_iter().map(|number| number as f32));
        batch.actions.push(tile.actions[chain % side_by_side]);
        self.given += 1;
    }
}

impl TargetChains for Beside<'_> {
    fn draw(
        &self,
        state: Option<&TargetState>,
        count: usize,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<(TargetState, TargetBatch)> {
        let mut sums = TrajectorySums::default();
        let mut standing = match state {
            Some(state) => self.standing(state),
            None => {
                let (tiles, steps);
                (tiles, steps, sums) = self.chains.thermalised(go_on)?;
                Standing { tiles, made: self.chains.thermalization(), steps, given: 0 }
            }
        };
        let (mut batch, chains) = (TargetBatch::default(), self.chains.count() as u64);
        for _ in 0..count {
            let chain = standing.given % chains;
            if chain == 0 {
                sums = sums.add(self.advance(&mut standing));
                go_on()?;
            }
            standing.give(chain as usize, self.action, &mut batch);
        }
        batch.flops = self.chains.flops(&sums);
        Ok((standing.state(), batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use crate::theory;

    const SPEC: &str = "version = 1\nseed = 1\ntheory.phi4 = { extents = [4, 6], mass_squared = 0.5, coupling = 0.0 }\n\
                        flow.affine = { layers = 2, kernel_size = 3, hidden = [2] }\n\
                        train.batch.size = 2\ntrain.optimizer.adam.learning_rate = 1e-3\ntrain.stop.steps = 1\n\
                        train.loss.forward_kl.hmc = { chains = 11, every = 3, thermalization = 200 }\n";

    fn with_chains<T>(f: impl FnOnce(&Beside<'_>) -> T) -> T {
        let spec = Spec::parse(SPEC, &[]).unwrap();
        let theory = theory::build(&spec.theory);
        let train = spec.train.expect("it has one");
        let hmc = train.loss.forward().and_then(|forward| forward.hmc()).expect("it has chains");
        f(&Beside::new(&theory, hmc, Seed(3)))
    }

    fn draw(chains: &Beside<'_>, state: &mut Option<TargetState>, count: usize) -> TargetBatch {
        let (next, batch) = chains.draw(state.as_ref(), count, &|| Ok(())).unwrap();
        *state = Some(next);
        batch
    }

    #[test]
    fn configurations_do_not_depend_on_how_many_are_drawn_at_once() {
        with_chains(|chains| {
            let (mut whole, mut parts) = (None, None);
            let all = draw(chains, &mut whole, 40);
            let mut found = TargetBatch::default();
            for count in [1, 10, 2, 20, 7] {
                let part = draw(chains, &mut parts, count);
                found.fields.extend(part.fields);
                found.actions.extend(part.actions);
                found.flops += part.flops;
            }
            assert_eq!((whole, &all.fields, &all.actions), (parts, &found.fields, &found.actions));
            // Whole numbers, but for the share of chains that nobody asked for.
            assert!((all.flops - found.flops).abs() < 1e-9 * all.flops);
        });
    }

    /// `⟨φ²⟩ = 1/V Σ_k 1/(m² + k̂²)`, within five errors of means over chains, which are independent.
    #[test]
    fn configurations_are_those_of_the_target() {
        const BATCHES: usize = 400;
        with_chains(|chains| {
            let (mut state, count, volume) = (None, 11, 24);
            let mut of_chain = vec![0.0; count];
            for _ in 0..BATCHES {
                let batch = draw(chains, &mut state, count);
                for (sum, field) in of_chain.iter_mut().zip(batch.fields.chunks_exact(volume)) {
                    *sum += field.iter().map(|phi| f64::from(phi * phi)).sum::<f64>() / volume as f64;
                }
            }
            let means: Vec<f64> = of_chain.iter().map(|sum| sum / BATCHES as f64).collect();
            let mean = means.iter().sum::<f64>() / count as f64;
            let spread = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>();
            let error = (spread / (count * (count - 1)) as f64).sqrt();
            let k_hat = |n: usize, extent: usize| {
                4.0 * (std::f64::consts::PI * n as f64 / extent as f64).sin().powi(2)
            };
            let modes = (0..4).flat_map(|t| (0..6).map(move |x| 1.0 / (0.5 + k_hat(t, 4) + k_hat(x, 6))));
            let exact = modes.sum::<f64>() / volume as f64;
            assert!(
                error < 0.02 * exact && (mean - exact).abs() < 5.0 * error,
                "{mean} ± {error}, not {exact}"
            );
        });
    }

    #[test]
    fn what_is_given_up_leaves_the_chains_as_they_were() {
        with_chains(|chains| {
            let mut state = None;
            draw(chains, &mut state, 5);
            let before = state.clone();
            let error = || crate::error::Error::InterruptedDraw {
                signal: crate::error::Signal(2),
                done: 0,
                count: 0,
            };
            assert!(chains.draw(state.as_ref(), 50, &|| Err(error())).is_err());
            assert_eq!(state, before);
        });
    }
}
