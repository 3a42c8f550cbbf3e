//! The numbers that pass through this program: a reading is what one run of a child found, a measurement what all rounds of it came to.

use serde::{Deserialize, Serialize};

/// What one child found in one round, as it prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// Which number this is; see the list in `README.md`.
    pub name: String,
    /// The number.
    pub value: f64,
    /// What it is a number of.
    pub unit: String,
}

impl Reading {
    /// A reading of this name.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { name: name.into(), value, unit: unit.to_owned() }
    }
}

/// One number that was measured, as JSON has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// Which number this is; see the list in `README.md`.
    pub name: String,
    /// Of which system.
    pub system: String,
    /// The median over the rounds.
    pub value: f64,
    /// What it is a number of.
    pub unit: String,
    /// How many rounds there were.
    pub rounds: usize,
    /// The interquartile range of the rounds, as a fraction of the median.
    pub spread: f64,
}
