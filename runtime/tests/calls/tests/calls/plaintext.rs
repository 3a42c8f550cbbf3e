//! Servers that are not to be reached in the clear by other machines.

use zsvc::curve::{CurveClient, CurveServer, generate};
use zsvc::{Engine, Register, ServeError, Server, ServerBuilder};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::ProbeServer;

use crate::support::{free_endpoint, on_one_thread};

fn builder(endpoint: &str) -> ServerBuilder {
    Server::builder().service(ProbeServer::new(Probe::default())).bind(endpoint).deny_plaintext()
}

/// Returns the endpoint where a server listens that denies plaintext.
fn listens(endpoint: &str) -> Result<String, ServeError> {
    builder(endpoint).listen().map(|server| server.endpoints()[0].clone())
}

/// Both engines, by `engines`.
#[test]
fn a_server_that_denies_plaintext_listens_only_where_no_other_machine_reaches_it() {
    on_one_thread(async {
        let file = free_endpoint();
        for endpoint in
            ["tcp://127.0.0.1:*", "tcp://127.8.9.10:*", "tcp://localhost:*", &file, "inproc://plaintext"]
        {
            assert!(listens(endpoint).is_ok(), "{endpoint}");
        }
        for endpoint in ["tcp://*:*", "tcp://0.0.0.0:0", "tcp://[::]:*"] {
            let told = listens(endpoint).expect_err(endpoint);
            let expected = matches!(&told, ServeError::Plaintext { endpoint: at, address }
                if at == endpoint && address.is_unspecified());
            assert!(expected, "{endpoint}: {told}");
            assert!(told.to_string().contains("call `curve`, bind a loopback address or `ipc`"), "{told}");
        }
        let one_of_two = builder("tcp://127.0.0.1:*").bind("tcp://*:*").listen();
        assert!(matches!(one_of_two, Err(ServeError::Plaintext { .. })));
        let curve = CurveServer::new(generate().unwrap()).any_client();
        assert!(builder("tcp://*:*").engine(Engine::Zmtp).curve(curve).listen().is_ok());
    });
}

#[test]
fn a_server_that_denies_plaintext_registers_only_where_no_other_machine_is_on_the_way() {
    on_one_thread(async {
        let registers = |register: Register, curve: Option<CurveServer>| {
            let server = Server::builder().service(ProbeServer::new(Probe::default())).engine(Engine::Zmtp);
            let server = server.deny_plaintext().register(register);
            let server = curve.into_iter().fold(server, ServerBuilder::curve);
            server.listen().map(drop)
        };
        let file = free_endpoint();
        for endpoint in ["tcp://127.0.0.1:7200", "tcp://[::1]:7200", "tcp://LocalHost:7200", &file] {
            assert!(registers(Register::at(endpoint), None).is_ok(), "{endpoint}");
        }
        let keys = [(); 2].map(|()| generate().unwrap());
        for endpoint in ["tcp://192.0.2.1:7200", "tcp://router.example:7200", "tcp://[2001:db8::1]:7200"] {
            // That its own endpoints would be encrypted does not help.
            let curve = CurveServer::new(generate().unwrap()).any_client();
            for curve in [None, Some(curve)] {
                let told = registers(Register::at(endpoint), curve).expect_err(endpoint);
                assert!(
                    matches!(&told, ServeError::PlaintextRouter { endpoint: at } if at == endpoint),
                    "{told}"
                );
                assert!(told.to_string().contains("call `Register::curve`"), "{told}");
            }
            let curve = CurveClient::new(keys[0].public_key(), keys[1].clone());
            assert!(registers(Register::at(endpoint).curve(curve), None).is_ok(), "{endpoint}");
        }
    });
}

/// Which names a machine has, and what they stand for, differs: a server that listens does so at an address of its own machine.
#[test]
fn names_of_hosts_and_of_interfaces_count_as_their_addresses() {
    on_one_thread(async {
        let interfaces = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
        let mut names: Vec<_> =
            interfaces.filter_map(|interface| interface.file_name().into_string().ok()).collect();
        names.extend(std::fs::read_to_string("/proc/sys/kernel/hostname"));
        for name in names.iter().map(|name| name.trim()) {
            match listens(&format!("tcp://{name}:*")) {
                Ok(at) => {
                    assert!(at.starts_with("tcp://127.") || at.starts_with("tcp://[::1]"), "{name}: {at}");
                }
                Err(ServeError::Plaintext { address, .. }) => assert!(!address.is_loopback(), "{name}"),
                // It has no address that a socket can be bound to.
                Err(told) => {
                    assert!(name != "lo" && matches!(told, ServeError::Bind { .. }), "{name}: {told}");
                }
            }
        }
    });
}
