//! How many series the shipped rules record. `make bench-rules` measures what they cost.

use testkit::company;
use testkit::daemon::{holds, until};

use crate::monitoring::{Receiver, Shipped};

const JOBS: u64 = 400;

#[tokio::test]
async fn the_rules_record_fewer_series_than_there_are_jobs_if_8_percent_of_them_fail() {
    let exporters = company::start(JOBS, 1, 1).await;
    let receiver = Receiver::start().await;
    let shipped = Shipped::copy();
    let address = exporters[0].address();
    let prometheus = shipped.prometheus(address, receiver.address).await;
    let firing = "count(ALERTS{alertname='CIJobFailingRepeatedly',alertstate='firing'})";
    until("alerts of every severity", async || {
        let found = prometheus.query(firing).await;
        holds(
            found.first().is_some_and(|count| *count > 10.0),
            format!("{found:?}"),
        )
    })
    .await;
    let recorded = prometheus.query("count({__name__=~'.+:.+'})").await[0];
    assert!(
        recorded < JOBS as f64,
        "{recorded} recorded series for {JOBS} jobs"
    );
}
