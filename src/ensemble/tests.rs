//! Ensembles written and read back, and everything that is no ensemble refused.

use super::*;
use crate::lattice::Lattice;
use crate::rng::Seed;
use crate::theory::Phi4;
use std::path::PathBuf;

const HMC: Provenance<'_> = Provenance { method: "hmc", spec: "version = 1\n" };

fn action() -> Phi4 {
    Phi4::new(Lattice::new([6, 4]), -1.0, 1.0)
}

fn fields(count: usize) -> Vec<f64> {
    Seed(6).stream("fields").normals(0, count, 24).into_iter().map(f64::from).collect()
}

fn write(path: &Path, shift: f64, provenance: &Provenance<'_>) {
    let (action, fields) = (action(), fields(5));
    let mut writer = EnsembleWriter::create(path, "phi", &[1, 6, 4], 5).unwrap();
    for part in [&fields[..48], &fields[48..]] {
        let actions: Vec<f64> = part.chunks(24).map(|field| action.action_f64(field) + shift).collect();
        writer.push(part, &vec![-30.0; actions.len()], &actions).unwrap();
    }
    writer.finish(provenance).unwrap();
}

#[test]
fn an_ensemble_comes_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    write(&path, 0.0, &HMC);
    let found = TargetSamples::load(&path, &action()).unwrap();
    let (fields, action) = (fields(5), action());
    assert_eq!(found.count(), 5);
    for (index, field) in fields.chunks(24).enumerate() {
        assert!(found.field(index).iter().zip(field).all(|(a, b)| f64::from(*a) == *b));
        assert_eq!(found.actions()[index], action.action_f64(field));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_file_of_hybrid_monte_carlo_says_of_how_many_chains_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let spec = "version = 1\nseed = 1\n\
                theory.phi4 = { extents = [6, 4], mass_squared = -1.0, coupling = 1.0 }\n\
                flow.affine = { layers = 2, kernel_size = 3, hidden = [2] }\n\
                train = { batch.size = 2, optimizer.adam.learning_rate = 1e-3, stop.steps = 1 }\n\
                sample.hmc = { trajectories = 10, chains = 7 }\n";
    for (spec, chains) in [(spec, 7), (HMC.spec, 1)] {
        write(&path, 0.0, &Provenance { method: "hmc", spec });
        assert_eq!(TargetSamples::load(&path, &action()).unwrap().chains(), chains);
    }
}

#[test]
fn an_unfinished_ensemble_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut writer = EnsembleWriter::create(&path, "phi", &[1, 6, 4], 5).unwrap();
    writer.push(&fields(2), &[0.0; 2], &[0.0; 2]).unwrap();
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_ensemble_of_the_target_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let reason = |action: &Phi4| TargetSamples::load(&path, action).unwrap_err().to_string();
    assert!(reason(&action()).contains("cannot read the ensemble"), "{}", reason(&action()));
    std::fs::write(&path, "no archive").unwrap();
    assert!(reason(&action()).contains("array `phi` of shape (N, 6, 4)"), "{}", reason(&action()));
    write(&path, 0.0, &HMC);
    let other = Phi4::new(Lattice::new([4, 6]), -1.0, 1.0);
    assert!(reason(&other).contains("has shape (5, 6, 4): must be (N, 4, 6)"), "{}", reason(&other));
    write(&path, 0.5, &HMC);
    assert!(reason(&action()).contains("configuration 0: has the action"), "{}", reason(&action()));
    write(&path, 0.0, &Provenance { method: MODEL, ..HMC });
    assert!(reason(&action()).contains("must be of the target"), "{}", reason(&action()));
    write(&path, 0.0, &HMC);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[300] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(TargetSamples::load(&path, &action()), Err(Error::BadFile { .. })));
}

/// Configurations of the target in two archives, and the index of both.
fn write_in_parts(folder: &Path) -> PathBuf {
    let (action, fields) = (action(), fields(5));
    let name = folder.join("a.npz");
    let parts = [&fields[..48], &fields[48..]].into_iter().enumerate().map(|(rank, part)| {
        let (path, count) = (Index::place_of(&name, 9 + rank, 11), part.len() as u64 / 24);
        let mut writer = EnsembleWriter::create(&path, "phi", &[1, 6, 4], count).unwrap();
        let actions: Vec<f64> = part.chunks(24).map(|field| action.action_f64(field)).collect();
        writer.push(part, &vec![-30.0; actions.len()], &actions).unwrap();
        let mut complete = writer.complete(&HMC).unwrap();
        let (bytes, blake3) = complete.digest().unwrap();
        complete.put_in_place().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes);
        IndexedFile { file: path.file_name().unwrap().to_str().unwrap().to_owned(), count, bytes, blake3 }
    });
    let files: Vec<IndexedFile> = parts.collect();
    assert_eq!(
        [&*files[0].file, &*files[1].file],
        ["a.rank-09.npz", "a.rank-10.npz"],
        "in order of names, too"
    );
    let index = Index::place(&name);
    Index { field: "phi".into(), shape: vec![5, 6, 4], files }.write(&index).unwrap();
    index
}

#[test]
fn an_index_makes_one_ensemble_of_several_archives() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, index) = (folder.path().join("whole.npz"), write_in_parts(folder.path()));
    write(&whole, 0.0, &HMC);
    let found = TargetSamples::load(&index, &action()).unwrap();
    let expected = TargetSamples::load(&whole, &action()).unwrap();
    assert_eq!((found.fields(), found.actions()), (expected.fields(), expected.actions()));
    let [log_q, expected] = [&index, &whole].map(|path| {
        let mut reader = EnsembleReader::open(path, "phi", &[1, 6, 4]).unwrap();
        assert_eq!(reader.array("nothing").unwrap(), None);
        (reader.count(), reader.method(), reader.array("log_q").unwrap())
    });
    assert_eq!(log_q, expected);

    let part = folder.path().join("a.rank-10.npz");
    let reason = || TargetSamples::load(&index, &action()).unwrap_err().to_string();
    let was = std::fs::read(&part).unwrap();
    write(&part, 0.0, &HMC);
    assert!(reason().contains("a.rank-10.npz: is not the file that the index"), "{}", reason());
    std::fs::remove_file(&part).unwrap();
    assert!(reason().contains("a.rank-10.npz: cannot be read"), "{}", reason());
    std::fs::write(&part, was).unwrap();
    let text = std::fs::read_to_string(&index).unwrap();
    assert!(TargetSamples::load(&index, &action()).is_ok());
    std::fs::write(&index, text.replace("\"count\"", "\"counts\"")).unwrap();
    assert!(reason().contains("is no index of an ensemble: unknown field `counts`"), "{}", reason());
}
