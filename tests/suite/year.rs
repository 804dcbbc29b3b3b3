//! A simulated year of branches and jobs that come and go: the state does not grow.

use testkit::year::{assert_bounded, play};

#[tokio::test]
async fn in_a_year_of_new_and_dying_branches_and_jobs_nothing_grows() {
    let (projects, step) = (2, 10);
    assert_bounded(&play(projects, step).await, projects, step);
}
