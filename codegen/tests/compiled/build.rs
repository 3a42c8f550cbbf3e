//! Generates Rust from every file in `svc/`, and from `tape.svc` once per kind of options.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use zsvc_codegen::{Builder, Choices, Disk, Error, Options, Placement, generate, update};
use zsvc_idl::schema::Schema;

/// The example that users see, and that tests of options start from.
const TAPE: &str = "../../../examples/tape/svc/tape.svc";

/// What `zsvc import` makes of `.proto` files with every construct.
const IMPORTED: &str = "../../../cli/tests/import/svc";

/// A service without methods, for which almost no code is generated.
const IDLE: &str = "svc/idle.svc";

fn main() -> Result<(), Error> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it for build scripts"));
    generate_hazards(&out);
    generate_linted(&out);
    generate_imported(&out);
    Builder::new().file(TAPE).compile()?;
    Builder::new()
        .file("svc/replaced.svc")
        .replace("replaced.Address", "::std::net::IpAddr")
        .replace("replaced.Count", "::core::num::NonZeroU32")
        .replace("replaced.Names", "::std::collections::BTreeSet<::std::string::String>")
        .replace("replaced.Inside", "crate::hazards::replaced::Inside")
        .file("svc/nested.svc")
        .replace("nested.Order.Kind.Limit", "crate::hazards::nested::OrderKindLimit")
        .derive("nested.A.BC", "PartialOrd")
        .mocks()
        .out_dir(out.join("direct"))
        .compile()?;
    Builder::new()
        .file("svc/direct.svc")
        .extern_package("direct.parts", "crate::by_hand")
        .replace("direct.echo.Own", "crate::by_hand::Own")
        .replace("direct.echo.Slow", "crate::by_hand::Slow")
        .out_dir(out.join("by_hand"))
        .compile()?;
    Builder::new()
        .file(TAPE)
        .extern_package("money.v1", "crate")
        .runtime_path("crate::acme::zsvc")
        .mocks()
        .out_dir(out.join("shared"))
        .compile()?;
    Builder::new()
        .file("svc/throws.svc")
        .extern_package("throws.other", "crate::hazards")
        .replace("throws.Unknown", "crate::Refused")
        .replace("throws.match", "crate::Refused")
        .out_dir(out.join("thrown"))
        .compile()?;
    Builder::new().file(TAPE).file(IDLE).client_only().out_dir(out.join("client")).compile()?;
    Builder::new().file(TAPE).file(IDLE).server_only().out_dir(out.join("server")).compile()?;
    Builder::new()
        .file(TAPE)
        .file("svc/shapes.svc")
        .derive("shapes.Sparse", "Default, PartialOrd, Default, std::cmp::PartialOrd")
        .derive("shapes.Empty", "Default")
        .derive("market.v1.MarketOrder", "PartialEq, Eq, PartialOrd, ::core::cmp::Ord")
        .replace("money.v1.Amount", "crate::Price")
        // Relative to the module of the package, so modules of methods must adapt it.
        .replace("market.v1.Symbol", "super::super::super::Ticker")
        .out_dir(out.join("replaced"))
        .compile()
}

/// Generates all of `svc/` as one file. Does not use `Builder`, which would warn of every odd name in there.
fn generate_hazards(out: &Path) {
    println!("cargo:rerun-if-changed=svc");
    let files =
        fs::read_dir("svc").expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<String> = files.map(|path| path.to_string_lossy().into_owned()).collect();
    files.sort();
    files.push(large(out));
    let compilation = zsvc_idl::compile(&Disk::default(), &files, &[]);
    let schema = compilation.schema.unwrap_or_else(|| panic!("errors: {:#?}", compilation.diagnostics));
    let text = generate(&schema, &with_mocks(&schema), &compilation.sources, Placement::Included);
    update(&out.join("hazards/mod.rs"), &text).expect("the folder can be written to");
}

/// Generates all that `zsvc import` writes in its tests.
fn generate_imported(out: &Path) {
    println!("cargo:rerun-if-changed={IMPORTED}");
    let files = zsvc_codegen::svc_files(IMPORTED).expect("the folder is there");
    let compilation = zsvc_idl::compile(&Disk::default(), &files, &[]);
    let schema = compilation.schema.unwrap_or_else(|| panic!("errors: {:#?}", compilation.diagnostics));
    let text = generate(&schema, &with_mocks(&schema), &compilation.sources, Placement::Included);
    update(&out.join("imported/mod.rs"), &text).expect("the folder can be written to");
}

