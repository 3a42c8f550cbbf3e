//! Subscriptions to events, as methods of a schema: `exchange.v1.Price/subscribe`, which is answered with a stream.
//!
//! What is on the wire is in the project's `docs/protocol.md`, "Events". On it, an event is a service with this one method; so
//! [`add_subscriptions`] makes it one, and everything that knows methods knows subscriptions.

use zsvc_idl::schema::{
    Builtin, Field, Method, MethodKind, Notes, Overlap, PackageId, Payload, Schema, Service, Struct, Type,
    TypeDefinition, TypeId, TypeKind, Variant,
};
use zsvc_idl::source::Span;

use crate::find::FoundMethod;
use crate::{Codec, Error, Shape};

/// Name of the method.
const SUBSCRIBE: &str = "subscribe";
/// Name of the method by which a client publishes an event, at a router.
const PUBLISH: &str = "publish";

/// Adds a service for each event of a schema, with the method `subscribe`.
///
/// Its parameters are `filter`, an object of key fields by name, each with a value or a list of these, and `since`, a position. Its
/// answers are of a union: `Opened` holds the publisher's epoch, `Event` an event with its sequence number, `Missed` how many are missing
/// here, and `Live` the sequence number of the last event that had been kept.
pub fn add_subscriptions(schema: &mut Schema) {
    let packages = (0..).map(PackageId).zip(&schema.packages);
    let listed = packages.flat_map(|(package, it)| it.types.iter().map(move |id| (package, *id)));
    let events: Vec<(PackageId, TypeId)> = listed.filter(|(_, id)| event(schema, *id).is_some()).collect();
    for (package, id) in events {
        let service = subscription(schema, package, id);
        schema.packages[package.0 as usize].services.push(service);
    }
}

/// Adds to each event of a schema that [has a method](add_subscriptions) the one by which it is published at a router, `publish`. Its
/// parameter is the event.
pub fn add_publications(schema: &mut Schema) {
    let events = schema.packages.iter().flat_map(|package| &package.types);
    let events = events.filter(|id| event(schema, **id).is_some());
    let events: Vec<_> = events.map(|id| (*id, schema.definition(*id).span)).collect();
    for (package, number) in schema.packages.iter_mut().zip(0..) {
        for service in &mut package.services {
            let Some((id, span)) = events.iter().find(|(_, span)| *span == service.span) else { continue };
            let Some(subscribe) = service.methods.iter().find(|method| method.name == SUBSCRIBE) else {
                continue;
            };
            let of = Declaring { package: PackageId(number), span: *span };
            let publish = Method {
                name: PUBLISH.to_owned(),
                parameters: vec![of.field("event", 1, Type::Named(*id))],
                kind: MethodKind::Unary(None),
                ..subscribe.clone()
            };
            service.methods.push(publish);
        }
    }
}

/// Returns the event that a method subscribes to.
#[must_use]
pub fn subscribed<'s>(schema: &'s Schema, method: &FoundMethod<'_>) -> Option<&'s Struct> {
    event_of(schema, method).filter(|_| method.method.name == SUBSCRIBE)
}

/// Returns the event that a method publishes.
#[must_use]
pub fn published<'s>(schema: &'s Schema, method: &FoundMethod<'_>) -> Option<&'s Struct> {
    event_of(schema, method).filter(|_| method.method.name == PUBLISH)
}

fn event_of<'s>(schema: &'s Schema, method: &FoundMethod<'_>) -> Option<&'s Struct> {
    let all = schema.packages.iter().flat_map(|package| &package.types);
    // A name is declared at one place.
    let mut events = all.filter(|id| schema.definition(**id).span == method.service.span);
    events.find_map(|id| event(schema, *id))
}

/// Returns the JSON of a key field's value in a filter, from an argument. On the wire an enum is its number there, and a uuid its bytes.
///
/// # Errors
/// The argument is no value of the field.
pub fn key_value(schema: &Schema, key: &Field, argument: &str) -> Result<String, Error> {
    let codec = Codec::new(schema);
    let bytes = codec.strict().encode(Shape::Type(&key.ty), &crate::argument(schema, &key.ty, argument))?;
    codec.decode(Shape::Type(&Type::Builtin(Builtin::Value)), &bytes)
}

/// Returns the default value of a field as it is on the wire, if it has one.
#[must_use]
pub fn default_of(schema: &Schema, field: &Field) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    crate::literal::write(schema, &field.ty, field.default.as_ref()?, &mut bytes);
    Some(bytes)
}

