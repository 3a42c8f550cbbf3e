//! Compatible changes to the schema of a shop, many at once: whole values, also inside lists, maps and variants and
//! in the items of streams.
//!
//! The schemas are `svc/old/shop.svc` and `svc/new/shop.svc`. Servers return their parameters, so the results were
//! decoded and encoded by the other version. The other files here test the changes one by one.

use std::collections::BTreeMap;

use futures_util::stream;
use zsvc::{Code, Context, Error, Outcome, Sink, Status, Streaming, Value};
use zsvc_calls::new::shop::v1 as new;
use zsvc_calls::old::shop::v1 as old;

use super::serve;
use crate::support::on_one_thread;

/// A shop server of either version.
struct Mirror;

impl old::Shop for Mirror {
    async fn echo_item(&self, _: &Context, item: old::Item) -> Result<old::Item, Status> {
        Ok(item)
    }

    async fn echo_size(&self, _: &Context, size: old::Size) -> Result<old::Size, Status> {
        Ok(size)
    }

    async fn echo_payment(&self, _: &Context, payment: old::Payment) -> Result<old::Payment, Status> {
        Ok(payment)
    }

    async fn echo_basket(&self, _: &Context, basket: old::Basket) -> Result<old::Basket, Status> {
        Ok(basket)
    }

    async fn echo_all(
        &self,
        _: &Context,
        mut baskets: Streaming<old::Basket>,
        out: Sink<old::Basket>,
    ) -> Result<(), Status> {
        while let Some(basket) = baskets.next().await {
            out.send(basket?).await?;
        }
        Ok(())
    }

    async fn buy(&self, _: &Context, item: old::Item) -> Result<String, Error<old::ShopError>> {
        if item.price == 0 { Err(old::ShopError::SoldOut.into()) } else { Ok(item.name) }
    }

    async fn done(&self, _: &Context) -> Result<(), Status> {
        Ok(())
    }
}

impl new::Shop for Mirror {
    async fn echo_item(&self, _: &Context, product: new::Product) -> Result<new::Product, Status> {
        Ok(product)
    }

    async fn echo_size(&self, _: &Context, size: new::Size) -> Result<new::Size, Status> {
        Ok(size)
    }

    async fn echo_payment(&self, _: &Context, payment: new::Payment) -> Result<new::Payment, Status> {
        Ok(payment)
    }

    async fn echo_basket(&self, _: &Context, basket: new::Basket) -> Result<new::Basket, Status> {
        Ok(basket)
    }

    async fn echo_all(
        &self,
        _: &Context,
        mut baskets: Streaming<new::Basket>,
        out: Sink<new::Basket>,
    ) -> Result<(), Status> {
        while let Some(basket) = baskets.next().await {
            out.send(basket?).await?;
        }
        Ok(())
    }

    async fn buy(
        &self,
        _: &Context,
        item: new::Product,
        coupon: Option<String>,
    ) -> Result<String, Error<new::ShopError>> {
        if item.cents == 0 {
            return Err(new::ShopError::Closed { hour: 9 }.into());
        }
        Ok(coupon.unwrap_or_else(|| "no coupon".to_owned()))
    }

    async fn done(&self, _: &Context) -> Result<u64, Status> {
        Ok(7)
    }

    async fn added(&self, _: &Context) -> Result<String, Status> {
        Ok("added".to_owned())
    }
}

/// Returns a client of the new schema for a server of the old one.
async fn new_to_old() -> new::ShopClient {
    new::ShopClient::connect(serve([old::ShopServer::new(Mirror)])).await.unwrap()
}

/// Returns a client of the old schema for a server of the new one.
async fn old_to_new() -> old::ShopClient {
    old::ShopClient::connect(serve([new::ShopServer::new(Mirror)])).await.unwrap()
}

fn product() -> new::Product {
    new::Product {
        title: "cup".to_owned(),
        cents: 350,
        color: Some("red".to_owned()),
        pack: 6,
        origin: "here".to_owned(),
    }
}

fn item() -> old::Item {
    old::Item { name: "cup".to_owned(), shelf: Some("3b".to_owned()), price: 350 }
}

#[test]
pub(super) fn an_added_field_is_ignored_by_the_old_and_absent_or_its_default_for_the_new() {
    on_one_thread(async {
        let back = new_to_old().await.echo_item(product()).await.unwrap();
        // The old server knows none of the three fields, and wrote none of them back.
        let expected = new::Product { color: None, pack: 1, origin: "shop".to_owned(), ..product() };
        assert_eq!(back, expected);
    });
}

#[test]
pub(super) fn a_removed_field_is_absent_for_the_old_and_ignored_by_the_new() {
    on_one_thread(async {
        let back = old_to_new().await.echo_item(item()).await.unwrap();
        assert_eq!(back, old::Item { shelf: None, ..item() });
    });
}

#[test]
pub(super) fn an_unknown_enum_value_comes_back_through_a_server_that_does_not_know_it() {
    on_one_thread(async {
        let shop = new_to_old().await;
        assert_eq!(shop.echo_size(new::Size::Huge).await, Ok(new::Size::Huge));
        assert_eq!(
            shop.echo_size(new::Size::Unknown(-2_000_000_000)).await,
            Ok(new::Size::Unknown(-2_000_000_000))
        );
        // In the other direction, an old client sees the number.
        let shop = old_to_new().await;
        assert_eq!(shop.echo_size(old::Size::Unknown(700)).await, Ok(old::Size::Unknown(700)));
        assert_eq!(shop.echo_size(old::Size::Small).await, Ok(old::Size::Small));
    });
}

