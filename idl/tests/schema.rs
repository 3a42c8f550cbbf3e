//! Tests the schema of valid input.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::rendered;
use zsvc_idl::schema::{
    Access, Literal, MessagePart, MethodKind, Notes, Overlap, Payload, Range, Schema, Thrown, Type,
    TypeDefinition, TypeKind,
};
use zsvc_idl::{MemoryLoader, compile};

fn schema(text: &str) -> Schema {
    let loader = MemoryLoader::default().with("a.svc", format!("package a.v1;\n{text}"));
    let compilation = compile(&loader, &["a.svc".to_owned()], &[]);
    assert_eq!(rendered(&compilation), "", "{text}");
    compilation.schema.expect("there are no errors")
}

fn definition<'a>(schema: &'a Schema, name: &str) -> &'a TypeDefinition {
    schema.types.iter().find(|definition| definition.name == name).expect("the text declares it")
}

/// Returns the names of a type's fields, with `*` after each that is boxed.
fn fields(schema: &Schema, name: &str) -> Vec<String> {
    let of = |fields: &[zsvc_idl::schema::Field]| {
        fields
            .iter()
            .map(|field| format!("{}{}", field.name, if field.boxed { "*" } else { "" }))
            .collect::<Vec<_>>()
    };
    match &definition(schema, name).kind {
        TypeKind::Struct(fields) => of(&fields.fields),
        TypeKind::Union(variants) | TypeKind::Error(variants) => variants
            .iter()
            .flat_map(|variant| match &variant.payload {
                Payload::Nothing => vec![variant.name.clone()],
                Payload::Type { boxed, .. } => {
                    vec![format!("{}{}", variant.name, if *boxed { "*" } else { "" })]
                }
                Payload::Fields(fields) => of(fields),
            })
            .collect(),
        TypeKind::Alias(_) | TypeKind::Enum(_) | TypeKind::Flags(_) => Vec::new(),
    }
}

#[test]
fn fields_come_in_the_order_of_their_numbers() {
    let schema = schema(
        "struct A { c: u8 = 9; a: u8 = 1; b: u8 = 0x2; } union U { V { b: u8 = 2; a: u8 = 1; } = 1; }",
    );
    assert_eq!(fields(&schema, "A"), ["a", "b", "c"]);
    assert_eq!(fields(&schema, "U"), ["a", "b"]);
}

#[test]
fn boxes_stand_where_a_type_returns_to_itself_by_value() {
    let schema = schema(
        "struct Node { next: Node? = 1; all: list<Node> = 2; other: Leaf? = 3; maybe: Maybe = 4; }
         struct Leaf {}
         type Maybe = Node?;
         union Tree { Leaf = 1; Of: Branch = 2; Two { left: Tree = 1; leaf: Leaf = 2; } = 3; Many: list<Tree> = 4; }
         struct Branch { left: Tree = 1; right: Tree? = 2; }
         struct Outside { node: Node = 1; tree: Tree? = 2; }",
    );
    assert_eq!(fields(&schema, "Node"), ["next*", "all", "other", "maybe*"]);
    assert_eq!(fields(&schema, "Tree"), ["Leaf", "Of*", "left*", "leaf", "Many"]);
    assert_eq!(fields(&schema, "Branch"), ["left", "right*"]);
    assert_eq!(fields(&schema, "Outside"), ["node", "tree"]);
}

/// Returns the name of the type of each field of a struct.
fn named(schema: &Schema, name: &str) -> Vec<String> {
    let TypeKind::Struct(fields) = &definition(schema, name).kind else { panic!("declared with `struct`") };
    let types = fields.fields.iter().map(|field| match &field.ty {
        Type::Named(id) => schema.definition(*id).name.clone(),
        other => format!("{other:?}"),
    });
    types.collect()
}

