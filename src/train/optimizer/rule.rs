//! What an update rule is, and what it carries on from step to step.

/// A rule that turns gradients into changes of the parameters.
pub trait Optimizer {
    /// Its name in specifications, `train.optimizer.NAME`, and in checkpoints.
    fn name(&self) -> &'static str;

    /// Names of its moments, one number per parameter each; a rule may have none.
    fn moments(&self) -> &'static [&'static str];

    /// One update of all parameters.
    ///
    /// # Panics
    /// If the state is that of another rule, or of another number of parameters.
    fn update(
        &self,
        state: &mut OptimizerState,
        learning_rate: f64,
        gradient: &[f64],
        parameters: &mut [f32],
    );

    /// The state before the first update.
    fn start(&self, parameters: usize) -> OptimizerState {
        let moment = |&name| Moment { name, values: vec![0.0; parameters] };
        OptimizerState { name: self.name(), updates: 0, moments: self.moments().iter().map(moment).collect() }
    }
}

/// What a rule carries on.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState {
    /// The rule.
    pub name: &'static str,
    /// Updates made.
    pub updates: u64,
    /// Its moments, in the order in which the rule names them.
    pub moments: Vec<Moment>,
}

/// A running mean or sum over gradients or changes, a number per parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Its name.
    pub name: &'static str,
    /// In the order of the parameters.
    pub values: Vec<f32>,
}
