//! What is measured on configurations, in double precision on the host, and the observables that follow from the means.

/// Numbers measured on every configuration, and functions of their means.
pub trait Observables: Send + Sync {
    /// How many numbers [`Self::measure`] writes.
    fn width(&self) -> usize;

    /// Measures one configuration `[component, site]` with action S.
    ///
    /// # Shapes
    /// `out`: `[width]`
    fn measure(&self, field: &[f64], action: f64, out: &mut [f64]);

    /// The observables, as functions of the means of the measured numbers.
    fn derived(&self) -> Vec<Derived>;
}

/// A function of the means of the measured numbers.
pub type Function = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

/// An observable: a function of means, with its exact value where it is known.
pub struct Derived {
    /// Name in `observables.csv`.
    pub name: String,
    /// Its value from the means `[width]`; not finite where noise leaves it undefined.
    pub value: Function,
    /// Exact expectation value, where it is known.
    pub exact: Option<f64>,
    /// What is missing from an ensemble in which it is not zero, where a symmetry of the action makes it zero.
    pub must_vanish: Option<&'static str>,
    /// What went wrong if it is not zero in every configuration.
    pub never: Option<&'static str>,
    /// Whether it is the share of configurations in one of the parts of the target between which chains and models may fail to go.
    pub sector: bool,
    /// Whether it is a plain mean with a spread of its own, whose autocorrelation and cost are worth a row.
    pub primary: bool,
}

impl Derived {
    /// An observable without an exact value.
    pub fn new(name: impl Into<String>, value: impl Fn(&[f64]) -> f64 + Send + Sync + 'static) -> Self {
        let (name, value) = (name.into(), Box::new(value));
        Self { name, value, exact: None, must_vanish: None, never: None, sector: false, primary: false }
    }

    /// Adds the exact value.
    pub fn exact(mut self, exact: Option<f64>) -> Self {
        self.exact = exact;
        self
    }

    /// Says that a symmetry of the action makes it zero, and what an ensemble misses in which it is not.
    pub fn vanishes(mut self, missing: &'static str) -> Self {
        self.must_vanish = Some(missing);
        self.exact(Some(0.0))
    }

    /// Says that it is zero in every configuration, unless something went wrong.
    pub fn never(mut self, wrong: &'static str) -> Self {
        self.never = Some(wrong);
        self
    }

    /// Marks it as the share of a sector.
    pub fn sector(mut self) -> Self {
        self.sector = true;
        self
    }

    /// Marks it as a mean that costs are given for.
    pub fn primary(mut self) -> Self {
        self.primary = true;
        self
    }
}

/// Whether an observable is a function of the time at one time, by its name: there are many of these.
pub fn is_of_time(name: &str) -> bool {
    ["two_point_", "effective_mass_", "pseudoscalar_"].iter().any(|of_time| name.starts_with(of_time))
}