#[test]
fn a_name_is_looked_for_from_the_innermost_type_outwards() {
    let schema = schema(
        "struct A {
             struct X {}
             struct B {
                 struct X {}
                 union C { struct B {} D { x: X = 1; b: B = 2; c: C? = 3; } = 1; }
                 x: X = 1; a: A.X = 2; c: C = 3; all: a.v1.A.B.C.B = 4; outer: Y = 5;
             }
             x: X = 1; b: B.X = 2; y: Y = 3; deep: B.C.B = 4;
         }
         struct X {}
         struct Y {}
         struct Z { x: X = 1; a: A.X = 2; b: A.B = 3; c: A.B.C = 4; }",
    );
    let names: Vec<&str> = schema.types.iter().map(|definition| definition.name.as_str()).collect();
    assert_eq!(names, ["A", "A.X", "A.B", "A.B.X", "A.B.C", "A.B.C.B", "X", "Y", "Z"]);
    assert_eq!(named(&schema, "A"), ["A.X", "A.B.X", "Y", "A.B.C.B"]);
    assert_eq!(named(&schema, "A.B"), ["A.B.X", "A.X", "A.B.C", "A.B.C.B", "Y"]);
    assert_eq!(named(&schema, "Z"), ["X", "A.X", "A.B", "A.B.C"]);
    let TypeKind::Union(variants) = &definition(&schema, "A.B.C").kind else {
        panic!("declared with `union`")
    };
    let Payload::Fields(fields) = &variants[0].payload else { panic!("with fields") };
    let types: Vec<_> = fields.iter().map(|field| field.ty.clone()).collect();
    let id = |name: &str| {
        let at = names.iter().position(|other| *other == name).expect("it is declared");
        Type::Named(zsvc_idl::schema::TypeId(u32::try_from(at).expect("few types")))
    };
    assert_eq!(types, [id("A.B.X"), id("A.B.C.B"), Type::Optional(Box::new(id("A.B.C")))]);
}

#[test]
fn messages_are_cut_into_parts() {
    let schema = schema(
        "error E { @message(\"no {{such}} {b}{a}!\") A { b: u8 = 2; a: u8 = 1; } = 1; @message(\"\") B = 2; C = 3; }",
    );
    let TypeKind::Error(variants) = &definition(&schema, "E").kind else { panic!("declared with `error`") };
    let text = |text: &str| MessagePart::Text(text.to_owned());
    let parts = vec![text("no {such} "), MessagePart::Field(1), MessagePart::Field(0), text("!")];
    assert_eq!(variants[0].message, Some(parts));
    assert_eq!(variants[1].message, Some(Vec::new()));
    assert_eq!(variants[2].message, None);
}

#[test]
fn bounds_are_inclusive_but_for_floats() {
    let schema = schema(
        "const MOST: u32 = 12;
         struct A {
             @len(1..MOST) a: string = 1; @len(..=5) b: bytes = 2; @range(-5..) c: i8? = 3; @range(0..0.5) d: f32 = 4;
         }",
    );
    let TypeKind::Struct(fields) = &definition(&schema, "A").kind else { panic!("declared with `struct`") };
    let integer = |value| Some(Literal::Integer(value));
    let range = |min, max| Some(Range { min, max, max_exclusive: false });
    assert_eq!(fields.fields[0].len, range(integer(1), integer(11)));
    assert_eq!(fields.fields[1].len, range(None, integer(5)));
    assert_eq!(fields.fields[2].range, range(integer(-5), None));
    let floats =
        Range { min: Some(Literal::Float(0.0)), max: Some(Literal::Float(0.5)), max_exclusive: true };
    assert_eq!(fields.fields[3].range, Some(floats));
}

