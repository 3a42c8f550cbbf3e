//! Sends values from programs of one schema to those of another, and finds which side rejects or misreads them.
//!
//! Each direction is recorded separately: what old and new servers read, and what old and new clients read. Nothing here
//! knows the verdicts of `compat`.

use std::collections::BTreeMap;

use rmpv::Value as Raw;
use zsvc_idl::schema::{Method, MethodKind, Schema, Service, Thrown, Type, TypeId};

use crate::codec::{Reader, Refusal, bytes, parsed, write, write_fields, write_thrown};
use crate::meaning::{Seen, same, same_fields};
use crate::random::Random;
use crate::value::Maker;

/// The side that reads what a program of the other schema has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the age and the kind of the reader")]
pub enum Way {
    OldServer,
    NewServer,
    OldClient,
    NewClient,
    /// A reader of a value of a type, whether a method uses the type or not.
    OldType,
    NewType,
}

/// Why values were rejected or misread: the first reason for each reader.
pub type Failures = BTreeMap<Way, String>;

/// Which programs check bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// Writers, and servers that read requests.
    OfServers,
    /// Also readers of a value of a type outside of a method.
    OfAll,
    /// None: every value of a type may be written, and is read.
    Nowhere,
}

/// Which client calls which server.
struct Sides<'a> {
    bounds: Bounds,
    client: &'a Schema,
    server: &'a Schema,
    /// The reader of requests, and the reader of answers.
    ways: (Way, Way),
}

/// One value that is sent: the side that wrote it, and the side that reads it.
struct Crossing<'a> {
    writer: &'a Schema,
    reader: Reader<'a>,
    bounds: Bounds,
    random: &'a mut Random,
}

impl Crossing<'_> {
    fn maker(&mut self) -> Maker<'_> {
        let maker = Maker::new(self.writer, self.random);
        if self.bounds == Bounds::Nowhere { maker.without_bounds() } else { maker }
    }

    /// Returns why a random value of one type can't be read as the other type, if it can't.
    fn of_type(&mut self, written: &Type, read: &Type) -> Result<(), Refusal> {
        let value = self.maker().value(written);
        let raw = parsed(&bytes(&write(self.writer, written, &value)))?;
        let found = self.reader.read(read, &raw)?;
        let written = Seen { schema: self.writer, ty: written, value: &value };
        let seen = Seen { schema: self.reader.schema, ty: read, value: &found };
        if same(written, seen) { Ok(()) } else { Err(format!("{value:?} is read as {found:?}")) }
    }

    /// Sends an error of those that a method throws. Errors are matched by position, but their names say which they are.
    fn of_errors(&mut self, (index, written): (usize, &[Thrown]), read: &[Thrown]) -> Result<(), Refusal> {
        let ty = Type::Named(written[index].error);
        let value = self.maker().value(&ty);
        let raw = parsed(&bytes(&write_thrown(self.writer, index, &written[index], &value)))?;
        let (found_index, found) = self.reader.thrown(read, &raw)?;
        let Some(thrown) = read.get(found_index) else { return Ok(()) };
        let own = |error: &Thrown| self.writer.definition(error.error).name.as_str();
        let other = |error: &Thrown| self.reader.schema.definition(error.error).name.as_str();
        let (name, found_name) = (own(&written[index]), other(thrown));
        let is_known =
            read.iter().any(|it| other(it) == name) || written.iter().any(|it| own(it) == found_name);
        if name != found_name && is_known {
            return Err(format!("`{name}` is read as `{found_name}`"));
        }
        let read = Type::Named(thrown.error);
        let written = Seen { schema: self.writer, ty: &ty, value: &value };
        let seen = Seen { schema: self.reader.schema, ty: &read, value: &found };
        if same(written, seen) { Ok(()) } else { Err(format!("{value:?} is read as {found:?}")) }
    }

    fn of_parameters(&mut self, written: &Method, read: &Method) -> Result<(), Refusal> {
        let value = self.maker().fields(&written.parameters, 0);
        let raw = parsed(&bytes(&write_fields(self.writer, &written.parameters, &value)))?;
        let found = self.reader.fields(&read.parameters, &raw)?;
        // Parameters are matched by position, but their names say what they mean.
        let any = Type::List(Box::new(Type::Named(TypeId(0))));
        let sides = (
            Seen { schema: self.writer, ty: &any, value: &value },
            Seen { schema: self.reader.schema, ty: &any, value: &found },
        );
        let is_same = same_fields((sides.0, &written.parameters), (sides.1, &read.parameters));
        if is_same { Ok(()) } else { Err(format!("{value:?} is read as {found:?}")) }
    }
}

