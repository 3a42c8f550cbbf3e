//! All tests of this program once more, with the other engine.

use zsvc::Engine;
use zsvc_calls::engines;

#[test]
fn all_tests_hold_on_libzmq() {
    engines::run_again(Engine::Libzmq, Engine::Libzmq);
}
