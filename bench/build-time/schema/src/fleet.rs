//! The contents of the service: ten kinds of objects in a forwarder's records, with twenty methods for each kind.

use crate::{Answers, Enum, Field, Method, Schema, Struct, Takes, Type, Union};

/// The kinds of objects: singular, plural, and the states of an object.
const THINGS: [(&str, &str, [&str; 5]); 10] = [
    ("order", "orders", ["Draft", "Open", "Shipped", "Closed", "Cancelled"]),
    ("shipment", "shipments", ["Planned", "Loaded", "OnTheWay", "Delivered", "Lost"]),
    ("vehicle", "vehicles", ["Ready", "Driving", "Resting", "InRepair", "Sold"]),
    ("driver", "drivers", ["Available", "OnDuty", "Resting", "OnLeave", "Left"]),
    ("route", "routes", ["Sketched", "Planned", "Driven", "Done", "Dropped"]),
    ("depot", "depots", ["Planned", "Open", "Full", "Closed", "Gone"]),
    ("customer", "customers", ["New", "Active", "Overdue", "Blocked", "Former"]),
    ("invoice", "invoices", ["Draft", "Sent", "Overdue", "Paid", "Void"]),
    ("claim", "claims", ["Reported", "UnderReview", "Granted", "Denied", "Settled"]),
    ("tariff", "tariffs", ["Draft", "Proposed", "InForce", "Expired", "Withdrawn"]),
];

impl Schema {
    /// Returns the service `Fleet` of the package `fleet.v1`.
    #[must_use]
    pub fn fleet() -> Self {
        let mut schema =
            Self { structs: shared(), enums: vec![priority()], unions: Vec::new(), methods: Vec::new() };
        for (one, several, states) in THINGS {
            schema.structs.extend([thing(one), page(one, several), event(one)]);
            schema.enums.push(state(one, states));
            schema.unions.push(change(one));
            schema.methods.extend(methods(one, several));
        }
        schema
    }
}

fn field(name: &'static str, of: Type) -> Field {
    Field { name, of }
}

fn message(name: &str) -> Type {
    Type::Message(name.to_owned())
}

fn optional(of: Type) -> Type {
    Type::Optional(Box::new(of))
}

fn list(of: Type) -> Type {
    Type::List(Box::new(of))
}

/// Returns the structs that all kinds of objects use.
fn shared() -> Vec<Struct> {
    let shared =
        |name: &str, docs: &str, fields| Struct { name: name.to_owned(), docs: docs.to_owned(), fields };
    vec![
        shared(
            "Amount",
            "An exact amount of money: `units` times ten to the power of `-scale`.",
            vec![field("units", Type::I64), field("scale", Type::U32), field("currency", Type::Text)],
        ),
        shared(
            "Address",
            "Where something is.",
            vec![
                field("street", Type::Text),
                field("town", Type::Text),
                field("code", Type::Text),
                field("country", Type::Text),
                field("latitude", optional(Type::F64)),
                field("longitude", optional(Type::F64)),
            ],
        ),
        shared("Tally", "How many there are.", vec![field("count", Type::U64), field("exact", Type::Bool)]),
    ]
}

fn priority() -> Enum {
    let docs = "How urgent something is.".to_owned();
    Enum { name: "Priority".to_owned(), docs, values: vec!["Normal", "Low", "High", "Urgent"] }
}

fn thing(one: &str) -> Struct {
    let name = crate::pascal(one);
    let fields = vec![
        field("id", Type::U64),
        field("name", Type::Text),
        field("state", Type::Enum(format!("{name}State"))),
        field("priority", Type::Enum("Priority".to_owned())),
        field("price", message("Amount")),
        field("place", optional(message("Address"))),
        field("created", Type::Time),
        field("owner", optional(Type::Text)),
        field("weight", Type::F64),
        field("tags", list(Type::Text)),
        field("related", list(Type::U64)),
        field("attributes", Type::Texts),
    ];
    Struct { docs: format!("What the books say of one {one}."), name, fields }
}

fn page(one: &str, several: &'static str) -> Struct {
    let name = crate::pascal(one);
    let fields = vec![
        field(several, list(message(&name))),
        field("next", optional(Type::Text)),
        field("total", Type::U64),
    ];
    Struct { docs: format!("Some {several} of many."), name: format!("{name}Page"), fields }
}

fn event(one: &str) -> Struct {
    let name = crate::pascal(one);
    let fields = vec![
        field("id", Type::U64),
        field("at", Type::Time),
        field("by", optional(Type::Text)),
        field("change", message(&format!("{name}Change"))),
    ];
    Struct {
        docs: format!("What has happened to one {one}, and when."),
        name: format!("{name}Event"),
        fields,
    }
}

