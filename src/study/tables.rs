//! The tables of a cell, opened when their first row comes.

use super::row::{ChainRow, CostRow, EssRow, HistoryRow, ObservableRow, TrainRow, WeightRow};
use super::table::{Leading, Table};
use crate::error::Result;
use crate::files::Mark;
use crate::spec::Varied;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files.
pub const TABLES: [&str; 7] = [
    TrainRow::FILE,
    EssRow::FILE,
    CostRow::FILE,
    ObservableRow::FILE,
    ChainRow::FILE,
    HistoryRow::FILE,
    WeightRow::FILE,
];

/// The tables in the folder of a cell.
pub struct Tables {
    folder: PathBuf,
    leading: Leading,
    /// Up to where every table is to be kept.
    kept: BTreeMap<String, Mark>,
    train: Option<Table<TrainRow>>,
    ess: Option<Table<EssRow>>,
    cost: Option<Table<CostRow>>,
    observables: Option<Table<ObservableRow>>,
    chains: Option<Table<ChainRow>>,
    history: Option<Table<HistoryRow>>,
    weights: Option<Table<WeightRow>>,
}

/// What the rows of a cell begin with: its number and its varied keys.
pub fn leading(cell: u64, values: &Varied) -> Leading {
    let number = std::iter::once(("cell".to_owned(), cell.to_string()));
    number.chain(values.texts().map(|(key, value)| (key.to_owned(), value))).collect()
}

/// A row and the table it belongs to.
pub trait TableRow: Serialize + Sized {
    /// The file.
    const FILE: &'static str;
    /// Its place among the tables.
    fn slot(tables: &mut Tables) -> &mut Option<Table<Self>>;
}

macro_rules! table_row {
    ($row:ty, $file:literal, $field:ident) => {
        impl TableRow for $row {
            const FILE: &'static str = $file;
            fn slot(tables: &mut Tables) -> &mut Option<Table<Self>> {
                &mut tables.$field
            }
        }
    };
}
table_row!(TrainRow, "train.csv", train);
table_row!(EssRow, "ess.csv", ess);
table_row!(CostRow, "cost.csv", cost);
table_row!(ObservableRow, "observables.csv", observables);
table_row!(ChainRow, "chains.csv", chains);
table_row!(HistoryRow, "history.csv", history);
table_row!(WeightRow, "weights.csv", weights);

impl Tables {
    /// Tables whose rows begin with these columns; nothing of what they hold is kept.
    pub fn new(folder: &Path, leading: Leading) -> Self {
        let (folder, kept) = (folder.to_owned(), BTreeMap::new());
        Self {
            folder,
            leading,
            kept,
            train: None,
            ess: None,
            cost: None,
            observables: None,
            chains: None,
            history: None,
            weights: None,
        }
    }

    /// Keeps what was there at these marks, as a checkpoint has them.
    pub fn keep(&mut self, marks: &BTreeMap<String, Mark>) {
        self.kept = marks.clone();
    }

    /// Opens a table and drops the rows that are not to be kept.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`], [`crate::error::Error::BadFile`].
    pub fn open<R: TableRow>(&mut self) -> Result<&mut Table<R>> {
        let (path, leading) = (self.folder.join(R::FILE), self.leading.clone());
        let kept = self.kept.get(R::FILE).cloned();
        let slot = R::slot(self);
        if slot.is_none() {
            *slot = Some(match kept {
                Some(mark) => Table::resume(&path, &mark, leading)?,
                None => Table::create(&path, leading)?,
            });
        }
        Ok(slot.as_mut().expect("it was just opened"))
    }

    /// Appends a row and flushes it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn append<R: TableRow>(&mut self, row: &R) -> Result<()> {
        self.open::<R>()?.append(row)
    }

    /// How far every table has come, all of it on the disk.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    pub fn marks(&mut self) -> Result<BTreeMap<String, Mark>> {
        let mut marks = self.kept.clone();
        let mut note = |name: &str, mark: Option<Mark>| {
            marks.extend(mark.map(|mark| (name.to_owned(), mark)));
        };
        note(TrainRow::FILE, self.train.as_mut().map(Table::sync).transpose()?);
        note(EssRow::FILE, self.ess.as_mut().map(Table::sync).transpose()?);
        note(CostRow::FILE, self.cost.as_mut().map(Table::sync).transpose()?);
        note(ObservableRow::FILE, self.observables.as_mut().map(Table::sync).transpose()?);
        note(ChainRow::FILE, self.chains.as_mut().map(Table::sync).transpose()?);
        note(HistoryRow::FILE, self.history.as_mut().map(Table::sync).transpose()?);
        note(WeightRow::FILE, self.weights.as_mut().map(Table::sync).transpose()?);
        Ok(marks)
    }
}
