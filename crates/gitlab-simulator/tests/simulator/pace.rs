//! Simulated time follows a clock.

use std::sync::Arc;

use ci_history::clock::ManualClock;
use gitlab_simulator::{Handle, Moment, Options, Pace, start};

use super::{minutes, seconds};

const NOW: u64 = 1_767_600_000;

async fn paced(pace: Pace) -> Handle {
    let options = Options {
        pace,
        ..Options::default()
    };
    start(options).await.unwrap()
}

/// Simulated time minus the initial time of the clock, in seconds.
fn ahead(gitlab: &Handle) -> i64 {
    gitlab.with(|world| world.now().unix()) - Moment::from_unix(NOW.cast_signed()).unix()
}

#[tokio::test]
async fn simulated_time_follows_the_clock() {
    let clock = ManualClock::at_unix(NOW);
    let gitlab = paced(Pace::follow(Arc::new(clock.clone()))).await;
    assert_eq!(ahead(&gitlab), 0);
    clock.advance(seconds(90));
    assert_eq!(ahead(&gitlab), 90);
}

#[tokio::test]
async fn simulated_time_is_faster_until_it_reaches_the_clock_and_then_follows_it() {
    let clock = ManualClock::at_unix(NOW);
    let pace = Pace::catching_up(Arc::new(clock.clone()), minutes(10), 61.0);
    let gitlab = paced(pace).await;
    assert_eq!(ahead(&gitlab), -600);
    clock.advance(seconds(5));
    assert_eq!(ahead(&gitlab), -600 + 305);
    clock.advance(seconds(5));
    assert_eq!(ahead(&gitlab), 10, "caught up");
    clock.advance(seconds(5));
    assert_eq!(ahead(&gitlab), 15);
}
