//! Named arrays of double precision with a JSON header in one checksummed safetensors file.

use crate::error::{Error, Result};
use crate::files::write_atomically;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The arrays and their header.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrays {
    /// Anything that is no array.
    pub header: serde_json::Value,
    arrays: BTreeMap<String, Vec<f64>>,
}

impl Arrays {
    /// No arrays yet.
    pub fn new(header: serde_json::Value) -> Self {
        Self { header, arrays: BTreeMap::new() }
    }

    /// Adds an array.
    pub fn push(&mut self, name: impl Into<String>, values: Vec<f64>) {
        self.arrays.insert(name.into(), values);
    }

    /// Takes an array out.
    pub fn take(&mut self, name: &str) -> Option<Vec<f64>> {
        self.arrays.remove(name)
    }

    /// Writes to a temporary name in the same folder and renames it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let json = self.header.to_string();
        let metadata =
            HashMap::from([("blake3".to_owned(), self.digest(&json)), ("flowqcd".to_owned(), json)]);
        let views = self.arrays.iter().map(|(name, values)| {
            let view = TensorView::new(Dtype::F64, vec![values.len()], bytemuck::cast_slice(values));
            (name, view.expect("data has the size of its shape"))
        });
        let bytes = safetensors::serialize(views, Some(metadata)).expect("names are distinct");
        write_atomically(path, &bytes)
    }

    /// Reads a file and checks that every byte is as it was written; nothing if there is none, or something else of that name (a
    /// pipe would wait for a writer).
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::BadFile`] if the file is damaged.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Self::parse(&bytes).map(Some).ok_or_else(|| Error::BadFile {
            path: path.to_owned(),
            rule: "is damaged: its checksum does not fit".into(),
            hint: "remove it: what it holds is drawn again".into(),
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
        let metadata = metadata.metadata().as_ref()?;
        let json = metadata.get("flowqcd")?;
        let tensors = SafeTensors::deserialize(bytes).ok()?;
        let array = |(name, view): (String, TensorView<'_>)| {
            let values = view.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            (name, values)
        };
        let arrays = tensors.tensors().into_iter().map(array).collect();
        let this = Self { header: serde_json::from_str(json).ok()?, arrays };
        (metadata.get("blake3") == Some(&this.digest(json))).then_some(this)
    }

    fn digest(&self, json: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(json.as_bytes());
        for (name, values) in &self.arrays {
            hasher.update(name.as_bytes()).update(bytemuck::cast_slice(values));
        }
        hasher.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chains.safetensors");
        assert_eq!(Arrays::load(&path).unwrap(), None);
        let mut arrays = Arrays::new(serde_json::json!({ "wall_s": 0.1 }));
        arrays.push("a", vec![1.5, -2.0]);
        arrays.push("empty", vec![]);
        arrays.save(&path).unwrap();
        assert_eq!(Arrays::load(&path).unwrap(), Some(arrays));
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Arrays::load(&path), Err(Error::BadFile { .. })));
    }
}
