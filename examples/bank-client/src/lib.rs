//! A client whose types are those of another crate, `bank-types`, as are those of the service.

use bank_types::money::v1::{Amount, Currency};

zsvc::include_generated!();

pub use bank::v1::{BankClient, BankError};

/// Deposits cents of euros. Returns what is in the account.
///
/// # Errors
/// The bank refuses it, or can't be reached.
pub async fn deposit_cents(
    bank: &BankClient,
    account: &str,
    cents: i64,
) -> Result<i64, zsvc::Error<BankError>> {
    let amount = Amount { units: cents, scale: 2, currency: Currency::Euro };
    Ok(bank.deposit(account, amount).await?.units)
}