/// Sends everything once, in all directions.
#[must_use]
pub fn cross(old: &Schema, new: &Schema, bounds: Bounds, random: &mut Random) -> Failures {
    let mut failures = Failures::new();
    let forth = Sides { bounds, client: old, server: new, ways: (Way::NewServer, Way::OldClient) };
    calls(&forth, random, &mut failures);
    let back = Sides { bounds, client: new, server: old, ways: (Way::OldServer, Way::NewClient) };
    calls(&back, random, &mut failures);
    for (writer, reader, way) in [(old, new, Way::NewType), (new, old, Way::OldType)] {
        if let Err(error) = types(writer, reader, bounds, random) {
            failures.insert(way, error);
        }
    }
    failures
}

/// Calls each method of the client once.
fn calls(sides: &Sides<'_>, random: &mut Random, failures: &mut Failures) {
    let known = methods(sides.server);
    for (name, called) in methods(sides.client) {
        let mut failed = |(way, error): (Way, Refusal)| {
            failures.entry(way).or_insert_with(|| format!("{name}: {error}"));
        };
        match known.get(&name) {
            Some(method) => {
                may_call(sides, called, *method).err().into_iter().for_each(&mut failed);
                call(sides, called.1, method.1, random).into_iter().for_each(&mut failed);
            }
            // An old server without a new method is no failure.
            None if sides.ways.0 == Way::OldServer => {}
            None => failed((sides.ways.0, "unimplemented".to_owned())),
        }
    }
}

/// Has every client call that may by the schema of clients: one of each role, or one of none.
fn may_call(
    sides: &Sides<'_>,
    (service, called): (&Service, &Method),
    (serving, method): (&Service, &Method),
) -> Result<(), (Way, Refusal)> {
    let (clients, asked) = (service.access_of(called).roles(), serving.access_of(method).roles());
    let is_let_in = |role: Option<&String>| asked.is_empty() || role.is_some_and(|role| asked.contains(role));
    let roles = clients.iter().map(Some).chain(clients.is_empty().then_some(None));
    match roles.into_iter().find(|role| !is_let_in(*role)) {
        // An old server that keeps out who may call from now on is no failure.
        Some(role) if sides.ways.0 != Way::OldServer => Err((sides.ways.0, format!("{role:?} may not call"))),
        _ => Ok(()),
    }
}

/// Calls a method as the client has it, at a server that has it as `server` says.
fn call(sides: &Sides<'_>, called: &Method, method: &Method, random: &mut Random) -> Vec<(Way, Refusal)> {
    let is_one_way = |it: &Method| matches!(it.kind, MethodKind::OneWay);
    if is_one_way(called) != is_one_way(method) {
        return vec![(sides.ways.0, "the record is of the wrong kind".to_owned())];
    }
    let request = request(sides, called, method, random).map_err(|error| (sides.ways.0, error));
    let reply = reply(sides, called, method, random).map_err(|error| (sides.ways.1, error));
    let thrown = thrown(sides, called, method, random).map_err(|error| (sides.ways.1, error));
    [request, reply, thrown].into_iter().filter_map(Result::err).collect()
}

