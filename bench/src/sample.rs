//! The numbers in this program: a reading is the result of one run of a child, a measurement that of all rounds.

use serde::{Deserialize, Serialize};

/// A result of one child in one round, as the child prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Name of the number; `README.md` lists them.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Unit of the number.
    pub unit: String,
}

impl Reading {
    /// Returns a reading.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { name: name.into(), value, unit: unit.to_owned() }
    }
}

/// One measured number, as it is written to JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// Name of the number; `README.md` lists them.
    pub name: String,
    /// Name of the system.
    pub system: String,
    /// Median over the rounds.
    pub value: f64,
    /// Unit of the number.
    pub unit: String,
    /// Number of rounds.
    pub rounds: usize,
    /// Interquartile range of the rounds, as a fraction of the median.
    pub spread: f64,
}