fn state(one: &str, states: [&'static str; 5]) -> Enum {
    let docs = format!("What state one {one} is in.");
    Enum { name: format!("{}State", crate::pascal(one)), docs, values: states.to_vec() }
}

fn change(one: &str) -> Union {
    let name = crate::pascal(one);
    let variants = vec![
        field("created", message(&name)),
        field("renamed", Type::Text),
        field("moved", message("Address")),
        field("priced", message("Amount")),
        field("state", Type::Enum(format!("{name}State"))),
    ];
    Union { docs: format!("One change of one {one}."), name: format!("{name}Change"), variants }
}

/// Returns the twenty methods for one kind of object: 16 that answer once, two that return a stream, one that takes a
/// stream, and one one-way method.
fn methods(one: &str, several: &str) -> Vec<Method> {
    let thing = crate::pascal(one);
    let (answer, page) = (|| Answers::One(thing.clone()), || Answers::One(format!("{thing}Page")));
    let tally = || Answers::One("Tally".to_owned());
    let rpc =
        |name: String, docs: &str, takes, answers| Method { name, docs: docs.to_owned(), takes, answers };
    vec![
        rpc(format!("get_{one}"), "What there is to know of it.", by_id(), answer()),
        rpc(format!("list_{several}"), "All of them, a page at a time.", listing(), page()),
        rpc(format!("find_{several}"), "Those that a text is found in.", search(), page()),
        rpc(format!("count_{several}"), "How many a text is found in.", search(), tally()),
        rpc(format!("create_{one}"), "Takes it into the books.", whole(one), answer()),
        rpc(format!("update_{one}"), "Takes all of it as given here.", whole(one), answer()),
        rpc(format!("delete_{one}"), "Takes it from the books, for good.", by_id(), Answers::Done),
        rpc(format!("rename_{one}"), "Gives it another name.", text("Naming", "name"), answer()),
        rpc(format!("move_{one}"), "Says that it is elsewhere.", moving(), answer()),
        rpc(format!("price_{one}"), "Says what it costs.", pricing(), answer()),
        rpc(format!("tag_{one}"), "Puts a tag on it.", text("Tagging", "tag"), answer()),
        rpc(format!("untag_{one}"), "Takes a tag off it.", text("Tagging", "tag"), answer()),
        rpc(format!("advance_{one}"), "Brings it into another state.", advancing(one), answer()),
        rpc(format!("rank_{one}"), "Says how urgent it is.", ranking(), answer()),
        rpc(format!("merge_{several}"), "Makes one of two.", merging(), answer()),
        rpc(format!("archive_{several}"), "Puts what is old aside.", aging(), tally()),
        rpc(
            format!("watch_{one}"),
            "What happens to it from now on.",
            by_id(),
            Answers::Stream(format!("{thing}Event")),
        ),
        rpc(
            format!("export_{several}"),
            "All that a text is found in.",
            search(),
            Answers::Stream(thing.clone()),
        ),
        rpc(format!("import_{several}"), "Takes many into the books.", Takes::Stream(thing.clone()), tally()),
        rpc(format!("note_{one}"), "Writes a line into its log.", text("Note", "line"), Answers::Never),
    ]
}

fn takes(message: &str, parameters: Vec<Field>) -> Takes {
    Takes::Parameters { message: message.to_owned(), parameters }
}

fn by_id() -> Takes {
    takes("ById", vec![field("id", Type::U64)])
}

fn text(message: &str, name: &'static str) -> Takes {
    takes(message, vec![field("id", Type::U64), field(name, Type::Text)])
}

fn listing() -> Takes {
    takes("Listing", vec![field("after", optional(Type::Text)), field("limit", Type::U32)])
}

fn search() -> Takes {
    let parameters = vec![
        field("text", Type::Text),
        field("tags", list(Type::Text)),
        field("limit", Type::U32),
        field("archived", Type::Bool),
    ];
    takes("Search", parameters)
}

fn whole(one: &str) -> Takes {
    let thing = crate::pascal(one);
    let parameters = vec![field("by", Type::Text), field("value", message(&thing))];
    takes(&format!("Whole{thing}"), parameters)
}

fn moving() -> Takes {
    takes("Moving", vec![field("id", Type::U64), field("place", message("Address"))])
}

fn pricing() -> Takes {
    takes("Pricing", vec![field("id", Type::U64), field("price", message("Amount"))])
}

fn advancing(one: &str) -> Takes {
    let thing = crate::pascal(one);
    let parameters = vec![field("id", Type::U64), field("state", Type::Enum(format!("{thing}State")))];
    takes(&format!("Advancing{thing}"), parameters)
}

fn ranking() -> Takes {
    takes("Ranking", vec![field("id", Type::U64), field("priority", Type::Enum("Priority".to_owned()))])
}

fn merging() -> Takes {
    takes(
        "Merging",
        vec![field("id", Type::U64), field("other", Type::U64), field("reason", optional(Type::Text))],
    )
}

fn aging() -> Takes {
    takes("Aging", vec![field("before", Type::Time), field("limit", Type::U32)])
}
