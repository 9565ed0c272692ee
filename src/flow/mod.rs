//! The model distribution q: a base density and a list of bijections, with their parameters apart.

mod ahead;
mod base;
mod bijection;
mod coupling;
mod init;
mod log_sum;
mod mask;
mod momentum;
mod net;
mod parameters;
mod pure_gauge;
mod sectors;
mod spectrum;
mod symmetrised;
#[cfg(test)]
mod tests;

pub use ahead::Ahead;
pub use base::{Base, HaarUniform, UnitNormal};
pub use bijection::Bijection;
pub use coupling::{AffineCouplings, GaugeCouplings};
pub use momentum::MomentumScaling;
pub use parameters::{Layout, Slot};
pub use pure_gauge::PureGauge;
pub use sectors::Sectors;
pub use spectrum::Spectrum;

use crate::device::{Failure, to_host};
use crate::lattice::Lattice;
use crate::rng::{Seed, Stream};
use crate::spec::{FlowSpec, GaugeBaseSpec, Symmetrise};
use burn::tensor::{DType, Device, Element, Gradients, Tensor, TensorData};
use sectors::BoundSectors;
use std::ops::Range;
use std::sync::Arc;

/// A normalizing flow `φ = f(z)`, `z ~ r`, so that `log q(φ) = log r(z) - log|det ∂f/∂z|`. Source: A22, eq. (3).
///
/// The flow is only the architecture; its parameters are one vector, laid out as [`Flow::layout`] says.
#[derive(Debug)]
pub struct Flow {
    lattice: Lattice,
    base: Arc<dyn Base>,
    bijections: Vec<Box<dyn Bijection>>,
    sectors: Option<Sectors>,
    layout: Layout,
    symmetrise: Symmetrise,
}

impl Flow {
    /// The flow that a specification names.
    ///
    /// # Panics
    /// If its couplings do not fit the lattice, which a specification that was checked says in words.
    pub fn new(spec: &FlowSpec, lattice: Lattice) -> Self {
        let gaussian = spec.base().and_then(|base| Spectrum::new(base, &lattice));
        let gaussian =
            gaussian.map(|spectrum| Box::new(MomentumScaling::new(lattice, spectrum)) as Box<dyn Bijection>);
        let bijections = gaussian.into_iter().chain([coupling::build(spec, lattice)]).collect();
        let flow = Self::from_parts(lattice, base_of(spec, lattice), bijections);
        let sectors = spec.sectors().map(|sectors| Sectors::new(sectors, lattice));
        let layout =
            sectors.iter().fold(flow.layout, |layout, sectors| layout.with(sectors.parameter_shapes()));
        Self { symmetrise: spec.symmetrise(), sectors, layout, ..flow }
    }

    /// A flow from its parts, not made even.
    pub fn from_parts(lattice: Lattice, base: Arc<dyn Base>, bijections: Vec<Box<dyn Bijection>>) -> Self {
        let layout = Layout::new(&bijections);
        Self { lattice, base, bijections, sectors: None, layout, symmetrise: Symmetrise::Never }
    }

    /// The base density r.
    pub fn base(&self) -> &Arc<dyn Base> {
        &self.base
    }

    /// Names, shapes and places of the parameters.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// `[component, site]` of one configuration.
    pub fn field_shape(&self) -> [usize; 2] {
        [self.base.components(), self.lattice.volume()]
    }

    /// Where its sites are.
    pub fn lattice(&self) -> Lattice {
        self.lattice
    }

    /// Initial parameters, drawn from the streams `init/0`, `init/1`, … by the number in the names of each bijection, so that
    /// couplings start from the same weights whatever is before them; what is learned of sectors is zero, which makes all alike.
    pub fn initial_parameters(&self, seed: Seed) -> Vec<f32> {
        let bijections = self.bijections.iter().enumerate();
        let stream = |index| seed.stream(&format!("init/{}", self.layout.number(index)));
        let mut parameters: Vec<f32> =
            bijections.flat_map(|(index, b)| b.initial_parameters(&stream(index))).collect();
        parameters.resize(self.layout.len(), 0.0);
        parameters
    }

    /// Whether `½ (q(φ) + q(-φ))` is the model's density.
    pub fn is_symmetrised(&self) -> bool {
        self.symmetrise.is_mean()
    }

