//! Where servers listen: socket files, abstract names, addresses and names of hosts.

use std::fs;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

use tempfile::TempDir;
use zsvc::{Channel, Code, Outcome, ServeError, Server};
use zsvc_faults::faults::v1::{LedgerClient, LedgerServer};
use zsvc_faults::{Book, Keeper};

use crate::support::{Served, run};

/// A server of this process, which serves in a task once it is called.
fn listen(folder: &TempDir, endpoints: &[&str]) -> Result<Server, ServeError> {
    let book = Book::open(&folder.path().join("book")).expect("the folder can be written to");
    let builder = Server::builder().service(LedgerServer::new(Keeper::new(book)));
    endpoints.iter().fold(builder, |builder, endpoint| builder.bind(*endpoint)).listen()
}

/// Serves until something is done, and then until the server has ended.
async fn serve_until(server: Server, done: impl Future<Output = ()>) {
    assert_eq!(server.serve_until(done).await, Ok(()));
}

/// Returns why endpoints can't be bound, and which of them.
fn refusal(folder: &TempDir, endpoints: &[&str]) -> (String, String) {
    match listen(folder, endpoints) {
        Err(ServeError::Bind { endpoint, reason }) => (endpoint, reason),
        other => panic!("{other:?}"),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder can be created")
}

fn ipc(folder: &TempDir, name: &str) -> String {
    format!("ipc://{}", folder.path().join(name).display())
}

async fn assert_answers(endpoint: &str) {
    let channel = Channel::connect(endpoint).await;
    let ledger = LedgerClient::new(channel.expect("a server listens"));
    assert_eq!(ledger.enter(1, Duration::ZERO).await, Ok(1), "{endpoint}");
}

#[test]
fn the_socket_file_of_a_server_that_was_killed_is_taken_over() {
    run(async {
        let folder = folder();
        let endpoint = ipc(&folder, "tape.sock");
        let mut server = Served::with(&["--bind", &endpoint]).await;
        let ledger = server.client().await;
        server.kill().await;
        assert!(folder.path().join("tape.sock").exists(), "a killed server leaves its file");
        server.again().await;
        assert_eq!(ledger.set(1, Duration::ZERO).await, Ok(1));
        assert_answers(&endpoint).await;
    });
}

#[test]
fn the_socket_file_of_a_server_goes_with_it() {
    run(async {
        let folder = folder();
        let (path, endpoint) = (folder.path().join("tape.sock"), ipc(&folder, "tape.sock"));
        let mut process = Served::with(&["--bind", &endpoint]).await;
        assert!(path.exists());
        process.stop().await;
        assert!(!path.exists());
        let server = listen(&folder, &[&endpoint]).unwrap();
        assert!(path.exists());
        drop(server);
        assert!(!path.exists());
    });
}

#[test]
fn the_socket_of_a_server_that_is_there_is_not_taken_over() {
    run(async {
        let folder = folder();
        let endpoint = ipc(&folder, "tape.sock");
        let server = Served::with(&["--bind", &endpoint]).await;
        for _ in 0..3 {
            let (which, reason) = refusal(&folder, &[&endpoint]);
            assert_eq!((which, reason.as_str()), (endpoint.clone(), "another server listens there"));
        }
        assert_answers(&endpoint).await;
        drop(server);
        // One that never accepts, and one of another kind, are there as well.
        let _listener = UnixListener::bind(folder.path().join("busy.sock")).unwrap();
        let _datagrams = UnixDatagram::bind(folder.path().join("other.sock")).unwrap();
        for name in ["busy.sock", "other.sock"] {
            assert_eq!(refusal(&folder, &[&ipc(&folder, name)]).1, "another server listens there", "{name}");
            assert!(folder.path().join(name).exists());
        }
    });
}

#[test]
fn a_socket_file_that_another_server_has_put_there_stays() {
    run(async {
        let folder = folder();
        let (path, endpoint) = (folder.path().join("tape.sock"), ipc(&folder, "tape.sock"));
        let first = listen(&folder, &[&endpoint]).unwrap();
        fs::remove_file(&path).unwrap();
        let second = listen(&folder, &[&endpoint]).unwrap();
        drop(first);
        assert!(path.exists());
        serve_until(second, assert_answers(&endpoint)).await;
        assert!(!path.exists(), "it was the second's");
    });
}

#[test]
fn what_is_no_socket_is_left_alone() {
    run(async {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "precious").unwrap();
        fs::create_dir(at("folder")).unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        for name in ["file", "folder", "link"] {
            let (_, reason) = refusal(&folder, &[&ipc(&folder, name)]);
            assert_eq!(reason, "a file that is no socket has the name", "{name}");
        }
        let (_, reason) = refusal(&folder, &[&ipc(&folder, "dangling")]);
        assert!(reason.contains("in use"), "{reason}");
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "precious");
        assert!(at("folder").is_dir() && at("link").is_symlink() && at("dangling").is_symlink());
        let (_, reason) = refusal(&folder, &[&ipc(&folder, "no/folder/tape.sock")]);
        assert!(reason.contains("No such file or directory"), "{reason}");
    });
}

