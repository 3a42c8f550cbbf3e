//! The verdicts of `compat`, held against values that really cross from one schema to the other.
//!
//! Random schemas are changed at random. Where no change is told as `wire`, every random value that one side writes must be
//! read by the other, and mean the same; where one is, a value must be found that is refused or misread. Who fails is looked
//! for both ways: old clients with new servers, and new clients with old servers.
//!
//! `ZSVC_SEED=7 ZSVC_PAIRS=10000 cargo test -p zsvc-model` tries others, and more. A failure says the seed of its pair, which
//! alone is tried again by `ZSVC_SEED=… ZSVC_PAIRS=1`.

use std::collections::BTreeMap;

use rmpv::Value as Raw;
use zsvc_idl::compat::{Change, Kind, compare};
use zsvc_idl::diagnostic::Code;
use zsvc_idl::schema::{Method, MethodKind, Package, Schema, Type, TypeId};
use zsvc_idl::{MemoryLoader, compile};
use zsvc_model::codec::{Reader, bytes, parsed, write, write_fields};
use zsvc_model::draft::Draft;
use zsvc_model::meaning::{Seen, same, same_fields};
use zsvc_model::mutate::mutate;
use zsvc_model::random::Random;
use zsvc_model::value::Maker;

/// How many pairs are tried, unless `ZSVC_PAIRS` says otherwise.
const PAIRS: u64 = 2_500;

/// How often values of all that a pair has must cross where nothing is to fail.
const ROUNDS: usize = 12;

/// How often a value that fails is looked for.
const SEARCH: usize = 3_000;

/// Changes for which no value between these two schemas fails, with the test that shows what does.
const SHOWN_OTHERWISE: [(&str, fn()); 1] =
    [("D0317", a_reserved_number_that_is_used_again_is_misread_by_programs_of_its_first_meaning)];

/// A pair of schemas, each with its text.
struct Pair {
    old: (Schema, String),
    new: (Schema, String),
}

fn schema(text: &str) -> Option<Schema> {
    compile(&MemoryLoader::default().with("model.svc", text), &["model.svc".to_owned()], &[]).schema
}

/// A schema, and the same after one change or some.
fn pair(random: &mut Random) -> Pair {
    loop {
        let draft = Draft::random(random);
        let text = draft.text();
        let Some(old) = schema(&text) else { continue };
        for _ in 0..20 {
            let mut changed = draft.clone();
            let count = if random.one_in(3) { 2 + random.below(3) } else { 1 };
            (0..count).for_each(|_| mutate(&mut changed, random));
            let changed = changed.text();
            if let Some(new) = schema(&changed).filter(|_| changed != text) {
                return Pair { old: (old, text), new: (new, changed) };
            }
        }
    }
}

/// One value on its way: what wrote it, and who reads it.
struct Crossing<'a> {
    writer: &'a Schema,
    reader: Reader<'a>,
    random: &'a mut Random,
}

impl Crossing<'_> {
    /// Why a value of one type can't be read as the other, if this one can't.
    fn of_type(&mut self, written: &Type, read: &Type) -> Result<(), String> {
        let value = Maker::new(self.writer, self.random).value(written);
        let raw = through_bytes(&write(self.writer, written, &value))?;
        let found = self.reader.read(read, &raw)?;
        let written = Seen { schema: self.writer, ty: written, value: &value };
        let seen = Seen { schema: self.reader.schema, ty: read, value: &found };
        if same(written, seen) { Ok(()) } else { Err(format!("{value:?} is read as {found:?}")) }
    }

    fn of_parameters(&mut self, written: &Method, read: &Method) -> Result<(), String> {
        let value = Maker::new(self.writer, self.random).fields(&written.parameters, 0);
        let raw = through_bytes(&write_fields(self.writer, &written.parameters, &value))?;
        let found = self.reader.fields(&read.parameters, &raw)?;
        // Parameters count by position, and a name says what one means.
        let any = Type::List(Box::new(Type::Named(TypeId(0))));
        let sides = (
            Seen { schema: self.writer, ty: &any, value: &value },
            Seen { schema: self.reader.schema, ty: &any, value: &found },
        );
        let is_same = same_fields((sides.0, &written.parameters), (sides.1, &read.parameters));
        if is_same { Ok(()) } else { Err(format!("{value:?} is read as {found:?}")) }
    }
}