    /// What tells apart densities with the same parameters: whether they are made even, which sectors they move to, and what
    /// they start from.
    pub fn density_id(&self) -> String {
        let mark = if self.is_symmetrised() { "symmetrised" } else { "" };
        mark.to_owned() + &self.sectors.as_ref().map_or(String::new(), Sectors::id) + &self.base.id()
    }

    /// Passes of a configuration, there, and back for the densities in other sectors.
    fn passes(&self) -> f64 {
        self.sectors.as_ref().map_or(1, Sectors::charges) as f64
    }

    /// The same in the loss, where all of it may be done at -φ too.
    fn passes_in_training(&self) -> f64 {
        self.passes() * self.symmetrise.passes_in_training() as f64
    }

    /// Floating-point operations to draw one configuration with its density (convolutions only; a multiply-add is two).
    pub fn flops_per_sample(&self) -> f64 {
        self.flops_per_pass() * self.passes() * if self.is_symmetrised() { 2.0 } else { 1.0 }
    }

    /// The same in the loss.
    ///
    /// A training step with reparametrised gradients costs three times as many.
    pub fn flops_in_training(&self) -> f64 {
        self.flops_per_pass() * self.passes_in_training()
    }

    fn flops_per_pass(&self) -> f64 {
        self.bijections.iter().map(|b| 2.0 * b.multiply_adds() as f64).sum()
    }

    /// Numbers kept per configuration for the backward pass, about.
    pub fn activations_per_sample(&self) -> f64 {
        self.bijections.iter().map(|b| b.activations() as f64).sum::<f64>() * self.passes_in_training()
    }

    /// Numbers per configuration that a pass without gradients needs at once, about.
    pub fn working_per_sample(&self) -> f64 {
        self.bijections.iter().map(|b| b.working()).max().unwrap_or(0) as f64
    }

    /// A sign for each of a stream's items, which makes draws of a symmetrised flow those of its density; none of another's.
    pub fn signs(&self, draws: &Stream, items: Range<u64>) -> Option<Vec<f64>> {
        self.is_symmetrised().then(|| symmetrised::signs(draws, items))
    }

    /// Puts parameters on a device, for the model's draws and its density.
    ///
    /// # Panics
    /// If the number of parameters is not that of the layout.
    pub fn bind<E: Element>(&self, parameters: &[E], device: &Device) -> BoundFlow<'_> {
        self.bound(parameters, device, self.is_symmetrised())
    }

    /// Puts parameters on a device, for the draws and the density of the loss; on an autodiff device gradients are tracked.
    ///
    /// # Panics
    /// If the number of parameters is not that of the layout.
    pub fn bind_for_training<E: Element>(&self, parameters: &[E], device: &Device) -> BoundFlow<'_> {
        self.bound(parameters, device, self.symmetrise == Symmetrise::Always)
    }

    fn bound<E: Element>(&self, parameters: &[E], device: &Device, is_even: bool) -> BoundFlow<'_> {
        assert_eq!(parameters.len(), self.layout.len(), "parameters given and in the layout");
        let tensor = |range: std::ops::Range<usize>| {
            let data = TensorData::new(parameters[range.clone()].to_vec(), [range.len()]);
            let tensor = Tensor::<1>::from_data(data, (device, E::dtype()));
            if device.is_autodiff() { tensor.require_grad() } else { tensor }
        };
        let count = self.bijections.len();
        let own = (0..count).map(|index| tensor(self.layout.part(index))).collect();
        let sectors = self.sectors.as_ref().map(|sectors| {
            let range = self.layout.part(count);
            let learned: Vec<f64> = parameters[range.clone()].iter().map(|number| number.elem()).collect();
            sectors.bind(&learned, (!range.is_empty()).then(|| tensor(range)), (device, E::dtype()))
        });
        BoundFlow { flow: self, parameters: own, sectors, device: device.clone(), dtype: E::dtype(), is_even }
    }
}

/// What the flow of a specification starts from.
fn base_of(spec: &FlowSpec, lattice: Lattice) -> Arc<dyn Base> {
    match spec {
        FlowSpec::Affine(_) => Arc::new(UnitNormal::new(lattice, 1)),
        FlowSpec::Gauge(gauge) => match gauge.base {
            GaugeBaseSpec::HaarUniform => Arc::new(HaarUniform::new(lattice)),
            GaugeBaseSpec::PureGauge(pure) => Arc::new(PureGauge::new(lattice, pure.beta)),
        },
    }
}

