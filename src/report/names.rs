//! How keys are called in figures: as in the tables, or as papers write them.

use super::value::number;

/// What keys are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// As the columns of the tables.
    Columns,
    /// By the symbols of A22, where they have one.
    Symbols,
}

/// Keys by the last parts of their paths, and their symbols.
const SYMBOLS: [(&str, &str); 12] = [
    ("coupling", "λ"),
    ("mass_squared", "m²"),
    ("kappa", "κ"),
    ("beta", "β"),
    ("extents", "L"),
    ("layers", "n_L"),
    ("kernel_size", "K"),
    ("size", "batch"),
    ("learning_rate", "learning rate"),
    ("stop.ess", "target ESS"),
    ("stop.steps", "steps"),
    ("adam.learning_rate", "learning rate"),
];

impl Names {
    /// A key.
    pub fn key(self, key: &str) -> &str {
        let symbol = SYMBOLS.iter().find(|(name, _)| *name == key && self == Self::Symbols);
        symbol.map_or(key, |(_, symbol)| symbol)
    }

    /// A key that has a value. What is no number says for itself which key it is of, and equal extents are one length.
    pub fn assignment(self, key: &str, text: &str) -> String {
        match (self, number(text)) {
            (Self::Columns, _) => format!("{key} = {text}"),
            (Self::Symbols, Some(number)) => format!("{} = {number}", self.key(key)),
            (Self::Symbols, None) if text.starts_with('[') => format!("{} = {text}", self.key(key)),
            (Self::Symbols, None) => text.replace('_', " "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn papers_write_symbols_and_tables_columns() {
        let both =
            |key: &str, text: &str| [Names::Columns, Names::Symbols].map(|names| names.assignment(key, text));
        assert_eq!(both("coupling", "1.0"), ["coupling = 1.0", "λ = 1"]);
        assert_eq!(both("extents", "[8, 8]"), ["extents = [8, 8]", "L = 8"]);
        assert_eq!(both("extents", "[8, 4]"), ["extents = [8, 4]", "L = [8, 4]"]);
        assert_eq!(both("base", "unit_normal"), ["base = unit_normal", "unit normal"]);
        assert_eq!(both("rho", "0.9"), ["rho = 0.9", "rho = 0.9"]);
    }
}