fn through_bytes(raw: &Raw) -> Result<Raw, String> {
    parsed(&bytes(raw))
}

fn methods(schema: &Schema) -> BTreeMap<String, &Method> {
    let of_package = |package: &'_ Package| package.full_name();
    let services = schema
        .packages
        .iter()
        .flat_map(|package| package.services.iter().map(move |service| (package, service)));
    let named = services.flat_map(|(package, service)| {
        let start = format!("{}.{}", of_package(package), service.name);
        service.methods.iter().map(move |method| (format!("{start}/{}", method.name), method))
    });
    named.collect()
}

/// What a method takes as a stream, what it answers with, and whether that is a stream.
fn shape(method: &Method) -> (Option<&Type>, Option<&Type>, bool) {
    match &method.kind {
        MethodKind::Unary(answer) => (None, answer.as_ref(), false),
        MethodKind::ServerStream(item) => (None, Some(item), true),
        MethodKind::ClientStream(stream, answer) => (Some(&stream.item), answer.as_ref(), false),
        MethodKind::Bidirectional(stream, item) => (Some(&stream.item), Some(item), true),
        MethodKind::OneWay => (None, None, false),
    }
}

/// A call of what `client` knows, at a server that knows what `server` does.
fn call(
    (client, called): (&Schema, &Method),
    (server, method): (&Schema, &Method),
    random: &mut Random,
) -> Result<(), String> {
    let ((items, answer, streams), (taken, given, is_streamed)) = (shape(called), shape(method));
    let is_one_way = |it: &Method| matches!(it.kind, MethodKind::OneWay);
    if is_one_way(called) != is_one_way(method)
        || items.is_some() != taken.is_some()
        || streams != is_streamed
    {
        return Err("the record is of the wrong kind".to_owned());
    }
    let mut request = Crossing { writer: client, reader: Reader { schema: server, is_server: true }, random };
    request.of_parameters(called, method)?;
    if let (Some(written), Some(read)) = (items, taken) {
        request.of_type(written, read)?;
    }
    let mut reply = Crossing { writer: server, reader: Reader { schema: client, is_server: false }, random };
    match (given, answer) {
        (Some(written), Some(read)) => reply.of_type(written, read)?,
        // Nil is what a method answers that answers with nothing.
        (None, Some(read)) => drop(reply.reader.read(read, &Raw::Nil)?),
        (_, None) => {}
    }
    match (method.throws, called.throws) {
        (Some(written), Some(read)) => reply.of_type(&Type::Named(written), &Type::Named(read)),
        _ => Ok(()),
    }
}

/// Calls each method of the client once.
fn calls(client: &Schema, server: &Schema, client_is_newer: bool, random: &mut Random) -> Result<(), String> {
    let known = methods(server);
    for (name, called) in methods(client) {
        match known.get(&name) {
            Some(method) => call((client, called), (server, method), random)
                .map_err(|error| format!("{name}: {error}"))?,
            // That an old server does not have a new method is nobody's fault.
            None if client_is_newer => {}
            None => return Err(format!("{name}: unimplemented")),
        }
    }
    Ok(())
}

/// Has a value of each type that both have cross, whether a method leads to it or not.
fn types(writer: &Schema, reader: Reader<'_>, random: &mut Random) -> Result<(), String> {
    for (id, definition) in (0..).map(TypeId).zip(&writer.types) {
        let package = &writer.package(definition.package).name;
        let found = (0..).map(TypeId).zip(&reader.schema.types).find(|(_, other)| {
            other.name == definition.name && reader.schema.package(other.package).name == *package
        });
        if let Some((other, _)) = found {
            let mut crossing = Crossing { writer, reader, random };
            crossing
                .of_type(&Type::Named(id), &Type::Named(other))
                .map_err(|error| format!("{}: {error}", definition.name))?;
        }
    }
    Ok(())
}

/// Everything once, in both directions. Servers hold the bounds of types, too, if asked.
fn cross(pair: &Pair, with_bounds: bool, random: &mut Random) -> Result<(), String> {
    let (old, new) = (&pair.old.0, &pair.new.0);
    calls(old, new, false, random).map_err(|error| format!("old client, new server: {error}"))?;
    calls(new, old, true, random).map_err(|error| format!("new client, old server: {error}"))?;
    let reader = |schema| Reader { schema, is_server: with_bounds };
    types(old, reader(new), random).map_err(|error| format!("new reads old: {error}"))?;
    types(new, reader(old), random).map_err(|error| format!("old reads new: {error}"))
}