/// Configurations of the model.
#[derive(Debug, Clone)]
pub struct Sample {
    /// φ, `[batch, component, site]`.
    pub phi: Tensor<3>,
    /// `log q(φ)`, `[batch]`.
    pub log_q: Tensor<1>,
    /// Charges by which they were moved, of a flow that moves between sectors.
    pub charges: Vec<i64>,
}

/// A flow with its parameters on a device.
pub struct BoundFlow<'a> {
    flow: &'a Flow,
    parameters: Vec<Tensor<1>>,
    sectors: Option<BoundSectors<'a>>,
    device: Device,
    dtype: DType,
    /// Whether its density is that of φ and -φ together.
    is_even: bool,
}

impl BoundFlow<'_> {
    /// Puts configurations `[batch, component, site]` on the flow's device.
    pub fn field<E: Element>(&self, values: Vec<E>) -> Tensor<3> {
        let [components, volume] = self.flow.field_shape();
        let batch = values.len() / (components * volume);
        let data = TensorData::new(values, [batch, components, volume]);
        Tensor::from_data(data.convert_dtype(self.dtype), (&self.device, self.dtype))
    }

    /// Puts a number for each configuration on the flow's device.
    pub fn numbers(&self, values: Vec<f64>) -> Tensor<1> {
        let count = values.len();
        let data = TensorData::new(values, [count]);
        Tensor::from_data(data.convert_dtype(self.dtype), (&self.device, self.dtype))
    }

    /// The same flow, whose parameters have no gradients.
    pub fn at_fixed_parameters(&self) -> Self {
        // `detach` would leave them leaves that want a gradient.
        let fixed = |parameters: &Tensor<1>| parameters.clone().set_require_grad(false);
        let parameters = self.parameters.iter().map(fixed).collect();
        let sectors = self.sectors.as_ref().map(BoundSectors::at_fixed_parameters);
        Self { parameters, sectors, device: self.device.clone(), ..*self }
    }

    /// `φ = f(z)` and `log|det ∂f/∂z|`.
    ///
    /// # Shapes
    /// `[batch, component, site]` → `[batch, component, site]` and `[batch]`
    pub fn forward_and_log_det(&self, z: Tensor<3>) -> (Tensor<3>, Tensor<1>) {
        self.compose(z, self.flow.bijections.iter().zip(&self.parameters), |bijection, x, parameters| {
            bijection.forward_and_log_det(x, parameters)
        })
    }

    /// `z = f⁻¹(φ)` and `log|det ∂f⁻¹/∂φ|`.
    ///
    /// # Shapes
    /// As [`Self::forward_and_log_det`].
    pub fn inverse_and_log_det(&self, phi: Tensor<3>) -> (Tensor<3>, Tensor<1>) {
        self.compose(
            phi,
            self.flow.bijections.iter().zip(&self.parameters).rev(),
            |bijection, x, parameters| bijection.inverse_and_log_det(x, parameters),
        )
    }

    fn compose<'b>(
        &self,
        x: Tensor<3>,
        bijections: impl Iterator<Item = (&'b Box<dyn Bijection>, &'b Tensor<1>)>,
        apply: impl Fn(&dyn Bijection, Tensor<3>, Tensor<1>) -> (Tensor<3>, Tensor<1>),
    ) -> (Tensor<3>, Tensor<1>) {
        let (batch, mut total) = (x.dims()[0], None);
        let y = bijections.fold(x, |x, (bijection, parameters)| {
            let (y, log_det) = apply(&**bijection, x, parameters.clone());
            total = Some(total.take().map_or(log_det.clone(), |total: Tensor<1>| total + log_det));
            y
        });
        (y, total.unwrap_or_else(|| Tensor::zeros([batch], (&self.device, self.dtype))))
    }

    /// `φ = f(z)` and `log q(φ)`; of a flow that moves between sectors where it does not move, of a symmetrised flow `log q̄(φ)`, which
    /// does not depend on the sign of φ: [`Flow::signs`] draws it.
    ///
    /// # Shapes
    /// As [`Self::forward_and_log_det`].
    pub fn sample_and_log_prob(&self, z: Tensor<3>) -> (Tensor<3>, Tensor<1>) {
        let still = vec![0; z.dims()[0]];
        self.moved_and_log_prob(z, &still)
    }

    /// Configurations from items of a stream of draws, of which `z` is those of the base: moved between sectors, where the flow does
    /// that, with their density as [`Self::sample_and_log_prob`] has it.
    ///
    /// # Shapes
    /// `z`: `[batch, component, site]`
    pub fn sample(&self, z: Tensor<3>, draws: &Stream, items: Range<u64>) -> Sample {
        let Some(sectors) = &self.sectors else {
            let (phi, log_q) = self.sample_and_log_prob(z);
            return Sample { phi, log_q, charges: Vec::new() };
        };
        let charges = sectors.draw(draws, items);
        let (phi, log_q) = self.moved_and_log_prob(z, &charges);
        Sample { phi, log_q, charges }
    }

    /// The score of drawn charges: `∂ ln w_k` by what is learned of sectors, the last parameters of the layout.
    ///
    /// # Shapes
    /// `[batch][parameter]`; empty where nothing is learned of them
    pub fn scores(&self, charges: &[i64]) -> Vec<f64> {
        self.sectors.as_ref().map_or(Vec::new(), |sectors| sectors.scores(charges))
    }

    fn moved_and_log_prob(&self, z: Tensor<3>, charges: &[i64]) -> (Tensor<3>, Tensor<1>) {
        let log_r = self.flow.base.log_density(z.clone());
        let (phi, log_det) = self.forward_and_log_det(z);
        let own = log_r - log_det;
        let (phi, log_q) = match &self.sectors {
            None => (phi, own),
            Some(sectors) => {
                let phi = sectors.moved(phi, charges);
                let of_one = |phi| self.log_prob_of_couplings(phi);
                let log_q = sectors.log_density_of_moved((phi.clone(), charges), own, of_one);
                (phi, log_q)
            }
        };
        let log_q = match self.is_even {
            true => symmetrised::log_mean(log_q, self.log_prob_of_one(-phi.clone())),
            false => log_q,
        };
        (phi, log_q)
    }

    /// `log q(φ)` of given configurations, through the inverse flow; of a symmetrised flow `log q̄(φ) = log ½ (q(φ) + q(-φ))`.
    ///
    /// # Shapes
    /// `[batch, component, site]` → `[batch]`
    pub fn log_prob(&self, phi: Tensor<3>) -> Tensor<1> {
        match self.is_even {
            true => {
                let mirrored = self.log_prob_of_one(-phi.clone());
                symmetrised::log_mean(self.log_prob_of_one(phi), mirrored)
            }
            false => self.log_prob_of_one(phi),
        }
    }

    /// The density of one sign alone.
    fn log_prob_of_one(&self, phi: Tensor<3>) -> Tensor<1> {
        match &self.sectors {
            Some(sectors) => sectors.log_density(phi, |phi| self.log_prob_of_couplings(phi)),
            None => self.log_prob_of_couplings(phi),
        }
    }

    /// The density of the couplings alone.
    fn log_prob_of_couplings(&self, phi: Tensor<3>) -> Tensor<1> {
        let (z, log_det) = self.inverse_and_log_det(phi);
        self.flow.base.log_density(z) + log_det
    }

    /// The gradient by all parameters, in the order of the layout.
    ///
    /// # Errors
    /// What the device gives as the reason that it did not compute.
    ///
    /// # Panics
    /// If the flow was not bound to an autodiff device.
    pub fn gradient(&self, gradients: &Gradients) -> Result<Vec<f64>, Failure> {
        let mut all = Vec::with_capacity(self.flow.layout.len());
        for parameters in &self.parameters {
            let gradient = parameters.grad(gradients).expect("bound to an autodiff device");
            all.extend(to_host(gradient)?);
        }
        if let Some(learned) = self.sectors.as_ref().and_then(BoundSectors::parameters) {
            // Configurations that a path gradient moves do not depend on them.
            let gradient = learned.grad(gradients).map_or(Ok(vec![0.0; learned.dims()[0]]), to_host)?;
            all.extend(gradient);
        }
        Ok(all)
    }
}