#[test]
fn defaults_are_values_of_their_types() {
    let schema = schema(
        "const WAIT: duration = 1.5s; type Seconds = duration; enum Side { Sell = 2; Buy = 1; }
         struct A {
             @default(WAIT) a: Seconds = 1; @default(Buy) b: Side = 2; @default([]) c: map<string, u8> = 3;
             @default(1) d: f64 = 4; @default(\"\\u{4f60}\\n\") e: string = 5; @default(true) f: bool = 6;
         }
         service S { rpc m(@default(-1) x: i64); }",
    );
    let TypeKind::Struct(fields) = &definition(&schema, "A").kind else { panic!("declared with `struct`") };
    let defaults: Vec<Literal> = fields.fields.iter().filter_map(|field| field.default.clone()).collect();
    let side = schema.types.iter().position(|definition| definition.name == "Side").expect("declared");
    let side = zsvc_idl::schema::TypeId(u32::try_from(side).expect("few types"));
    assert_eq!(
        defaults,
        [
            Literal::Duration(Duration::from_millis(1500)),
            Literal::EnumValue(side, 1),
            Literal::Empty,
            Literal::Float(1.0),
            Literal::String("\u{4f60}\n".to_owned()),
            Literal::Bool(true),
        ]
    );
    assert_eq!(schema.packages[0].services[0].methods[0].parameters[0].default, Some(Literal::Integer(-1)));
}

#[test]
fn methods_of_every_kind() {
    let schema = schema(
        "error E { A = 1; } type F = E; error G { A = 1; }
         service S {
             @deadline(500ms) @idempotent rpc a(x: u8, y: u8?) -> u8 throws F;
             rpc b() -> stream u8 throws G, F;
             rpc c(x: u8, s: stream string);
             rpc d(s: stream string) -> stream u8;
             @blocking oneway e();
         }",
    );
    let methods = &schema.packages[0].services[0].methods;
    let numbers: Vec<u16> = methods[0].parameters.iter().map(|parameter| parameter.number).collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(methods[0].deadline, Some(Duration::from_millis(500)));
    assert!(methods[0].idempotent && !methods[1].idempotent);
    assert!(methods[4].blocking && !methods[0].blocking);
    let thrown = |method: usize| {
        let errors = methods[method].throws.iter().map(|thrown| &*schema.definition(thrown.error).name);
        errors.collect::<Vec<_>>()
    };
    assert_eq!((thrown(0), thrown(1), thrown(2)), (vec!["E"], vec!["G", "E"], vec![]));
    let numbers = [0, 1, 2, usize::MAX].map(Thrown::number);
    assert_eq!(numbers, [None, Some(0x8000_0002), Some(0x8000_0003), None]);
    assert!(matches!(&methods[0].kind, MethodKind::Unary(Some(Type::Builtin(_)))));
    assert!(matches!(&methods[1].kind, MethodKind::ServerStream(_)));
    assert!(matches!(&methods[2].kind, MethodKind::ClientStream(stream, None) if stream.name == "s"));
    assert_eq!(methods[2].parameters.len(), 1);
    assert!(matches!(&methods[3].kind, MethodKind::Bidirectional(_, _)));
    assert!(matches!(&methods[4].kind, MethodKind::OneWay));
}

#[test]
fn a_service_s_roles_hold_for_methods_that_say_nothing() {
    let schema = schema(
        "@roles(\"trader\", \"admin\") service S { rpc a(); @public rpc b(); @roles(\"admin\") oneway c(); }
         @public service T { rpc a(); @roles(\"admin\") rpc b(); }
         service U { rpc a(); @public rpc b(); }",
    );
    let roles = |roles: &[&str]| Access::Roles(roles.iter().map(|role| (*role).to_owned()).collect());
    let expected = [
        [Some(roles(&["trader", "admin"])), Some(Access::Public), Some(roles(&["admin"]))],
        [Some(Access::Public), Some(roles(&["admin"])), None],
        [Some(Access::Unsaid), Some(Access::Public), None],
    ];
    for (service, expected) in schema.packages[0].services.iter().zip(expected) {
        let said = service.methods.iter().map(|method| service.access_of(method).clone());
        assert!(said.eq(expected.into_iter().flatten()), "{}", service.name);
    }
    assert!(Access::Public.roles().is_empty() && roles(&["a"]).roles() == ["a"]);
}

#[test]
fn docs_lose_their_marker_and_one_space() {
    let schema =
        schema("/// One.\n///\n///   Two.\n//// no docs\n@deprecated(\"use `B`\")\n/// Three.\nstruct A {}");
    let expected = Notes {
        docs: "One.\n\n  Two.\nThree.".to_owned(),
        deprecated: Some("use `B`".to_owned()),
        ..Notes::default()
    };
    assert_eq!(definition(&schema, "A").notes, expected);
}

#[test]
fn metadata_is_kept_wherever_it_stands() {
    let text = "@meta(\"p\", \"1\") package test.v1;
        @meta(\"a\", \"1\") @meta(\"b\", \"\") const C: u32 = 1;
        @meta(\"t\", \"1\") struct A { @meta(\"f\", \"1\") a: u8 = 1; }
        @meta(\"e\", \"1\") enum E { @meta(\"v\", \"1\") One = 1; }
        union U { @meta(\"u\", \"1\") One { @meta(\"i\", \"1\") a: u8 = 1; } = 1; }
        @meta(\"s\", \"1\") service S { @meta(\"m\", \"1\") rpc a(@meta(\"x\", \"1\") a: u8, @meta(\"y\", \"\\n\") b: stream u8); }";
    let loader = MemoryLoader::default().with("a.svc", text);
    let schema = compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("there is no mistake");
    let shown = |meta: &BTreeMap<String, String>| format!("{meta:?}");
    let package = &schema.packages[0];
    let (constant, service) = (&package.constants[0], &package.services[0]);
    let method = &service.methods[0];
    let TypeKind::Struct(structure) = &definition(&schema, "A").kind else { panic!("no struct") };
    let TypeKind::Enum(values) = &definition(&schema, "E").kind else { panic!("no enum") };
    let TypeKind::Union(variants) = &definition(&schema, "U").kind else { panic!("no union") };
    let Payload::Fields(inside) = &variants[0].payload else { panic!("no fields") };
    let MethodKind::ClientStream(stream, None) = &method.kind else { panic!("no stream") };
    for (meta, expected) in [
        (&package.meta, r#"{"p": "1"}"#),
        (&constant.notes.meta, r#"{"a": "1", "b": ""}"#),
        (&definition(&schema, "A").notes.meta, r#"{"t": "1"}"#),
        (&structure.fields[0].notes.meta, r#"{"f": "1"}"#),
        (&definition(&schema, "E").notes.meta, r#"{"e": "1"}"#),
        (&values[0].notes.meta, r#"{"v": "1"}"#),
        (&variants[0].notes.meta, r#"{"u": "1"}"#),
        (&inside[0].notes.meta, r#"{"i": "1"}"#),
        (&service.notes.meta, r#"{"s": "1"}"#),
        (&method.notes.meta, r#"{"m": "1"}"#),
        (&method.parameters[0].notes.meta, r#"{"x": "1"}"#),
        (&stream.meta, r#"{"y": "\n"}"#),
    ] {
        assert_eq!(shown(meta), expected);
    }
}

#[test]
fn methods_say_how_their_calls_overlap() {
    let schema = schema(
        "service S { rpc a(); @overlap(parallel) rpc b(); @overlap(queue) rpc c(x: stream u8);
         @overlap(replace) rpc d() -> stream u8; @overlap(ignore) rpc e(); oneway f(); }",
    );
    let methods = schema.packages[0].services[0].methods.iter();
    let overlaps: Vec<Overlap> = methods.map(|method| method.overlap).collect();
    let parallel = Overlap::Parallel;
    assert_eq!(overlaps, [parallel, parallel, Overlap::Queue, Overlap::Replace, Overlap::Ignore, parallel]);
}

#[test]
fn a_service_serves_its_own_methods_then_those_that_it_takes_over() {
    let schema = schema(
        "service A extends B, C { rpc a(); }
         service B extends D { rpc b(); }
         @roles(\"c\") service C extends D { rpc c(); @public rpc d(); }
         @roles(\"d\") service D { rpc e(); }
         @roles(\"e\") service E extends A {}",
    );
    let services = &schema.packages[0].services;
    let methods = |index: usize| {
        let shown = services[index].methods.iter().map(|method| {
            let by = method.declared_by.map(|id| format!(" of {}", schema.service(id).name));
            let roles = services[index].access_of(method).roles().join(", ");
            format!("{}{} for [{roles}]", method.name, by.unwrap_or_default())
        });
        shown.collect::<Vec<_>>()
    };
    let expected =
        ["a for []", "b of B for []", "e of D for [d]", "c of C for [c]", "d of C for []"].map(str::to_owned);
    assert_eq!(methods(0), expected);
    // A method that says nothing is as the service says that serves it.
    let expected = ["a of A for [e]", "b of B for [e]", "e of D for [d]", "c of C for [c]", "d of C for []"];
    assert_eq!(methods(4), expected.map(str::to_owned));
    let bases: Vec<&str> =
        schema.bases(&services[4]).iter().map(|id| schema.service(*id).name.as_str()).collect();
    assert_eq!(bases, ["A", "B", "D", "C"]);
}
