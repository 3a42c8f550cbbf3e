//! Writes a synthetic project for measurements: a given number of files, each with ten types and a service of ten methods.
//!
//! The files are the same to the byte every time, and resemble handwritten ones: documented, using types of other files.
//! Five files share a package, so that a thousand files are two hundred packages.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Number of types that a file declares.
pub(crate) const TYPES_PER_FILE: usize = 10;

/// Number of methods of a file's service.
pub(crate) const METHODS_PER_FILE: usize = 10;

const STRUCTS_PER_FILE: usize = 6;

/// Writes the files below `folder`, and returns their paths.
pub(crate) fn write(folder: &Path, files: usize) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let written = (0..files).map(|file| {
        let path = folder.join(format!("{}.svc", stem(file)));
        fs::write(&path, text(file)).map(|()| path)
    });
    written.collect()
}

fn stem(file: usize) -> String {
    format!("part{file:05}")
}

/// Returns the text of one file.
fn text(file: usize) -> String {
    let imports = imports(file);
    let mut text = head(file, &imports);
    text += &small_types(file);
    for index in 0..STRUCTS_PER_FILE {
        text += &structure(file, index, &imports);
    }
    text += &service(file);
    text
}

/// Returns the files that one imports: its neighbour, one at some distance and one far away, so that no chain of imports is
/// as long as the project.
fn imports(file: usize) -> Vec<usize> {
    let mut imports = vec![file / 2, file / 3, file / 7];
    imports.retain(|&import| import != file);
    imports.dedup();
    imports
}

fn head(file: usize, imports: &[usize]) -> String {
    let (area, package) = (file / 50, file / 5);
    let imports = imports.iter().fold(String::new(), |text, &import| {
        text + &format!("import \"{}.svc\" as other{import};\n", stem(import))
    });
    format!(
        "// Part {file} of a project that is made up.\npackage made.area{area}.package{package}.v1;\n\n{imports}\n"
    )
}

/// Returns the alias, the enum, the union and the error of a file.
fn small_types(file: usize) -> String {
    format!(
        r#"/// Maximum number of symbols of a request.
const MAX_SYMBOLS_{file}: u32 = 500;

/// Name of a traded instrument.
type Symbol{file} = string;

/// The side of an order.
enum Side{file} {{
    /// Unknown side.
    Unset = 0;
    /// The account buys.
    Buy = 1;
    /// The account sells.
    Sell = 2;
    /// The account sells what it does not have.
    SellShort = 3;
    Cross = 4;
}}

/// An order, in the form that its kind needs.
union Order{file} {{
    /// Not above this price.
    Limit {{ symbol: Symbol{file} = 1; side: Side{file} = 2; limit: i64 = 3; note: string? = 4; }} = 1;
    /// At any price.
    Market: Record{file}x0 = 2;
    /// Cancels all orders.
    CancelAll = 3;
    Many: list<Record{file}x1> = 4;
}}

/// Why something was not done.
error Failure{file} {{
    /// The symbol is unknown.
    @message("no such symbol: {{symbol}}")
    UnknownSymbol {{ symbol: Symbol{file} = 1; }} = 1;
    @message("trading is halted")
    Halted = 2;
    @message("at most {{limit}} of {{asked}}")
    TooMany {{ limit: u32 = 1; asked: u32 = 2; }} = 3;
}}

"#
    )
}

/// Returns a struct of eight to twelve fields.
fn structure(file: usize, index: usize, imports: &[usize]) -> String {
    let mut text = format!(
        "/// Record {index} of part {file}, as the tape has it.\n///\n/// It is kept for a year.\nstruct Record{file}x{index} {{\n"
    );
    let count = 8 + (file + index) % 5;
    for number in 1..=count {
        let (attributes, ty) = field(file, index, number, imports);
        if number % 3 != 0 {
            writeln!(text, "    /// The {number}th thing to know, in the unit of its kind.")
                .expect(TAKES_ANY);
        }
        writeln!(text, "    {attributes}field_{number}: {ty} = {number};").expect(TAKES_ANY);
    }
    text + "}\n\n"
}

const TAKES_ANY: &str = "strings take any text";

/// Returns the attributes and the type of a field, of all kinds in turn.
fn field(file: usize, index: usize, number: usize, imports: &[usize]) -> (&'static str, String) {
    let plain = |ty: &str| ("", ty.to_owned());
    match (number * 7 + index * 3 + file) % 20 {
        0 | 1 => plain("string"),
        2 | 3 => plain("u32"),
        4 => plain("u64"),
        5 => plain("i64?"),
        6 => plain("bool"),
        7 => plain("timestamp"),
        8 => ("", format!("Side{file}")),
        9 => ("", format!("list<Symbol{file}>")),
        10 => plain("map<string, string>"),
        11 => ("@len(1..=64) ", format!("Symbol{file}")),
        12 => ("@range(1..=1000) ", "u32".to_owned()),
        13 => ("@default(1) ", "u32".to_owned()),
        14 => plain("bytes"),
        15 => plain("duration?"),
        16 => ("", format!("Order{file}?")),
        17 => plain("string?"),
        18 if index > 0 => ("", format!("list<Record{file}x{}>", index - 1)),
        _ => match imports.get(number % 3) {
            Some(import) => ("", format!("other{import}.Record{import}x{index}?")),
            None => plain("uuid"),
        },
    }
}

/// Returns a service with methods of every kind.
fn service(file: usize) -> String {
    format!(
        r"/// What happens on floor {file}, and orders for it.
service Tape{file} {{
    /// The last trade of a symbol.
    @deadline(500ms) @idempotent
    rpc last(@len(1..=12) symbol: Symbol{file}) -> Record{file}x0 throws Failure{file};

    /// Returns all data of a symbol.
    @idempotent
    rpc find(symbol: Symbol{file}, side: Side{file}, limit: u32?) -> list<Record{file}x1> throws Failure{file};

    /// Stores a record.
    rpc put(record: Record{file}x2) throws Failure{file};

    /// Stores an order, and returns its number.
    rpc order(account: string, order: Order{file}) -> u64 throws Failure{file};

    /// The state of an account.
    rpc account(account: string, at: timestamp?) -> Record{file}x3;

    rpc ping();

    /// Every trade of these symbols from now on.
    rpc watch(symbols: list<Symbol{file}>) -> stream Record{file}x0 throws Failure{file};

    /// Takes trades from another tape.
    rpc import(account: string, trades: stream Record{file}x4) -> u64;

    /// Takes orders and returns fills until either side ends the stream.
    rpc converse(orders: stream Order{file}) -> stream Record{file}x5 throws Failure{file};

    /// Writes a line into the floor's log, without an answer.
    oneway note(text: string);
}}
"
    )
}
