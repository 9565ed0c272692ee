//! Passes of a whole batch through one network of a plan.

use super::Buffer;
use super::convolution::{Epilogue, Landing, convolve, convolve_back};
use super::layout::Extent;
use super::plan::{ConvPlan, Plan};
use super::weights::{Operand, Partials, packed};
use crate::kernel::conv_stack::{ConvStack, OutputActivation};
use burn_cubecl::cubecl::client::Client;
use std::sync::Arc;

/// A plan with the weights of this step.
#[derive(Clone)]
pub struct Packed {
    pub client: Client,
    pub plan: Arc<Plan>,
    pub weights: Buffer,
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packed").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Packed {
    /// Packs the parameters.
    pub fn new(client: &Client, plan: Arc<Plan>, parameters: &Buffer) -> Self {
        assert_eq!(parameters.words(), plan.parameters, "packed parameters");
        let weights = packed(client, &plan, parameters);
        Self { client: client.clone(), plan, weights }
    }

    /// One of its networks.
    pub fn network<'a>(&'a self, index: usize, stack: &'a ConvStack, batch: usize) -> Net<'a> {
        Net { packed: self, index, convolutions: &self.plan.networks[index], stack, batch }
    }

    /// Room for the gradient by the parameters.
    pub fn partials(&self, batch: usize) -> Partials {
        Partials::new(&self.client, &self.plan, batch)
    }
}

/// One network and a batch.
pub struct Net<'a> {
    packed: &'a Packed,
    index: usize,
    convolutions: &'a [ConvPlan],
    stack: &'a ConvStack,
    batch: usize,
}

impl Net<'_> {
    /// The client of the device.
    pub fn client(&self) -> &Client {
        &self.packed.client
    }

    /// The site lists.
    pub fn table(&self) -> &Buffer {
        &self.packed.plan.table
    }

    /// Samples.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Sites.
    pub fn volume(&self) -> usize {
        self.stack.volume()
    }

    /// What follows the last convolution.
    pub fn activation(&self) -> OutputActivation {
        self.stack.activation
    }

    /// Sites and samples.
    pub fn size(&self) -> [usize; 2] {
        [self.volume(), self.batch]
    }

    /// A new buffer of numbers of any value.
    pub fn room(&self, channels: usize) -> Buffer {
        let extent = Extent { volume: self.volume(), channels, stride: 0, batch: self.batch };
        Buffer::empty(&self.packed.client, extent.words())
    }

    /// The last convolution.
    pub fn last(&self) -> &ConvPlan {
        &self.convolutions[self.convolutions.len() - 1]
    }

    /// The packed weights.
    pub fn weights(&self) -> &Buffer {
        &self.packed.weights
    }

    /// Hidden activations of a field.
    pub fn hidden(&self, x: &Buffer) -> Vec<Buffer> {
        let mut hidden: Vec<Buffer> = Vec::new();
        for c in &self.convolutions[..self.convolutions.len() - 1] {
            let y = self.room(c.outputs);
            self.convolve(c, hidden.last().unwrap_or(x), &y, Epilogue::LeakyRelu);
            hidden.push(y);
        }
        hidden
    }

    /// Output of the last convolution, on the sites that are written; the others hold anything.
    pub fn output(&self, from: &Buffer) -> Buffer {
        let c = self.last();
        let y = self.room(c.outputs);
        let epilogue = match self.stack.activation {
            OutputActivation::Tanh => Epilogue::Tanh,
            OutputActivation::Identity => Epilogue::Plain,
        };
        self.convolve(c, from, &y, epilogue);
        y
    }

    fn convolve(&self, c: &ConvPlan, x: &Buffer, y: &Buffer, epilogue: Epilogue) {
        let Packed { client, plan, weights } = self.packed;
        let slope = self.stack.slope as f32;
        convolve(client, &c.forward, x, weights, &plan.table, y, self.size(), slope, epilogue);
    }

    /// Gradients by the parameters into `partials`, and by what is read into `x_gradient`, each where it is wanted, from the
    /// gradient before the output activation.
    pub fn backward(
        &self,
        x: &Buffer,
        hidden: &[Buffer],
        gradient: Buffer,
        partials: Option<&Partials>,
        x_gradient: Option<(&Buffer, Landing)>,
    ) {
        let Packed { client, plan, weights } = self.packed;
        let mut g = gradient;
        for (index, c) in self.convolutions.iter().enumerate().rev() {
            let input = if index == 0 { x } else { &hidden[index - 1] };
            if let Some(partials) = partials {
                let (input_whole, g_whole) = (Operand::whole(input), Operand::whole(&g));
                partials.add(client, plan, [self.index, index, 1], &input_whole, &g_whole, self.size());
            }
            let (y, landing) = match (index, x_gradient) {
                (0, None) => return,
                (0, Some((x_gradient, landing))) => (x_gradient.clone(), landing),
                _ => (self.room(c.inputs), Landing::LeakyRelu),
            };
            let activation = (input, self.stack.slope as f32);
            let to = (&y, landing);
            convolve_back(client, &c.backward, &g, weights, &plan.table, activation, to, self.size());
            g = y;
        }
    }
}
