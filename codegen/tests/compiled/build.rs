//! Generates Rust from every file in `svc/`, and from `tape.svc` once per kind of options.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use zsvc_codegen::{Builder, Choices, Disk, Error, Placement, generate, update};

/// The example that users see, and that tests of options start from.
const TAPE: &str = "../../../examples/tape/svc/tape.svc";

/// A service without methods, of which either side is next to nothing.
const IDLE: &str = "svc/idle.svc";

fn main() -> Result<(), Error> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it for build scripts"));
    generate_hazards(&out);
    Builder::new().file(TAPE).compile()?;
    Builder::new().file(TAPE).file(IDLE).client_only().out_dir(out.join("client")).compile()?;
    Builder::new().file(TAPE).file(IDLE).server_only().out_dir(out.join("server")).compile()?;
    Builder::new()
        .file(TAPE)
        .file("svc/shapes.svc")
        .derive("shapes.Sparse", "Default, PartialOrd, Default, std::cmp::PartialOrd")
        .derive("shapes.Empty", "Default")
        .derive("market.v1.MarketOrder", "PartialEq, Eq, PartialOrd, ::core::cmp::Ord")
        .replace("money.v1.Amount", "crate::Price")
        .replace("market.v1.Symbol", "crate::Ticker")
        .out_dir(out.join("replaced"))
        .compile()
}

/// All of `svc/` as one file. Not by `Builder`, which would warn of every odd name in there.
fn generate_hazards(out: &Path) {
    println!("cargo:rerun-if-changed=svc");
    let files =
        fs::read_dir("svc").expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<String> = files.map(|path| path.to_string_lossy().into_owned()).collect();
    files.sort();
    files.push(large(out));
    let compilation = zsvc_idl::compile(&Disk::default(), &files, &[]);
    let schema = compilation.schema.unwrap_or_else(|| panic!("errors: {:#?}", compilation.diagnostics));
    let text = generate(&schema, &Choices::default(), &compilation.sources, Placement::Included);
    update(&out.join("hazards/mod.rs"), &text).expect("the folder can be written to");
}

/// A thousand of each thing that there can be a thousand of.
fn large(out: &Path) -> String {
    let mut text = "package large;\n".to_owned();
    let mut declare = |open: &str, member: fn(u32) -> String| {
        let members: String = (1..=1000).map(member).collect();
        write!(text, "{open} {{\n{members}}}\n").expect("strings take any text");
    };
    declare("enum Values", |number| format!("    Value{number} = {number};\n"));
    declare("union Variants", |number| format!("    Variant{number}: string = {number};\n"));
    declare("error Errors", |number| format!("    Error{number} = {number};\n"));
    let path = out.join("large.svc");
    fs::write(&path, text).expect("the folder is there");
    path.to_string_lossy().into_owned()
}
