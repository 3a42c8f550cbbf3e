//! Extracts the code from the documents and turns it into something that compiles:
//!
//! - whole `svc` blocks of README.md, the guide, docs/json.md, docs/coming-from.md, docs/security.md and docs/events.md, and the example `tape`, become generated modules;
//! - `rust,example` blocks become doctests, inside a function that provides the names they use;
//! - `rust,program` blocks become modules for `tests/readme.rs` and `tests/security.rs`, which run them;
//! - `rust,handler` blocks of the guide become one implementation of `Tape` for `tests/guide.rs`.
//!
//! Other Rust blocks are doctests, unchanged. CONTRIBUTING.md, "Documents", lists all kinds of blocks.

#[path = "src/blocks.rs"]
#[allow(unreachable_pub, reason = "the library has it too, where it can be reached")]
mod blocks;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use blocks::{Part, parts, texts};
use zsvc_idl::MemoryLoader;

/// Hidden lines before an example in its doctest: the names that it may use without importing them.
const BEFORE_EXAMPLE: &str = "\
# #![allow(unused, deprecated)]
# use std::time::Duration;
# use futures_util::{stream, StreamExt as _};
# use zsvc::{Cause, Channel, Code, Context, Delivery, Dropped, Error, Identity, Outcome, Publisher, ResponseMetadata, Retry, Server, Sink, Status, Streaming};
# use zsvc_docs::climate::v1::*;
# use zsvc_docs::exchange::v1::*;
# use zsvc_docs::market::v1::*;
# use zsvc_docs::money::v1::Amount;
# use zsvc_docs::orders::v1::*;
# async fn example(floor: impl Tape, context: &Context, tape: TapeClient) -> Result<(), Box<dyn std::error::Error>> {
";
/// Hidden lines after an example in its doctest.
const AFTER_EXAMPLE: &str = "\
# Ok(())
# }
";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("run by Cargo")?);
    let readme = read("../../README.md")?;
    let guide = read("../guide.md")?;
    let json = read("../json.md")?;
    let coming_from = read("../coming-from.md")?;
    let security = read("../security.md")?;
    let events = read("../events.md")?;
    generate(&out, &[&readme, &guide, &json, &coming_from, &security, &events])?;
    write(&out.join("README.md"), &doctests(&readme))?;
    write(&out.join("guide.md"), &doctests(&guide))?;
    write(&out.join("json.md"), &doctests(&json))?;
    write(&out.join("security.md"), &doctests(&security))?;
    write(&out.join("events.md"), &doctests(&events))?;
    write(&out.join("discovery.md"), &doctests(&read("../discovery.md")?))?;
    let programs = texts(&readme, "rust,program");
    let [server, client] = programs.as_slice() else {
        return Err("README.md must have a server and a client".into());
    };
    write(&out.join("server.rs"), &in_process(server))?;
    write(&out.join("client.rs"), &in_process(client))?;
    let programs = texts(&security, "rust,program");
    let [server, client] = programs.as_slice() else {
        return Err("security.md must have a server and a client".into());
    };
    write(&out.join("secure_server.rs"), &with_keys(server))?;
    write(&out.join("secure_client.rs"), &with_keys(client))?;
    let handlers = texts(&guide, "rust,handler").concat();
    write(&out.join("handlers.rs"), &format!("impl Tape for Floor {{\n{handlers}}}\n"))?;
    Ok(())
}

fn read(path: &str) -> io::Result<String> {
    println!("cargo:rerun-if-changed={path}");
    fs::read_to_string(path)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    zsvc_codegen::update(path, text)
}

/// Generates code from the `.svc` blocks of the documents and from the files of the example `tape`, which the guide uses.
fn generate(out: &Path, documents: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut names = vec!["tape.svc".to_owned()];
    let mut loader = MemoryLoader::default()
        .with("tape.svc", read("../../examples/tape/svc/tape.svc")?)
        .with("money.svc", read("../../examples/tape/svc/money.svc")?);
    for text in documents.iter().flat_map(|document| texts(document, "svc")) {
        let name = format!("block{}.svc", names.len());
        names.push(name.clone());
        loader = loader.with(name, text);
    }
    let compilation = zsvc_idl::compile(&loader, &names, &[]);
    let Some(schema) = compilation.schema else {
        return Err(format!("a `.svc` block is wrong: {:#?}", compilation.diagnostics).into());
    };
    let choices = zsvc_codegen::Options { mocks: true, ..Default::default() }.resolve(&schema)?;
    let code =
        zsvc_codegen::generate(&schema, &choices, &compilation.sources, zsvc_codegen::Placement::Included);
    Ok(write(&out.join("zsvc/mod.rs"), &code)?)
}

/// Returns the document with its blocks marked as rustdoc expects them.
fn doctests(markdown: &str) -> String {
    let parts = parts(markdown).into_iter().map(|part| match part {
        Part::Line(line) => format!("{line}\n"),
        Part::Block(block) => match block.info {
            "rust,example" => format!("```no_run\n{BEFORE_EXAMPLE}{}{AFTER_EXAMPLE}```\n", block.text),
            "rust,program" | "rust,handler" => format!("```text\n{}```\n", block.text),
            info if info.starts_with("json") => format!("```json\n{}```\n", block.text),
            info => format!("```{info}\n{}```\n", block.text),
        },
    });
    parts.collect()
}

/// Turns a program into a module of another one, with an endpoint that no other process can use.
fn in_process(program: &str) -> String {
    program
        .replace("async fn main", "pub(super) async fn main")
        .replace("tcp://127.0.0.1:7100", "inproc://readme")
}

/// Turns a program with keys into a module of another one, which has its own endpoint and files.
fn with_keys(program: &str) -> String {
    program
        .replace("async fn main", "pub(super) async fn main")
        .replace("zsvc::include_generated!();", "use zsvc_docs::hello;")
        .replace("\"tcp://127.0.0.1:7100\"", "super::endpoint()")
        .replace("KeyFile::new(", "super::key_file(")
}
