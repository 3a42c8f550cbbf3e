//! [`Declared`]: an event as a schema declares it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zsvc::forward::Check;
use zsvc::{Bytes, Method, MethodKind};
use zsvc_dynamic::subscription::default_of;
use zsvc_dynamic::{Codec, Shape};
use zsvc_idl::schema::{self, Builtin, Field, Schema, Struct, Type, TypeId, TypeKind};
use zsvc_proto::codec::max_decoded;
use zsvc_proto::events::{EventType, KeyField, KeyKind, Layout, Slow};

use crate::rights::Rules;

/// An event as a schema declares it, and what holds the events of clients to it.
#[derive(Clone)]
pub(crate) struct Declared {
    pub(super) form: Form,
    pub(super) check: Arc<Check>,
}

/// What is known of an event for as long as the process lives.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub(super) layout: Layout,
    /// `subscribe` and `publish`.
    pub(super) methods: &'static [Method; 2],
    /// The encoded defaults of its key fields.
    defaults: &'static [Bytes],
}

/// Every form that there was so far, so that a schema which is read again takes nothing more.
static FORMS: Mutex<Vec<Form>> = Mutex::new(Vec::new());

impl Declared {
    /// Returns the events of a schema.
    pub(crate) fn all(schema: Schema) -> Vec<Self> {
        let schema = Arc::new(schema);
        let types = schema.packages.iter().flat_map(|package| {
            let name = package.full_name();
            package.types.iter().map(move |id| (*id, name.clone()))
        });
        let events = types.filter_map(|(id, package)| match &schema.definition(id).kind {
            TypeKind::Struct(structure) if structure.event.is_some() => {
                let name = format!("{package}.{}", schema.definition(id).name);
                Some(Self { form: Form::of(&schema, &name, structure), check: check(&schema, id) })
            }
            _ => None,
        });
        events.collect()
    }

    /// Reports whether the router has it for the clients of a realm.
    pub(super) fn is_wanted(&self, rules: &Rules, realm: &str) -> bool {
        let [subscribe, publish] = self.form.methods;
        rules.is_published(realm, publish.name().as_bytes()) || rules.is_relayed(subscribe.name().as_bytes())
    }

    /// Returns the whole names of the methods by which it is subscribed to and published.
    pub(super) fn methods(&self) -> [&'static str; 2] {
        self.form.methods.each_ref().map(Method::name)
    }

    /// Returns the whole name of the method by which it is published.
    #[cfg(test)]
    pub(super) fn publish(&self) -> &'static str {
        self.form.methods[1].name()
    }
}

impl Form {
    fn of(schema: &Schema, name: &str, structure: &Struct) -> Self {
        let (kept, slow) =
            structure.event.as_ref().map_or((0, schema::Slow::default()), |event| (event.kept, event.slow));
        let slow = match slow {
            schema::Slow::DropOldest => Slow::DropOldest,
            schema::Slow::Conflate => Slow::Conflate,
            schema::Slow::Disconnect => Slow::Disconnect,
        };
        let mut keys: Vec<&Field> = structure.keys().collect();
        keys.sort_by_key(|key| key.number);
        let default = |key: &&Field| Bytes::from(default_of(schema, key).unwrap_or_default());
        let defaults: Vec<Bytes> = keys.iter().map(default).collect();
        // Nothing panics while the lock is held but for lack of memory.
        let mut forms = FORMS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = forms.iter().find(|form| form.is(schema, name, &keys, (kept, slow), &defaults));
        if let Some(known) = known {
            return *known;
        }
        let form = Self::leak(schema, name, &keys, (kept, slow), defaults);
        forms.push(form);
        form
    }

    fn is(
        &self,
        schema: &Schema,
        name: &str,
        keys: &[&Field],
        (kept, slow): (u32, Slow),
        defaults: &[Bytes],
    ) -> bool {
        let event = self.layout.event();
        let known = event.key_fields();
        event.name() == name
            && (event.kept_per_key(), event.when_slow()) == (kept, slow)
            && self.defaults == defaults
            && known.len() == keys.len()
            && keys.iter().zip(known).all(|(key, known)| {
                *known == KeyField::new(key.number, known.name(), kind(schema, key))
                    && known.name() == key.name
            })
    }

