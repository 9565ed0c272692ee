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

/// The parameters of all bijections, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    slots: Vec<Slot>,
    bijections: Vec<Range<usize>>,
}

impl Layout {
    /// The layout of a list of bijections; the names of the first have no number, so that a flow of one stays plain.
    pub fn new(bijections: &[Box<dyn Bijection>]) -> Self {
        let mut layout = Self { slots: Vec::new(), bijections: Vec::new() };
        for (index, bijection) in bijections.iter().enumerate() {
            let prefix = if index == 0 { "flow".to_owned() } else { format!("flow.{index}") };
            let start = layout.len();
            for (name, shape) in bijection.parameter_shapes() {
                let first = layout.len();
                let range = first..first + shape.iter().product::<usize>();
                layout.slots.push(Slot { name: format!("{prefix}.{name}"), shape, range });
            }
            layout.bijections.push(start..layout.len());
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

    /// Place of one bijection's parameters.
    pub fn bijection(&self, index: usize) -> Range<usize> {
        self.bijections[index].clone()
    }
}