fn event(schema: &Schema, id: TypeId) -> Option<&Struct> {
    match &schema.definition(id).kind {
        TypeKind::Struct(structure) if structure.event.is_some() => Some(structure),
        _ => None,
    }
}

/// Declares what a subscription needs, and returns its service.
fn subscription(schema: &mut Schema, package: PackageId, event: TypeId) -> Service {
    let TypeDefinition { name, span, notes, kind, .. } = schema.definition(event).clone();
    let access = match kind {
        TypeKind::Struct(Struct { event: Some(event), .. }) => event.access,
        _ => zsvc_idl::schema::Access::Unsaid,
    };
    let of = Declaring { package, span };
    let position = of.declare(schema, format!("{name}.Position"), of.position());
    let delivery = of.declare(schema, format!("{name}.Delivery"), of.delivery(event));
    let filter = of.field("filter", 1, Type::Optional(Box::new(Type::Builtin(Builtin::Value))));
    let since = of.field("since", 2, Type::Optional(Box::new(Type::Named(position))));
    let method = Method {
        name: SUBSCRIBE.to_owned(),
        declared_by: None,
        parameters: vec![filter, since],
        kind: MethodKind::ServerStream(Type::Named(delivery)),
        throws: Vec::new(),
        deadline: None,
        idempotent: false,
        blocking: false,
        overlap: Overlap::Parallel,
        shard: None,
        access: access.clone(),
        notes: notes.clone(),
        span,
        answer_span: None,
    };
    Service { name, extends: Vec::new(), methods: vec![method], access, notes, span }
}

/// Where all that a subscription needs is declared: at the event.
#[derive(Clone, Copy)]
struct Declaring {
    package: PackageId,
    span: Span,
}

impl Declaring {
    fn declare(self, schema: &mut Schema, name: String, kind: TypeKind) -> TypeId {
        let id = TypeId(u32::try_from(schema.types.len()).unwrap_or(u32::MAX));
        let Self { package, span } = self;
        let notes = Notes::default();
        schema.types.push(TypeDefinition {
            name,
            package,
            notes,
            span,
            kind,
            reserved: Vec::new(),
            target_span: None,
        });
        id
    }

    fn position(self) -> TypeKind {
        let u64 = Type::Builtin(Builtin::U64);
        let fields = vec![self.field("epoch", 1, u64.clone()), self.field("sequence", 2, u64)];
        TypeKind::Struct(Struct { fields, event: None })
    }

    fn delivery(self, event: TypeId) -> TypeKind {
        let u64 = Type::Builtin(Builtin::U64);
        let fields = vec![self.field("sequence", 1, u64.clone()), self.field("event", 2, Type::Named(event))];
        let missed = Type::Optional(Box::new(u64.clone()));
        TypeKind::Union(vec![
            self.variant("Event", 1, Payload::Fields(fields)),
            self.variant("Missed", 2, Payload::Type { ty: missed, boxed: false }),
            self.variant("Live", 3, Payload::Type { ty: u64.clone(), boxed: false }),
            self.variant("Opened", 4, Payload::Type { ty: u64, boxed: false }),
        ])
    }

    fn variant(self, name: &str, number: u32, payload: Payload) -> Variant {
        Variant {
            name: name.to_owned(),
            number,
            payload,
            message: None,
            notes: Notes::default(),
            span: self.span,
            reserved: Vec::new(),
            type_span: None,
        }
    }

    fn field(self, name: &str, number: u16, ty: Type) -> Field {
        Field {
            name: name.to_owned(),
            number,
            ty,
            default: None,
            len: None,
            range: None,
            boxed: false,
            notes: Notes::default(),
            span: self.span,
            type_span: self.span,
        }
    }
}

#[cfg(test)]
mod tests {
    use zsvc_idl::MemoryLoader;

    use super::*;
    use crate::find;