    fn leak(
        schema: &Schema,
        name: &str,
        keys: &[&Field],
        (kept, slow): (u32, Slow),
        defaults: Vec<Bytes>,
    ) -> Self {
        let name: &'static str = String::leak(name.to_owned());
        let methods = [("subscribe", MethodKind::ServerStream), ("publish", MethodKind::Unary)]
            .map(|(method, kind)| Method::new(String::leak(format!("{name}/{method}")), kind));
        let names: Vec<(u16, &'static str)> =
            keys.iter().map(|key| (key.number, &*String::leak(key.name.clone()))).collect();
        let fields = keys
            .iter()
            .zip(&names)
            .map(|(key, (number, name))| KeyField::new(*number, name, kind(schema, key)));
        let event = EventType::new(name, methods[0]).keys(Vec::leak(fields.collect())).kept(kept).slow(slow);
        let defaults: &'static [Bytes] = Vec::leak(defaults);
        let layout = Layout::new(Box::leak(Box::new(event)), Vec::leak(names), defaults);
        Self { layout, methods: Box::leak(Box::new(methods)), defaults }
    }
}

/// Returns which values a key field has.
fn kind(schema: &Schema, key: &Field) -> KeyKind {
    match schema.resolved(&key.ty) {
        Type::Builtin(Builtin::Bool) => KeyKind::Bool,
        Type::Builtin(Builtin::String) => KeyKind::String,
        Type::Builtin(Builtin::Uuid) => KeyKind::Uuid,
        // An enum is its number.
        _ => KeyKind::Integer,
    }
}

/// Returns what holds bytes to the type of an event: that they can be read, and are within the bounds of its fields.
fn check(schema: &Arc<Schema>, id: TypeId) -> Arc<Check> {
    let schema = Arc::clone(schema);
    Arc::new(move |bytes| {
        Codec::new(&schema).check(Shape::Type(&Type::Named(id)), bytes, max_decoded(bytes.len()))
    })
}

impl fmt::Debug for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declared").field("event", self.form.layout.event()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use zsvc_idl::MemoryLoader;

    use super::*;

    fn all(text: &str) -> Vec<Declared> {
        let loader = MemoryLoader::default().with("a.svc", text);
        Declared::all(zsvc_idl::compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors"))
    }

    const TEXT: &str = "package declared.v1; enum Side { Buy = 1; Sell = 2; }
        @history(3) @slow(disconnect) event Deal { @key id: uuid = 7; @key @default(Sell) side: Side = 2; @len(..=3) note: string? = 3; }
        struct Other { x: i32 = 1; } event Halt {}";

    #[test]
    fn a_schema_that_is_read_again_leaves_the_forms_as_they_are() {
        let (first, again) = (all(TEXT), all(TEXT));
        assert_eq!(first.len(), 2, "events alone");
        for (one, other) in first.iter().zip(&again) {
            assert!(std::ptr::eq(one.form.layout.event(), other.form.layout.event()));
        }
        let changed = all(&TEXT.replace("@history(3)", "@latest"));
        assert!(!std::ptr::eq(first[0].form.layout.event(), changed[0].form.layout.event()));
        assert!(std::ptr::eq(first[1].form.layout.event(), changed[1].form.layout.event()));
    }

    #[test]
    fn the_form_is_that_of_the_schema() {
        let all = all(TEXT);
        let event = all[0].form.layout.event();
        assert_eq!(
            (event.name(), event.kept_per_key(), event.when_slow()),
            ("declared.v1.Deal", 3, Slow::Disconnect)
        );
        let keys = [KeyField::new(2, "side", KeyKind::Integer), KeyField::new(7, "id", KeyKind::Uuid)];
        assert_eq!(event.key_fields(), keys);
        assert_eq!(all[0].publish(), "declared.v1.Deal/publish");
        let named = b"\x81\xa2id\xc4\x10ABCDEFGHIJKLMNOP";
        let posted = all[0].form.layout.read(named, 100).unwrap();
        assert_eq!(posted.key().values().next().and_then(|side| side.as_u64()), Some(2), "the default");
    }

    #[test]
    fn events_are_held_to_the_schema() {
        let all = all(TEXT);
        let check = |bytes: &[u8]| (all[0].check)(bytes);
        let deal =
            |note: &[u8], side: u8| [&[0x83, 2, side, 3][..], note, b"\x07\xc4\x10ABCDEFGHIJKLMNOP"].concat();
        check(&deal(b"\xa3abc", 1)).unwrap();
        for bytes in [deal(b"\xa4abcd", 1), deal(b"\x01", 1), vec![0x80], vec![0xc0], deal(b"\xa3ab", 1)] {
            assert!(check(&bytes).is_err(), "{bytes:x?}");
        }
    }
}