/// Number of servers that begin at once.
const AT_ONCE: usize = 6;

#[test]
fn of_servers_that_take_a_stale_socket_file_over_at_once_one_listens_there() {
    run(async {
        let folder = folder();
        let path = folder.path().join("tape.sock");
        for _ in 0..100 {
            // Its file stays, as that of a server that was killed.
            drop(UnixListener::bind(&path).unwrap());
            let barrier = Barrier::new(AT_ONCE);
            let runtime = tokio::runtime::Handle::current();
            let begin = || {
                let _entered = runtime.enter();
                barrier.wait();
                listen(&folder, &[&ipc(&folder, "tape.sock")])
            };
            let all: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(begin)).collect();
                threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
            });
            let (bound, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
            for refused in refused {
                let error = refused.map(drop).unwrap_err().to_string();
                assert!(error.ends_with("another server listens there"), "{error}");
            }
            assert_eq!(bound.len(), 1);
            let connected = std::os::unix::net::UnixStream::connect(&path);
            assert!(connected.is_ok(), "it is the one that listens there: {connected:?}");
            drop(bound);
            assert!(!path.exists());
        }
    });
}

#[test]
fn a_relative_socket_file_is_one_of_the_folder_in_which_the_server_began() {
    run(async {
        let name = format!("zsvc-{}.sock", std::process::id());
        let endpoint = format!("ipc://{name}");
        let server = listen(&folder(), &[&endpoint]).unwrap();
        assert!(Path::new(&name).exists());
        drop(server);
        assert!(!Path::new(&name).exists());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_is_a_servers_until_it_ends_and_leaves_no_file() {
    run(async {
        let folder = folder();
        let endpoint = format!("ipc://@zsvc-{}", std::process::id());
        let server = listen(&folder, &[&endpoint]).unwrap();
        let (_, reason) = refusal(&folder, &[&endpoint]);
        assert!(reason.contains("Address already in use"), "{reason}");
        serve_until(server, assert_answers(&endpoint)).await;
        let server = listen(&folder, &[&endpoint]).expect("the name is free again");
        serve_until(server, assert_answers(&endpoint)).await;
        assert!(
            fs::read_dir(".").unwrap().all(|file| !file.unwrap().file_name().to_string_lossy().contains('@'))
        );
    });
}

#[test]
fn addresses_of_both_kinds_and_names_are_served() {
    run(async {
        for bind in [
            "tcp://127.0.0.1:*",
            "tcp://127.0.0.1:0",
            "tcp://[::1]:*",
            "tcp://localhost:*",
            "tcp://*:*",
            "tcp://[::]:*",
        ] {
            let folder = folder();
            let server = listen(&folder, &[bind]).unwrap_or_else(|error| panic!("{error}"));
            let bound = server.endpoints()[0].clone();
            let (host, port) = bound.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':')).unwrap();
            assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{bound}");
            serve_until(server, async {
                match host {
                    "0.0.0.0" => assert_answers(&format!("tcp://127.0.0.1:{port}")).await,
                    "[::]" => assert_answers(&format!("tcp://[::1]:{port}")).await,
                    _ => assert_answers(&bound).await,
                }
                if bind != "tcp://[::1]:*" {
                    assert_answers(&format!("tcp://localhost:{port}")).await;
                }
            })
            .await;
        }
    });
}

#[test]
fn a_port_that_another_server_has_is_refused() {
    run(async {
        let folder = folder();
        let server = listen(&folder, &["tcp://127.0.0.1:*"]).unwrap();
        let taken = server.endpoints()[0].clone();
        // The first endpoint of the list is free again after the second was refused.
        let path = folder.path().join("tape.sock");
        let (which, reason) = refusal(&folder, &[&ipc(&folder, "tape.sock"), &taken]);
        assert_eq!(which, taken);
        assert!(reason.contains("Address already in use"), "{reason}");
        assert!(!path.exists());
        let error = listen(&folder, &[&taken]).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("can't bind `{taken}`: Address already in use")), "{error}");
        serve_until(server, assert_answers(&taken)).await;
        listen(&folder, &[&taken])
            .expect("the port is free again, although connections to it have just ended");
    });
}