    fn schema() -> Schema {
        let text = "package exchange.v1; enum Side { Buy = 1; Sell = 2; }
            event Price { @key symbol: string = 1; cents: u64 = 2; }
            event Deal { @key side: Side = 1; @key id: uuid = 2; } @roles(\"desk\") event Halt {}
            service Desk { rpc open(); }";
        let loader = MemoryLoader::default().with("a.svc", text);
        let mut schema = zsvc_idl::compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors");
        add_subscriptions(&mut schema);
        schema
    }

    #[test]
    fn events_have_a_method_and_other_services_are_none() {
        let schema = schema();
        let names: Vec<String> = find::methods(&schema).map(|method| method.name).collect();
        assert_eq!(
            names,
            [
                "exchange.v1.Desk/open",
                "exchange.v1.Price/subscribe",
                "exchange.v1.Deal/subscribe",
                "exchange.v1.Halt/subscribe"
            ]
        );
        let halt = find::method(&schema, "Halt/subscribe").expect("it is there");
        assert_eq!(halt.service.access_of(halt.method).roles(), ["desk"]);
        assert!(subscribed(&schema, &halt).is_some());
        assert!(subscribed(&schema, &find::method(&schema, "open").expect("it is there")).is_none());
        // The type is what the name stands for, and not its subscription as well.
        assert!(matches!(find::declared(&schema, "Price"), Ok(find::Declared::Type(..))));
    }

    #[test]
    fn an_event_is_published_as_the_protocol_says() {
        let mut schema = schema();
        assert!(find::method(&schema, "Price/publish").is_err(), "no server has it");
        add_publications(&mut schema);
        assert_eq!(find::methods(&schema).filter(|method| method.name.ends_with("/publish")).count(), 3);
        let price = find::method(&schema, "Price/publish").expect("it is there");
        assert!(published(&schema, &price).is_some() && subscribed(&schema, &price).is_none());
        let subscribe = find::method(&schema, "Price/subscribe").expect("it is there");
        assert!(published(&schema, &subscribe).is_none() && subscribed(&schema, &subscribe).is_some());
        let params = Shape::Parameters(&price.method.parameters);
        let bytes =
            Codec::new(&schema).encode(params, r#"{"event":{"symbol":"ACME","cents":5}}"#).expect("good");
        assert_eq!(bytes, b"\x91\x92\xa4ACME\x05");
    }

    #[test]
    fn keys_are_written_as_the_wire_has_them() {
        let schema = schema();
        let deal = find::method(&schema, "Deal/subscribe").expect("it is there");
        let keys: Vec<&Field> = subscribed(&schema, &deal).expect("an event").keys().collect();
        let value = |key: usize, text| key_value(&schema, keys[key], text);
        assert_eq!(value(0, "Sell").expect("a side"), "2");
        let id = value(1, "00010203-0405-0607-0809-0a0b0c0d0e0f").expect("a uuid");
        assert_eq!(id, r#"{"$bytes":"AAECAwQFBgcICQoLDA0ODw=="}"#);
        assert!(value(0, "Hold").is_err() && value(1, "x").is_err());
    }

    /// The listings of `docs/protocol.md`.
    #[test]
    fn what_is_on_the_wire_is_what_the_protocol_says() {
        let schema = schema();
        let codec = Codec::new(&schema);
        let price = find::method(&schema, "Price/subscribe").expect("it is there");
        let params = Shape::Parameters(&price.method.parameters);
        let by_name = codec.encode(params, r#"{"filter":{"symbol":"ACME"}}"#).expect("good");
        assert_eq!(by_name, b"\x91\x81\xa6symbol\xa4ACME");
        let since = codec.encode(params, r#"{"since":{"epoch":7,"sequence":8}}"#).expect("good");
        assert_eq!(since, b"\x92\xc0\x92\x07\x08");
        let by_number = codec.decode(params, b"\x91\x81\x01\x92\xa4ACME\xa4INIT").expect("good");
        assert_eq!(by_number, r#"{"filter":{"$map":[[1,["ACME","INIT"]]]}}"#);
        let MethodKind::ServerStream(delivery) = &price.method.kind else { panic!("it is a stream") };
        for (bytes, json) in [
            (&b"\x92\x04\x07"[..], r#"{"Opened":7}"#),
            (
                b"\x92\x01\x92\x05\x92\xa4ACME\xcd\x27\xa6",
                r#"{"Event":{"sequence":5,"event":{"symbol":"ACME","cents":10150}}}"#,
            ),
            (b"\x92\x02\x03", r#"{"Missed":3}"#),
            (b"\x92\x02\xc0", r#"{"Missed":null}"#),
            (b"\x92\x03\x08", r#"{"Live":8}"#),
        ] {
            assert_eq!(codec.decode(Shape::Type(delivery), bytes).expect("good"), json);
            assert_eq!(codec.encode(Shape::Type(delivery), json).expect("good"), bytes);
        }
    }
}
