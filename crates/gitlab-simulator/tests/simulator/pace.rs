//! How simulated time follows a clock.

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

/// Seconds by which the simulator is ahead of the clock's first moment.
fn ahead(gitlab: &Handle) -> i64 {
    gitlab.with(|world| world.now().unix()) - Moment::from_unix(NOW.cast_signed()).unix()
}

#[tokio::test]
async fn it_goes_with_the_clock_it_follows() {
    let clock = ManualClock::at_unix(NOW);
    let gitlab = paced(Pace::follow(Arc::new(clock.clone()))).await;
    assert_eq!(ahead(&gitlab), 0);
    clock.advance(seconds(90));
    assert_eq!(ahead(&gitlab), 90);
}

#[tokio::test]
async fn it_hurries_until_it_has_caught_up_and_goes_with_the_clock_from_then_on() {
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
