//! Shared helpers of the tests and soaks.
//!
//! | module | offers |
//! | --- | --- |
//! | [`company`] | a synthetic company of any size, rendered as the exporter renders it |
//! | [`daemon`] | the exporter as a process: configure, start, scrape, signal; waiting for conditions |
//! | [`samples`] | a scraped page as samples to look up |
//! | [`truth`] | comparison of metrics and documents with the truth of the simulated GitLab |
//! | [`s3_servers`] | S3 servers: moto and rclone |
//! | [`fault_proxy`] | a proxy that injects faults into answers of a server |
//! | [`economy`] | the requests that polling takes in a simulated hour |
//! | [`usual_hour`] | the requests of an hour of polling once it has settled |
//! | [`first_start`] | the time and the requests until many new projects are shown |
//! | [`figures`] | figures for the table of `make bench` |
//! | [`hooked_project`] | how often a project is polled whose webhooks come, get lost or are forged |
//! | [`hook_burst`] | what a burst of webhooks of one pipeline costs |
//! | [`large_company`] | a company of any size on the simulated GitLab, for exporters of all versions |
//! | [`restart`] | the requests and the time of a restart |
//! | [`promptness`] | the time from a webhook to the scraped metric |
//! | [`year`] | a simulated year, which shows that the state stays bounded |

#![expect(missing_docs, clippy::missing_panics_doc, reason = "helpers of tests")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]
#![expect(
    clippy::return_self_not_must_use,
    reason = "a test fails if it ignores the value"
)]

use std::sync::LazyLock;
use std::time::Duration;

pub mod company;
pub mod daemon;
pub mod economy;
pub mod environment;
pub mod fault_proxy;
pub mod figures;
pub mod first_start;
pub mod hook_burst;
pub mod hooked_project;
pub mod large_company;
pub mod promptness;
pub mod restart;
pub mod s3_servers;
pub mod samples;
pub mod truth;
pub mod usual_hour;
pub mod year;

/// One client for all tests, because building a client reads every certificate of the system. It keeps no
/// connections, because a connection belongs to the runtime of one test.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    let client = reqwest::Client::builder().no_gzip().no_proxy();
    let client = client
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(30));
    client.build().unwrap()
});

/// An HTTP client without proxy and decompression.
pub fn client() -> reqwest::Client {
    CLIENT.clone()
}