fn wire_codes(changes: &[Change]) -> Vec<Code> {
    changes.iter().filter(|change| change.kind() == Kind::Wire).map(|change| change.code).collect()
}

/// Holds the verdicts of one pair against what crosses.
fn check(pair: &Pair, random: &mut Random) -> Result<Vec<Code>, String> {
    let changes = compare(&pair.old.0, &pair.new.0);
    let wire = wire_codes(&changes);
    if wire.is_empty() {
        for _ in 0..ROUNDS {
            cross(pair, false, random)
                .map_err(|error| format!("no change is told as wire, and yet: {error}"))?;
        }
        return Ok(wire);
    }
    if wire.iter().all(|code| SHOWN_OTHERWISE.iter().any(|(id, _)| *id == code.id())) {
        return Ok(Vec::new());
    }
    let fails = (0..SEARCH).any(|_| cross(pair, true, random).is_err());
    if fails { Ok(wire) } else { Err(format!("told as wire by {wire:?}, and yet nothing fails")) }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, and not `{text}`")))
}

#[test]
fn verdicts_agree_with_what_crosses() {
    let first = from_environment("ZSVC_SEED").unwrap_or(1);
    let count = from_environment("ZSVC_PAIRS").unwrap_or(PAIRS);
    let (mut safe, mut told) = (0, BTreeMap::<Code, usize>::new());
    for seed in first..first + count {
        let mut random = Random::new(seed);
        let pair = pair(&mut random);
        match check(&pair, &mut random) {
            Ok(wire) if wire.is_empty() => safe += 1,
            Ok(wire) => wire.into_iter().for_each(|code| *told.entry(code).or_default() += 1),
            Err(error) => {
                let changes = compare(&pair.old.0, &pair.new.0);
                let changes: Vec<String> = changes
                    .iter()
                    .map(|change| format!("{}[{}]: {}", change.kind().name(), change.code, change.message))
                    .collect();
                panic!("ZSVC_SEED={seed}: {error}\n\n{}\n{}\n{}", pair.old.1, pair.new.1, changes.join("\n"));
            }
        }
    }
    println!(
        "{count} pairs from seed {first}: {safe} without a wire verdict; wire verdicts by code: {told:?}"
    );
    if count >= PAIRS {
        assert!(safe > 500, "too few pairs go together to prove much: {safe}");
        assert!(told.len() > 12, "too few rules are tried: {told:?}");
    }
}

#[test]
fn the_same_seed_makes_the_same_pair() {
    let texts = |seed| {
        let pair = pair(&mut Random::new(seed));
        (pair.old.1, pair.new.1)
    };
    assert_eq!(texts(5), texts(5));
    assert_ne!(texts(5), texts(6));
}

/// The number of a field that was removed and reserved long ago, and is used for something else now.
#[test]
fn a_reserved_number_that_is_used_again_is_misread_by_programs_of_its_first_meaning() {
    let texts = [
        "package model.v1;\nstruct Order { size: u32 = 1; note: u32? = 2; }\n",
        "package model.v1;\nstruct Order { size: u32 = 1; reserved 2, \"note\"; }\n",
        "package model.v1;\nstruct Order { size: u32 = 1; price: u32? = 2; }\n",
    ];
    let [first, old, new] = texts.map(|text| schema(text).unwrap_or_else(|| panic!("{text}")));
    assert_eq!(wire_codes(&compare(&old, &new)).len(), 1);
    assert_eq!(wire_codes(&compare(&first, &old)), []);
    let mut random = Random::new(1);
    // Between these two all is well …
    for _ in 0..ROUNDS {
        assert_eq!(types(&old, Reader { schema: &new, is_server: true }, &mut random), Ok(()));
        assert_eq!(types(&new, Reader { schema: &old, is_server: true }, &mut random), Ok(()));
    }
    // … and a note of the first age is a price to the last.
    let order = Type::Named(TypeId(0));
    let note = parsed(&[0x92, 1, 7]).expect("MessagePack");
    let read = |schema| Reader { schema, is_server: true }.read(&order, &note);
    assert_eq!(read(&first), read(&new));
    assert!(read(&first).is_ok_and(|value| format!("{value:?}").contains("(2, Integer(7))")));
}
