//! The measurements as JSON: an array with one object per number.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::sample::Measurement;

/// Writes the file.
pub(crate) fn write(measurements: &[Measurement], file: &Path) -> io::Result<()> {
    let mut file = File::create(file)?;
    serde_json::to_writer_pretty(&mut file, measurements)?;
    writeln!(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_an_object() -> io::Result<()> {
        let (name, system, unit) = ("latency p50".to_owned(), "zsvc".to_owned(), "µs".to_owned());
        let measurement = Measurement { name, system, value: 1.5, unit, rounds: 7, spread: 0.25 };
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("figures.json");
        write(&[measurement], &file)?;
        let expected = serde_json::json!([{
            "name": "latency p50", "system": "zsvc", "value": 1.5, "unit": "µs", "rounds": 7, "spread": 0.25
        }]);
        assert_eq!(serde_json::from_reader::<_, serde_json::Value>(File::open(file)?)?, expected);
        Ok(())
    }
}
