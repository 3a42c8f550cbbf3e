//! Whether a client of one schema and a server of another understand each other: [`incompatible`].
//!
//! Other than [`compare`], this is about two programs that are there, of which either may be the older, and about one service. The rules are
//! the same: each method is compared in two schemas that have nothing but what it uses, the client's as the older.

use std::collections::BTreeSet;

use super::{Change, compare};
use crate::diagnostic;
use crate::schema::{
    Field, Method, MethodKind, Package, Payload, Schema, Service, Type, TypeDefinition, TypeId, TypeKind,
    Variant,
};

/// A method that a client and a server do not have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatible {
    /// The name of the method; none if the server does not have the service.
    pub method: Option<String>,
    /// What is different, with spans of the client's schema as the older and of the server's as the newer; none if the server does not
    /// have the service.
    pub change: Option<Change>,
}

/// Returns the first method of a service, in the order of the client's schema, that fails between a client and a server: the server
/// does not have it, rejects or misreads what the client sends, or sends what the client rejects or misreads. Who may call it is left
/// out: the server says so when it is called. `None` if they understand each other, or the client's schema does not have the service.
#[must_use]
pub fn incompatible(client: &Schema, server: &Schema, service: &str) -> Option<Incompatible> {
    let own = find(client, service)?;
    let Some(theirs) = find(server, service) else {
        return Some(Incompatible { method: None, change: None });
    };
    own.methods.iter().find_map(|method| {
        let has = theirs.methods.iter().find(|it| it.name == method.name);
        let (old, new) = (narrowed(client, own, Some(method)), narrowed(server, theirs, has));
        let change = compare(&old, &new).into_iter().find(breaks)?;
        Some(Incompatible { method: Some(method.name.clone()), change: Some(change) })
    })
}

/// Reports whether an older client and a newer server fail by a change.
fn breaks(change: &Change) -> bool {
    let effects = change.effects;
    let fails =
        effects.new_reads_old && effects.flow.requests || effects.old_reads_new && effects.flow.answers;
    fails && change.code != diagnostic::ROLES_TIGHTENED
}

/// Returns a service by its full name.
fn find<'s>(schema: &'s Schema, full_name: &str) -> Option<&'s Service> {
    let (package, name) = full_name.rsplit_once('.')?;
    let package = schema.packages.iter().find(|it| it.full_name() == package)?;
    package.services.iter().find(|service| service.name == name)
}

/// Returns a schema with nothing but one method of a service, as if the service declared it itself, and the types that it uses.
fn narrowed(schema: &Schema, service: &Service, method: Option<&Method>) -> Schema {
    let used = method.map(|method| used(schema, method)).unwrap_or_default();
    let packages = schema.packages.iter().map(|package| Package {
        types: package.types.iter().copied().filter(|id| used.contains(id)).collect(),
        services: package
            .services
            .iter()
            .filter(|it| it.span == service.span)
            .map(|it| Service {
                extends: Vec::new(),
                methods: method
                    .map(|method| Method { declared_by: None, ..method.clone() })
                    .into_iter()
                    .collect(),
                ..it.clone()
            })
            .collect(),
        constants: Vec::new(),
        ..package.clone()
    });
    Schema { packages: packages.collect(), types: schema.types.iter().map(unreserved).collect() }
}

/// Returns a type without what it reserves, which is about other programs of other times.
fn unreserved(definition: &TypeDefinition) -> TypeDefinition {
    let mut definition = TypeDefinition { reserved: Vec::new(), ..definition.clone() };
    if let TypeKind::Union(variants) | TypeKind::Error(variants) = &mut definition.kind {
        for variant in variants {
            variant.reserved.clear();
        }
    }
    definition
}

/// Returns the types that a method uses, directly or not.
fn used(schema: &Schema, method: &Method) -> BTreeSet<TypeId> {
    let mut found = BTreeSet::new();
    let mut open: Vec<TypeId> = method.throws.iter().map(|thrown| thrown.error).collect();
    method.parameters.iter().for_each(|parameter| named(&parameter.ty, &mut open));
    match &method.kind {
        MethodKind::Unary(answer) => answer.iter().for_each(|ty| named(ty, &mut open)),
        MethodKind::ServerStream(answer) => named(answer, &mut open),
        MethodKind::ClientStream(items, answer) => {
            named(&items.item, &mut open);
            if let Some(answer) = answer {
                named(answer, &mut open);
            }
        }
        MethodKind::Bidirectional(items, answer) => {
            named(&items.item, &mut open);
            named(answer, &mut open);
        }
        MethodKind::OneWay => {}
    }
    while let Some(id) = open.pop() {
        if found.insert(id) {
            held(&schema.definition(id).kind, &mut open);
        }
    }
    found
}

