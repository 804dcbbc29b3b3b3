//! What tests and soaks share: the exporter as a process, servers around it, and the truth to compare with.

#![expect(missing_docs, clippy::missing_panics_doc, reason = "helpers of tests")]
#![expect(clippy::unwrap_used, reason = "a test's helper may panic")]
#![expect(
    clippy::return_self_not_must_use,
    reason = "an unused one fails its test"
)]

use std::sync::LazyLock;
use std::time::Duration;

pub mod daemon;
pub mod economy;
pub mod fault_proxy;
pub mod promptness;
pub mod s3_servers;
pub mod samples;
pub mod truth;
pub mod year;

/// One for all tests, since making one reads every certificate of the system. It keeps no connections:
/// each belongs to the runtime of the test that opened it.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let client = reqwest::Client::builder().no_gzip().no_proxy();
    let client = client
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(30));
    client.build().unwrap()
});

/// Asks without a proxy and decompresses nothing.
pub fn client() -> reqwest::Client {
    CLIENT.clone()
}
