//! Runs the server and the client of docs/security.md, with keys in files as `zsvc keygen` names them.

#![allow(
    clippy::pedantic,
    missing_docs,
    reason = "the programs are those of the page, which a newcomer reads"
)]
#![allow(unused_imports, reason = "files of keys are named by a function here")]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use zsvc::curve::{KeyFile, generate};

mod server {
    include!(concat!(env!("OUT_DIR"), "/secure_server.rs"));
}

mod client {
    include!(concat!(env!("OUT_DIR"), "/secure_client.rs"));
}

/// A folder with the keys of both sides.
static KEYS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("zsvc-docs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files is there");
    for name in ["server", "client"] {
        let key = generate().expect("the system has random bytes");
        let public = format!("curve\n    public-key = \"{}\"\n", key.public_key());
        let secret = format!("curve\n    secret-key = \"{}\"\n", key.to_z85().as_str());
        for (file, text) in [(format!("{name}.key"), public), (format!("{name}.key_secret"), secret)] {
            std::fs::write(folder.join(file), text).expect("the folder can be written to");
        }
    }
    folder
});

fn endpoint() -> String {
    format!("ipc://{}", KEYS.join("socket").display())
}

/// Names a file of the page. `zsvc keygen`, which is tested elsewhere, makes those with secrets for their owner alone.
fn key_file(name: &str) -> KeyFile {
    KeyFile::new(KEYS.join(name)).may_be_read_by_others()
}

#[test]
fn the_server_and_the_client_of_the_page_talk_to_each_other() {
    // The server runs until Ctrl-C, which never comes here: it ends with the process.
    std::thread::spawn(|| server::main().map_err(|error| panic!("{error}")));
    let began = Instant::now();
    while !KEYS.join("socket").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "the server does not listen");
        std::thread::yield_now();
    }
    let (done, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(client::main().map_err(|error| error.to_string())));
    assert_eq!(result.recv_timeout(Duration::from_mins(1)), Ok(Ok(())));
    let _ = std::fs::remove_dir_all(&*KEYS);
}