/// Adds the types that a type holds.
fn held(kind: &TypeKind, open: &mut Vec<TypeId>) {
    let fields = |fields: &[Field], open: &mut Vec<TypeId>| fields.iter().for_each(|it| named(&it.ty, open));
    match kind {
        TypeKind::Alias(ty) => named(ty, open),
        TypeKind::Struct(it) => fields(&it.fields, open),
        TypeKind::Enum(_) | TypeKind::Flags(_) => {}
        TypeKind::Union(variants) | TypeKind::Error(variants) => {
            for Variant { payload, .. } in variants {
                match payload {
                    Payload::Nothing => {}
                    Payload::Type { ty, .. } => named(ty, open),
                    Payload::Fields(own) => fields(own, open),
                }
            }
        }
    }
}

/// Adds the declared types in a use of a type.
fn named(ty: &Type, open: &mut Vec<TypeId>) {
    match ty {
        Type::Builtin(_) => {}
        Type::List(inner) | Type::Set(inner) | Type::Optional(inner) => named(inner, open),
        Type::Map(key, value) => {
            named(key, open);
            named(value, open);
        }
        Type::Named(id) => open.push(*id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle;

    fn schema(text: &str) -> Schema {
        let text = format!("package p.v1;\n{text}");
        let compilation = bundle::compile([("p.svc".to_owned(), text)]);
        compilation.schema.unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics))
    }

    /// Returns the method and the code of the change by which a client and a server fail.
    fn found(client: &str, server: &str) -> Option<(String, &'static str)> {
        let found = incompatible(&schema(client), &schema(server), "p.v1.S")?;
        Some((found.method.unwrap_or_default(), found.change.map_or("", |change| change.code.id())))
    }

    #[test]
    fn what_is_compatible_passes_in_both_directions() {
        let old = "service S { rpc a(x: u32) -> R; }\nstruct R { x: u32 = 1; }";
        for new in [
            "service S { rpc a(x: u32, y: u32?) -> R; rpc b(); }\nstruct R { x: u32 = 1; y: u32? = 2; }",
            "service S { @idempotent rpc a(x: u32) -> R; }\nstruct R { x: u32 = 1; }\nservice T { rpc c(); }",
            "service S extends B {}\nservice B { rpc a(x: u32) -> R; }\nstruct R { x: u32 = 1; }",
            "@roles(\"r\") service S { rpc a(x: u32) -> R; }\nstruct R { x: u32 = 1; }",
        ] {
            assert_eq!(found(old, new), None, "{new}");
        }
        // A newer client that has taken a field away.
        let (kept, gone) = ("struct R { x: u32 = 1; y: u32? = 2; }", "struct R { x: u32 = 1; reserved 2; }");
        let with = |r| format!("service S {{ rpc a(r: R) -> R; }}\n{r}");
        assert_eq!(found(&with(gone), &with(kept)), None);
        assert_eq!(found(&with(kept), &with(gone)), None);
        // A newer client that calls what the server does not have.
        assert_eq!(
            found("service S { rpc a(); rpc b(); }", "service S { rpc a(); }"),
            Some(("b".into(), "D0405"))
        );
    }

    #[test]
    fn the_first_method_that_fails_is_named() {
        let client = "service S { rpc a(); rpc b(r: R) -> u32; rpc c(r: R); }\nstruct R { x: u32 = 1; }";
        let server = "service S { rpc c(r: R); rpc b(r: R) -> u32; rpc a(); }\nstruct R { x: string = 1; }";
        assert_eq!(found(client, server).map(|(method, _)| method).as_deref(), Some("b"));
    }

    #[test]
    fn only_what_travels_between_the_two_counts() {
        // A field that the server must have: clients that do not send it fail, and clients that read it do not.
        let without = "struct R { x: u32 = 1; }";
        let with = "struct R { x: u32 = 1; y: u32 = 2; }";
        let (sends, reads) = ("service S { rpc a(r: R); }", "service S { rpc a() -> R; }");
        let fails = |client: String, server: String| found(&client, &server).is_some();
        assert!(fails(format!("{sends}\n{without}"), format!("{sends}\n{with}")));
        assert!(!fails(format!("{reads}\n{without}"), format!("{reads}\n{with}")));
        assert!(fails(format!("{reads}\n{with}"), format!("{reads}\n{without}")));
        assert!(!fails(format!("{sends}\n{with}"), format!("{sends}\n{without}")));
        // What other services and no method use does not count.
        let other = |ty| {
            format!("service S {{ rpc a(); }}\nservice T {{ rpc b(r: R); }}\nstruct R {{ x: {ty} = 1; }}")
        };
        assert!(!fails(other("u32"), other("string")));
    }

    #[test]
    fn a_server_without_the_service_has_no_method() {
        let found =
            incompatible(&schema("service S { rpc a(); }"), &schema("service T { rpc a(); }"), "p.v1.S");
        assert_eq!(found, Some(Incompatible { method: None, change: None }));
        assert_eq!(incompatible(&schema(""), &schema(""), "p.v1.S"), None, "no client of it can be there");
    }
}
