//! The endpoints by which clients find a network in their process, such as `test://1`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::network::SimNetwork;

/// The start of these endpoints.
const SCHEME: &str = "test://";

/// All networks that have an endpoint.
static NETWORKS: Mutex<BTreeMap<String, Weak<SimNetwork>>> = Mutex::new(BTreeMap::new());

fn networks() -> MutexGuard<'static, BTreeMap<String, Weak<SimNetwork>>> {
    // Nothing panics while the lock is held but for lack of memory; the map is whole in any case.
    NETWORKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a network an endpoint, until [`unregister`] takes it away.
pub(crate) fn register(network: &Arc<SimNetwork>) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let endpoint = format!("{SCHEME}{}", NEXT.fetch_add(1, Ordering::Relaxed));
    networks().insert(endpoint.clone(), Arc::downgrade(network));
    endpoint
}

/// Takes an endpoint away.
pub(crate) fn unregister(endpoint: &str) {
    networks().remove(endpoint);
}

/// Returns the network of an endpoint, or `None` if the endpoint does not start with `test://`.
///
/// # Errors
/// No network has the endpoint.
pub(crate) fn find(endpoint: &str) -> Option<Result<Arc<SimNetwork>, &'static str>> {
    endpoint.starts_with(SCHEME).then(|| {
        let network = networks().get(endpoint).and_then(Weak::upgrade);
        network.ok_or("there is no such `TestServer` in this process, or it was dropped")
    })
}