fn request(sides: &Sides<'_>, called: &Method, method: &Method, random: &mut Random) -> Result<(), Refusal> {
    let reader = Reader { schema: sides.server, is_server: sides.bounds != Bounds::Nowhere };
    let mut crossing = Crossing { writer: sides.client, reader, bounds: sides.bounds, random };
    crossing.of_parameters(called, method)?;
    match (incoming(called), incoming(method)) {
        (Some(written), Some(read)) => crossing.of_type(written, read),
        (None, None) => Ok(()),
        _ => Err("one of them has a stream".to_owned()),
    }
}

fn reply(sides: &Sides<'_>, called: &Method, method: &Method, random: &mut Random) -> Result<(), Refusal> {
    let ((answer, streams), (given, is_streamed)) = (outgoing(called), outgoing(method));
    if streams != is_streamed {
        return Err("one of them answers with a stream".to_owned());
    }
    let mut crossing = answering(sides, random);
    match (given, answer) {
        (Some(written), Some(read)) => crossing.of_type(written, read),
        // A method without an answer type answers with nil.
        (None, Some(read)) => crossing.reader.read(read, &Raw::Nil).map(drop),
        (_, None) => Ok(()),
    }
}

fn thrown(sides: &Sides<'_>, called: &Method, method: &Method, random: &mut Random) -> Result<(), Refusal> {
    if called.throws.is_empty() {
        return Ok(());
    }
    let mut crossing = answering(sides, random);
    for index in 0..method.throws.len() {
        crossing.of_errors((index, &method.throws), &called.throws)?;
    }
    Ok(())
}

fn answering<'a>(sides: &Sides<'a>, random: &'a mut Random) -> Crossing<'a> {
    let reader = Reader { schema: sides.client, is_server: false };
    Crossing { writer: sides.server, reader, bounds: sides.bounds, random }
}

/// Returns the methods of a schema by their full names.
fn methods(schema: &Schema) -> BTreeMap<String, (&Service, &Method)> {
    let services = schema
        .packages
        .iter()
        .flat_map(|package| package.services.iter().map(move |service| (package, service)));
    let named = services.flat_map(|(package, service)| {
        let start = format!("{}.{}", package.full_name(), service.name);
        service.methods.iter().map(move |method| (format!("{start}/{}", method.name), (service, method)))
    });
    named.collect()
}

/// Returns the type of the items that a method takes as a stream.
fn incoming(method: &Method) -> Option<&Type> {
    match &method.kind {
        MethodKind::ClientStream(stream, _) | MethodKind::Bidirectional(stream, _) => Some(&stream.item),
        MethodKind::Unary(_) | MethodKind::ServerStream(_) | MethodKind::OneWay => None,
    }
}

/// Returns the type that a method answers with, and whether that is a stream.
fn outgoing(method: &Method) -> (Option<&Type>, bool) {
    match &method.kind {
        MethodKind::Unary(answer) | MethodKind::ClientStream(_, answer) => (answer.as_ref(), false),
        MethodKind::ServerStream(item) | MethodKind::Bidirectional(_, item) => (Some(item), true),
        MethodKind::OneWay => (None, false),
    }
}

/// Sends a value of each type that both schemas have, whether a method uses it or not. Types are matched by their names
/// alone, since packages may be renamed.
///
/// # Errors
/// Returns why the first value that is rejected or misread is.
pub fn types(writer: &Schema, reader: &Schema, bounds: Bounds, random: &mut Random) -> Result<(), Refusal> {
    let known: BTreeMap<&str, TypeId> =
        reader.types.iter().map(|definition| definition.name.as_str()).zip((0..).map(TypeId)).collect();
    let reader = Reader { schema: reader, is_server: bounds == Bounds::OfAll };
    for (id, definition) in (0..).map(TypeId).zip(&writer.types) {
        if let Some(other) = known.get(definition.name.as_str()) {
            let mut crossing = Crossing { writer, reader, bounds, random };
            crossing
                .of_type(&Type::Named(id), &Type::Named(*other))
                .map_err(|error| format!("{}: {error}", definition.name))?;
        }
    }
    Ok(())
}
