//! Calls the service of one crate by the client of another, with types of a third.

use bank_client::{BankClient, BankError, deposit_cents};
use bank_service::{Accounts, BankServer};
use bank_types::money::v1::{Amount, Currency};
use zsvc::{Channel, Error};

#[tokio::test]
async fn a_service_and_a_client_share_types() {
    let bank = BankClient::new(Channel::local(BankServer::new(Accounts::default())));
    assert_eq!(deposit_cents(&bank, "ann", 500).await.expect("a deposit"), 500);
    assert_eq!(deposit_cents(&bank, "ann", 250).await.expect("a deposit"), 750);
    let francs = Amount { units: 1, scale: 2, currency: Currency::Franc };
    match bank.deposit("ann", francs).await {
        Err(Error::Declared(BankError::OtherCurrency { held })) => assert_eq!(held, Currency::Euro),
        other => panic!("another currency: {other:?}"),
    }
}

#[tokio::test]
async fn bounds_of_shared_types_hold() {
    let bank = BankClient::new(Channel::local(BankServer::new(Accounts::default())));
    let amount = Amount { units: 1, scale: 19, currency: Currency::Euro };
    match bank.deposit("ann", amount).await {
        Err(Error::Status(status)) => assert_eq!(status.code(), zsvc::Code::InvalidArgument),
        other => panic!("a scale that is too large: {other:?}"),
    }
}
