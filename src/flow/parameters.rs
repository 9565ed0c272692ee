//! Where every parameter of a flow lives in its one vector, and under which name it is stored.

use super::Bijection;
use std::ops::Range;

/// One named parameter tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Name in checkpoints, e.g. `flow.layers.3.conv.0.weight`.
    pub name: String,
    /// Shape, row-major.
    pub shape: Vec<usize>,
    /// Place in the vector.
    pub range: Range<usize>,
}

/// The parameters of all layers, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    slots: Vec<Slot>,
    layers: Vec<Range<usize>>,
}

impl Layout {
    /// The layout of a list of layers.
    pub fn new(layers: &[Box<dyn Bijection>]) -> Self {
        let mut layout = Self { slots: Vec::new(), layers: Vec::new() };
        for (index, layer) in layers.iter().enumerate() {
            let start = layout.len();
            for (name, shape) in layer.parameter_shapes() {
                let first = layout.len();
                let range = first..first + shape.iter().product::<usize>();
                layout.slots.push(Slot { name: format!("flow.layers.{index}.{name}"), shape, range });
            }
            layout.layers.push(start..layout.len());
        }
        layout
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.slots.last().map_or(0, |slot| slot.range.end)
    }

    /// Whether there are no parameters at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every parameter tensor.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Place of one layer's parameters.
    pub fn layer(&self, layer: usize) -> Range<usize> {
        self.layers[layer].clone()
    }
}
