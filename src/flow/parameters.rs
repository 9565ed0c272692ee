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

/// The parameters of all bijections, one after the other, and of what stands behind them.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    slots: Vec<Slot>,
    parts: Vec<Range<usize>>,
    numbers: Vec<usize>,
}

impl Layout {
    /// The layout of a list of bijections. Names have a number where they would else be those of another bijection, so that
    /// the first of each kind stays plain.
    pub fn new(bijections: &[Box<dyn Bijection>]) -> Self {
        let mut layout = Self { slots: Vec::new(), parts: Vec::new(), numbers: Vec::new() };
        bijections.iter().for_each(|bijection| layout.push(bijection.parameter_shapes()));
        layout
    }

    /// The same with a further part behind all others.
    pub fn with(mut self, shapes: Vec<(String, Vec<usize>)>) -> Self {
        self.push(shapes);
        self
    }

    fn push(&mut self, shapes: Vec<(String, Vec<usize>)>) {
        let name = |number: usize, name: &str| match number {
            0 => format!("flow.{name}"),
            number => format!("flow.{number}.{name}"),
        };
        let is_taken = |full: &String| self.slots.iter().any(|slot| slot.name == *full);
        let is_free = |number: &usize| !shapes.iter().any(|(of, _)| is_taken(&name(*number, of)));
        let number = (0..).find(is_free).expect("there are more numbers than bijections");
        let start = self.len();
        for (of, shape) in shapes {
            let first = self.len();
            let range = first..first + shape.iter().product::<usize>();
            self.slots.push(Slot { name: name(number, &of), shape, range });
        }
        self.parts.push(start..self.len());
        self.numbers.push(number);
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

    /// The number in the names of one bijection's parameters, 0 where they have none.
    pub fn number(&self, bijection: usize) -> usize {
        self.numbers[bijection]
    }

    /// Place of the parameters of one part: a bijection, or what stands behind all of them.
    pub fn part(&self, index: usize) -> Range<usize> {
        self.parts[index].clone()
    }
}
