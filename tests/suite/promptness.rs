//! A webhook makes a finished job visible within the budget.

use std::time::Duration;

use testkit::promptness::{LIMIT, measure};

#[tokio::test]
async fn a_finished_job_is_visible_within_a_tenth_of_a_second_and_long_before_the_next_poll() {
    let mut fastest = [Duration::MAX; 3];
    // The best of some: this machine may have other things to do, and the bench says what is usual.
    for _ in 0..10 {
        let times = measure(2).await;
        let of_round = [times.passed, times.failed, times.in_a_child];
        for (fastest, times) in fastest.iter_mut().zip(of_round) {
            *fastest = times.into_iter().fold(*fastest, Duration::min);
        }
        if fastest.iter().all(|time| *time < LIMIT) {
            return;
        }
    }
    panic!("passed, failed, failed in a child: {fastest:?}");
}
