//! Passes of a batch through all layers in one launch.

use super::backward::all_layers_back;
use super::forward::all_layers;
use super::shape::Resident;
use crate::kernel::coupling::networks::{Direction, Networks};
use crate::kernel::fused::{Back, Pass};
use crate::kernel::gpu::weights::Operand;
use crate::kernel::gpu::{Buffer, LANES, Mode, Packed, tiles};
use burn::backend::Cube;
use burn::tensor::Shape;
use burn_cubecl::cubecl::prelude::{CubeCount, CubeDim};
use burn_cubecl::tensor::CubeTensor;
use std::sync::Arc;

/// What the backward pass needs.
#[derive(Debug)]
struct Kept {
    networks: Arc<Networks>,
    direction: Direction,
    shape: Resident,
    packed: Packed,
    /// Per layer what its network reads, its hidden activations, the parameters of its map, plaquettes before it.
    kept: Buffer,
    batch: usize,
}

/// A workgroup for each sample of whole tiles.
fn workgroups(batch: usize, shape: &Resident) -> (CubeCount, CubeDim) {
    (CubeCount::Static((tiles(batch) * LANES) as u32, 1, 1), CubeDim::new_1d(shape.units as u32))
}

/// See [`crate::kernel::coupling::on_gpu::pass`].
pub fn pass(
    networks: Arc<Networks>,
    shape: Resident,
    records: &dyn Fn(usize) -> Vec<u32>,
    direction: Direction,
    [x, parameters]: [CubeTensor; 2],
    keep: bool,
) -> Pass<Cube> {
    let (client, device) = (x.client.clone(), x.device.clone());
    let (x, parameters) = (Buffer::tensor(x), Buffer::tensor(parameters));
    let (batch, layers) = (x.words() / shape.numbers(), networks.layers().len());
    let plan = networks.plans.get(&client, &device, Mode::Resident, &networks.stacks(), records);
    let packed = Packed::new(&client, plan, &parameters);
    let per_site = if keep { shape.kept_words() } else { 0 };
    let kept = Buffer::empty(&client, (layers * tiles(batch) * LANES * shape.volume * per_site).max(1));
    let y = Buffer::empty(&client, batch * (shape.numbers() + 1));
    let (count, dim) = workgroups(batch, &shape);
    // SAFETY: the plan lists only sites of the lattice and rows of the packed weights, and `kept` has whole tiles.
    unsafe {
        all_layers::launch_unchecked(
            &client,
            count,
            dim,
            x.arg(),
            packed.weights.vectors(4),
            packed.plan.table.arg(),
            y.arg(),
            kept.arg(),
            packed.plan.directory as u32,
            packed.plan.record_places as u32,
            layers as u32,
            tiles(batch) as u32,
            batch as u32,
            networks.layers()[0].slope as f32,
            shape,
            direction == Direction::Forward,
            keep,
        );
    }
    let output = y.into_tensor(&client, &device, Shape::from([batch, shape.numbers() + 1]));
    let kept = || Kept { networks, direction, shape, packed, kept, batch };
    Pass { output, back: keep.then(|| Arc::new(kept()) as Arc<dyn Back<Cube>>) }
}

impl Back<Cube> for Kept {
    fn gradients(&self, y_gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let Self { networks, direction, shape, packed, kept, batch } = self;
        let (want_x, want_parameters) = (wanted[0], wanted[1]);
        let (client, device) = (y_gradient.client.clone(), y_gradient.device.clone());
        let (batch, layers, plan) = (*batch, networks.layers().len(), &packed.plan);
        let span = tiles(batch) * LANES * shape.volume;
        let (per_layer, per_layer_back) =
            (span * shape.kept_words(), span * shape.held(1..=shape.convolutions));
        let gradients = Buffer::empty(&client, layers * per_layer_back);
        let by_x = Buffer::empty(&client, if want_x { batch * shape.numbers() } else { 1 });
        let (count, dim) = workgroups(batch, shape);
        // SAFETY: as forwards.
        unsafe {
            all_layers_back::launch_unchecked(
                &client,
                count,
                dim,
                kept.arg(),
                packed.weights.vectors(4),
                plan.table.arg(),
                Buffer::tensor(y_gradient).arg(),
                gradients.arg(),
                by_x.arg(),
                plan.directory as u32,
                plan.record_places as u32,
                layers as u32,
                tiles(batch) as u32,
                batch as u32,
                networks.layers()[0].slope as f32,
                *shape,
                *direction == Direction::Forward,
                want_x,
            );
        }
        let by_parameters = want_parameters.then(|| {
            let partials = packed.partials(batch);
            for c in 0..shape.convolutions {
                let x = Operand { buffer: kept, start: span * shape.kept(c), stride: per_layer };
                let gradient =
                    Operand { buffer: &gradients, start: span * shape.gradient(c), stride: per_layer_back };
                partials.add(&client, plan, [0, c, layers], &x, &gradient, [shape.volume, batch]);
            }
            let sum = partials.sum(&client, plan);
            sum.into_tensor(&client, &device, Shape::from([networks.parameter_count()]))
        });
        let by_x = want_x.then(|| {
            let components = shape.layer.subject.components();
            by_x.into_tensor(&client, &device, Shape::from([batch, components, shape.volume]))
        });
        vec![by_x, by_parameters]
    }
}
