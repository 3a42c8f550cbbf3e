//! All tests of this program once more, with the other engine, and with both at once.

use zsvc::Engine::{Libzmq, Zmtp};
use zsvc_calls::engines::run_again;

#[test]
fn all_tests_hold_on_libzmq() {
    run_again(Libzmq, Libzmq);
}

#[test]
fn all_tests_hold_with_clients_on_libzmq() {
    run_again(Libzmq, Zmtp);
}

#[test]
fn all_tests_hold_with_servers_on_libzmq() {
    run_again(Zmtp, Libzmq);
}
