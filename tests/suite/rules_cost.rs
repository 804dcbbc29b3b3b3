//! How many series the shipped rules record. `make bench-rules` measures what they cost.

use testkit::company;
use testkit::daemon::{holds, until};

use crate::monitoring::{Receiver, Shipped};

const JOBS: u64 = 400;

/// Jobs about which there is something to say.
const TROUBLED: &str = "job_consecutive_failures > 0 or job_failure_ratio > 0 or job_window_flaky > 0 \
    or job_running_start_timestamp_seconds or job_pending_start_timestamp_seconds";

#[tokio::test]
async fn the_rules_record_nothing_of_healthy_jobs_and_less_than_a_series_a_job_if_8_percent_fail() {
    let exporters = company::start(JOBS, 1, 1).await;
    let receiver = Receiver::start().await;
    let shipped = Shipped::copy();
    let address = exporters[0].address();
    let prometheus = shipped.prometheus(address, receiver.address).await;
    let firing = "count(ALERTS{alertname='CIJobFailingRepeatedly',alertstate='firing'}) > 10";
    until("alerts on failing jobs", async || {
        let found = prometheus.query(firing).await;
        holds(!found.is_empty(), "too few fire")
    })
    .await;
    let recorded = prometheus.query("count({__name__=~'ci_job:.+'})").await[0];
    assert!(
        recorded < JOBS as f64,
        "{recorded} recorded series of {JOBS} jobs"
    );
    let healthy =
        format!("{{__name__=~'ci_job:.+'}} unless on (project, ref, track, job_name) ({TROUBLED})");
    let healthy = prometheus.series(&healthy).await;
    assert!(healthy.is_empty(), "{healthy:#?}");
}