#[test]
fn an_endpoint_is_free_again_when_its_server_has_ended() {
    run(async {
        let folder = folder();
        let mut endpoints = vec!["tcp://127.0.0.1:*".to_owned(), ipc(&folder, "tape.sock")];
        #[cfg(target_os = "linux")]
        endpoints.push(format!("ipc://@zsvc-again-{}", std::process::id()));
        for endpoint in &mut endpoints {
            for _ in 0..10 {
                let server = listen(&folder, &[endpoint]).unwrap_or_else(|error| panic!("{error}"));
                *endpoint = server.endpoints()[0].clone();
                serve_until(server, assert_answers(endpoint)).await;
            }
        }
    });
}

#[test]
fn the_addresses_of_an_interface_are_served_by_its_name() {
    run(async {
        let folder = folder();
        // That of the system itself, which has another name on the BSDs and macOS.
        let name = if cfg!(target_os = "linux") { "lo" } else { "lo0" };
        let server = listen(&folder, &[&format!("tcp://{name}:*")]).unwrap_or_else(|error| panic!("{error}"));
        let bound = server.endpoints()[0].clone();
        assert!(bound.starts_with("tcp://127.0.0.1:"), "{bound}");
        serve_until(server, assert_answers(&bound)).await;
    });
}

#[test]
fn endpoints_that_are_none_are_refused_with_what_to_write_instead() {
    run(async {
        let folder = folder();
        let long = ipc(&folder, &"long".repeat(40));
        for (endpoint, expected) in [
            ("tcp://127.0.0.1:72636", "`72636` is no port; it is a number up to 65535"),
            ("tcp://::1:7100", "an IPv6 address stands in brackets: `[::1]`"),
            ("tcp://127.0.0.1", "the port is missing, as in `tcp://127.0.0.1:7100`"),
            ("localhost:7100", "this may be meant for `tcp://localhost:7100`"),
            ("udp://127.0.0.1:7100", "there is no transport `udp`"),
            ("ipc://", "the name after `://` is missing"),
            ("ipc://*", "a path is needed, such as `ipc:///run/tape.sock`"),
            (&long, "that of a Unix socket may have"),
        ] {
            let (which, reason) = refusal(&folder, &[endpoint]);
            assert_eq!(which, endpoint);
            assert!(reason.contains(expected), "{endpoint}: {reason}");
            let status = Channel::connect(endpoint).await.expect_err(endpoint);
            assert_eq!((status.code(), status.outcome()), (Code::InvalidArgument, Outcome::NotSent));
            let message = status.message();
            let start = format!("can't connect to `{endpoint}`: ");
            assert!(message.starts_with(&start) && message.contains(expected), "{message}");
        }
        // A server chooses a free port, and a client has to know which.
        for endpoint in ["tcp://localhost:0", "tcp://127.0.0.1:*"] {
            drop(listen(&folder, &[endpoint]).unwrap_or_else(|error| panic!("{error}")));
            let status = Channel::connect(endpoint).await.expect_err(endpoint);
            assert!(status.message().contains("a client needs the server's port"), "{status}");
        }
    });
}

#[test]
fn a_host_that_is_none_is_refused() {
    run(async {
        let folder = folder();
        for (endpoint, expected) in [
            // Addresses for documentation, which no interface has: RFC 5737 and RFC 3849.
            ("tcp://192.0.2.1:*", "Cannot assign requested address"),
            ("tcp://[2001:db8::1]:*", "Cannot assign requested address"),
            ("tcp://no-such-host.invalid:*", "failed to lookup address information"),
        ] {
            let (which, reason) = refusal(&folder, &[endpoint]);
            assert_eq!(which, endpoint);
            assert!(reason.contains(expected), "{endpoint}: {reason}");
        }
    });
}
