//! Measures a large project: time and memory to check it and to generate from it, as it grows.
//!
//! `cargo bench -p zsvc-codegen --bench scale` measures 1,000, 2,000 and 4,000 files, each in a process of its own, so
//! that their memory is measured separately. `-- make FOLDER FILES` only writes such a project, to measure the command
//! with: `time zsvc check FOLDER/*.svc`. The results are in `docs/tool.md`.
//!
//! Not a test: there is no limit on the time.

mod project;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use zsvc_codegen::{Choices, Disk, Placement, generate, update};

use project::{METHODS_PER_FILE, TYPES_PER_FILE};

/// Number of files of the first project.
const FILES: usize = 1000;

/// Number of measurements of each. The minimum counts, since other load on the machine only adds time.
const ROUNDS: usize = 3;

fn main() -> io::Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match (arguments.as_slice(), arguments.last().and_then(|number| number.parse().ok())) {
        ([], _) => compare(),
        (["make", folder, _], Some(files)) => project::write(Path::new(folder), files).map(drop),
        (["measure", _], Some(files)) => measure(files),
        _ => Err(io::Error::other("what to do? nothing, `make FOLDER FILES` or `measure FILES`")),
    }
}

/// Measures growing projects, each in its own process.
fn compare() -> io::Result<()> {
    println!("| files | types | methods | input | check | generate | output | peak memory |");
    println!("|---|---|---|---|---|---|---|---|");
    for files in [FILES, 2 * FILES, 4 * FILES] {
        let status = Command::new(env::current_exe()?).args(["measure", &files.to_string()]).status()?;
        if !status.success() {
            return Err(io::Error::other("it could not be measured"));
        }
    }
    Ok(())
}

/// Measures one project, and prints its row.
fn measure(files: usize) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let paths = project::write(&folder.path().join("svc"), files)?;
    let input =
        paths.iter().map(|path| fs::metadata(path).map(|data| data.len())).sum::<io::Result<u64>>()?;
    let paths: Vec<String> = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let target = folder.path().join("out").join("mod.rs");
    let mut best = (Duration::MAX, Duration::MAX);
    let mut output = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let compilation = zsvc_idl::compile(&Disk::default(), &paths, &[]);
        let checked = start.elapsed();
        let schema = compilation.schema.ok_or_else(|| io::Error::other("the project has errors"))?;
        let text = generate(&schema, &Choices::default(), &compilation.sources, Placement::Module);
        update(&target, &text)?;
        best = (best.0.min(checked), best.1.min(start.elapsed()));
        output = text.len();
    }
    let (types, methods) = (files * TYPES_PER_FILE, files * METHODS_PER_FILE);
    let [input, output] = [input, output as u64].map(megabytes);
    let (check, generate) = (best.0.as_millis(), best.1.as_millis());
    let memory = peak_memory()?;
    println!(
        "| {files} | {types} | {methods} | {input} | {check} ms | {generate} ms | {output} | {memory} |"
    );
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

/// Returns the peak memory of this process, if the system reports it.
fn peak_memory() -> io::Result<String> {
    let status = match fs::read_to_string("/proc/self/status") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok("not told".to_owned()),
        status => status?,
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kibibytes.map_or_else(|| "not told".to_owned(), |kibibytes| megabytes(kibibytes * 1024)))
}