fn payments() -> Vec<new::Payment> {
    vec![
        new::Payment::Voucher { code: "abc".to_owned(), worth: 5 },
        new::Payment::Barter(product()),
        new::Payment::Nothing,
        new::Payment::Cash,
        new::Payment::Card { number: "1234".to_owned(), holder: None },
    ]
}

#[test]
pub(super) fn an_unknown_variant_comes_back_through_a_server_that_does_not_know_it() {
    on_one_thread(async {
        let shop = new_to_old().await;
        for payment in payments() {
            assert_eq!(shop.echo_payment(payment.clone()).await, Ok(payment));
        }
    });
}

#[test]
pub(super) fn an_unknown_variant_is_kept_with_its_number_and_value() {
    on_one_thread(async {
        let shop = old_to_new().await;
        let value = Value::Array(vec![Value::from("abc"), Value::from(5)]);
        let voucher = old::Payment::Unknown(zsvc::UnknownVariant { number: 3, value });
        assert_eq!(shop.echo_payment(voucher.clone()).await, Ok(voucher));
        let far = zsvc::UnknownVariant { number: 99, value: Value::Map(vec![(Value::Nil, Value::F64(0.5))]) };
        let far = old::Payment::Unknown(far);
        assert_eq!(shop.echo_payment(far.clone()).await, Ok(far));
    });
}

#[test]
pub(super) fn a_field_added_to_a_variant_is_ignored_by_the_old() {
    on_one_thread(async {
        let card = |holder| new::Payment::Card { number: "1234".to_owned(), holder };
        let back = new_to_old().await.echo_payment(card(Some("me".to_owned()))).await;
        assert_eq!(back, Ok(card(None)));
    });
}

fn basket() -> new::Basket {
    new::Basket {
        items: vec![product(), product()],
        size: new::Size::Huge,
        payment: new::Payment::Barter(product()),
        sizes: BTreeMap::from([(new::Size::Huge, 1), (new::Size::Small, 2)]),
        note: Some("fragile".to_owned()),
    }
}

/// Returns the basket after an old peer has decoded and encoded it.
fn basket_through_the_old() -> new::Basket {
    let known = new::Product { color: None, pack: 1, origin: "shop".to_owned(), ..product() };
    new::Basket { items: vec![known.clone(), known], note: None, ..basket() }
}

#[test]
pub(super) fn changes_hold_inside_lists_maps_and_variants() {
    on_one_thread(async {
        let back = new_to_old().await.echo_basket(basket()).await.unwrap();
        // The product in the variant is complete: a peer that does not know a variant keeps its encoding as it is.
        assert_eq!(back, basket_through_the_old());
    });
}

#[test]
pub(super) fn changes_hold_in_the_items_of_streams() {
    on_one_thread(async {
        let (sink, mut back) = new_to_old().await.echo_all().await.unwrap();
        sink.send_all(stream::iter([basket(), basket()])).await.unwrap();
        sink.finish();
        for _ in 0..2 {
            assert_eq!(back.next().await.unwrap().unwrap(), basket_through_the_old());
        }
        assert!(back.next().await.is_none());
    });
}

#[test]
pub(super) fn an_appended_parameter_is_ignored_by_the_old_and_absent_for_the_new() {
    on_one_thread(async {
        let bought = new_to_old().await.buy(product(), Some("coupon".to_owned())).await;
        assert_eq!(bought, Ok("cup".to_owned()));
        let bought = old_to_new().await.buy(item()).await;
        assert_eq!(bought, Ok("no coupon".to_owned()));
    });
}

#[test]
pub(super) fn a_new_declared_error_reaches_an_old_client_as_unknown_with_its_text() {
    on_one_thread(async {
        let free = old::Item { price: 0, ..item() };
        let error = old_to_new().await.buy(free).await.unwrap_err();
        let Error::Declared(old::ShopError::Unknown(variant)) = &error else { panic!("{error:?}") };
        assert_eq!((variant.number, &variant.value), (2, &Value::Array(vec![Value::from(9)])));
        assert_eq!(error.outcome(), Outcome::Executed);
        let error = new_to_old().await.buy(new::Product { cents: 0, ..product() }, None).await.unwrap_err();
        assert_eq!(error, Error::Declared(new::ShopError::SoldOut));
    });
}

#[test]
pub(super) fn a_method_that_begins_to_answer_is_fine_for_the_old() {
    on_one_thread(async {
        assert_eq!(old_to_new().await.done().await, Ok(()));
    });
}

#[test]
pub(super) fn a_method_that_the_server_does_not_have_yet_is_unimplemented() {
    on_one_thread(async {
        let status = new_to_old().await.added().await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unimplemented, Outcome::NotSent));
        assert_eq!(
            status.message(),
            "the service has no method `shop.v1.Shop/added`; the server may be older than its client"
        );
    });
}

/// The bytes are the same whatever the names are: only numbers are sent.
#[test]
pub(super) fn renamed_types_fields_and_parameters_make_no_difference() {
    on_one_thread(async {
        let back = old_to_new().await.echo_item(old::Item { shelf: None, ..item() }).await;
        assert_eq!(back, Ok(old::Item { shelf: None, ..item() }));
        let plain = new::Product { color: None, pack: 1, origin: "shop".to_owned(), ..product() };
        assert_eq!(new_to_old().await.echo_item(plain.clone()).await, Ok(plain));
    });
}
