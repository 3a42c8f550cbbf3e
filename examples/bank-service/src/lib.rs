//! A service whose types are those of another crate, `bank-types`: nothing of `money.v1` is generated here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bank_types::money::v1::Amount;
use zsvc::{Context, Error};

zsvc::include_generated!();

pub use bank::v1::BankServer;
use bank::v1::{Bank, BankError};

/// Accounts by name, in memory.
#[derive(Debug, Default)]
pub struct Accounts {
    held: Mutex<BTreeMap<String, Amount>>,
}

impl Bank for Accounts {
    async fn deposit(
        &self,
        _context: &Context,
        account: String,
        amount: Amount,
    ) -> Result<Amount, Error<BankError>> {
        // A panic while the lock was held left whole amounts behind.
        let mut accounts = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = accounts.entry(account).or_insert(Amount { units: 0, ..amount.clone() });
        if held.currency != amount.currency {
            return Err(BankError::OtherCurrency { held: held.currency }.into());
        }
        let sum = held.units.checked_add(amount.units).filter(|_| held.scale == amount.scale);
        held.units = sum.ok_or(BankError::OutOfRange)?;
        Ok(held.clone())
    }
}