/// Returns options that generate everything.
fn with_mocks(schema: &Schema) -> Choices {
    let options = Options { mocks: true, ..Options::default() };
    options.resolve(schema).expect("no option names a type")
}

/// Generates code for ordinary names, but without `allow` attributes: `src/lib.rs` allows the lints that it violates one
/// by one.
fn generate_linted(out: &Path) {
    let files =
        [TAPE, "svc/bounds.svc", "svc/builtins.svc", "svc/flags.svc", "svc/shapes.svc"].map(str::to_owned);
    let compilation = zsvc_idl::compile(&Disk::default(), &files, &[]);
    let schema = compilation.schema.unwrap_or_else(|| panic!("errors: {:#?}", compilation.diagnostics));
    let text = generate(&schema, &Choices::default(), &compilation.sources, Placement::Included);
    let (allowed, end) = ("#[allow(\n", ")]\n");
    let mut parts = text.split(allowed);
    let head = parts.next().unwrap_or_default().to_owned();
    let linted = parts.fold(head, |text, part| {
        let (_, rest) = part.split_once(end).expect("attributes end");
        text + rest
    });
    assert!(!linted.contains("allow"), "no leave is left");
    update(&out.join("linted/mod.rs"), &linted).expect("the folder can be written to");
}

/// Writes a schema with a thousand of everything that may occur a thousand times.
fn large(out: &Path) -> String {
    let mut text = "package large;\n".to_owned();
    let mut declare = |open: &str, member: fn(u32) -> String| {
        let members: String = (1..=1000).map(member).collect();
        write!(text, "{open} {{\n{members}}}\n").expect("strings take any text");
    };
    declare("enum Values", |number| format!("    Value{number} = {number};\n"));
    declare("union Variants", |number| format!("    Variant{number}: string = {number};\n"));
    declare("error Errors", |number| format!("    Error{number} = {number};\n"));
    text += &widest();
    text += &deepest();
    let path = out.join("large.svc");
    fs::write(&path, text).expect("the folder is there");
    path.to_string_lossy().into_owned()
}

/// Writes as many fields and parameters as are allowed, and names as long as allowed.
fn widest() -> String {
    let long = "long".repeat((255 - "Variant".len()) / 4);
    let fields: Vec<String> =
        (1..=255).map(|number| format!("    field{number}: u8? = {number};\n")).collect();
    let fields = fields.concat();
    let parameters: Vec<String> = (1..=255).map(|number| format!("parameter{number}: u8")).collect();
    let parameters = parameters.join(", ");
    format!(
        "struct Fields {{\n{fields}}}\nservice Wide {{ rpc call({parameters}); }}\n\
         struct Struct{long} {{ {long}: u8 = 1; }}\n\
         union Union{long} {{ Variant{long} {{ {long}: Struct{long}? = 1; }} = 1; }}\n\
         error Error{long} {{ Variant{long} = 1; }}\n\
         service Service{long} {{ rpc {long}({long}: Union{long}) -> Struct{long} throws Error{long}; }}\n"
    )
}

/// Writes types nested as deep as allowed, in all places that a type can have.
fn deepest() -> String {
    let nested = |start: &str, levels: usize| format!("{}u8{}", start.repeat(levels), ">".repeat(levels));
    let (lists, maps) = (nested("list<", 15), nested("map<string, ", 15));
    let optionals = format!("{}u8?{}", "list<".repeat(7), ">?".repeat(7));
    format!(
        "struct Deep {{ lists: {lists} = 1; maps: {maps} = 2; optionals: {optionals} = 3; }}\n\
         union DeepUnion {{ Lists: {lists} = 1; Maps {{ maps: {maps} = 1; }} = 2; }}\n\
         service DeepService {{\n    \
             rpc call(lists: {lists}, maps: {maps}) -> {optionals};\n    \
             rpc talk(items: stream {lists}) -> stream {maps};\n\
         }}\n"
    )
}
