//! Tests of the whole state: what a page shows after what polling tells, and in which order.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::shell::State;
use crate::base::project_memory::SchedulesMemory;
use crate::config::{Config, Overrides, Watch};
use crate::daemon::gitlab_clock::GitLabClock;
use crate::daemon::policy::Policy;
use crate::gitlab::Project;
use crate::ingest::samples::job as sample_job;
use crate::ingest::{Observations as _, PollEvents as _};
use crate::metrics::{Build, Exposition, Telemetry};
use ci_history::clock::SystemClock;
use ci_history::{JobObservation, PipelineObservation, Status, TimelineKey, Timestamp};

pub(in crate::daemon) fn test_state() -> (Arc<State>, Watch) {
    let overrides = Overrides {
        projects: vec!["group/app".to_owned()],
        ..Overrides::default()
    };
    let config = Config::load(None, &overrides, &|_| None).unwrap();
    let build = Build {
        version: "1",
        revision: "x",
    };
    let exposition = Exposition::new(Telemetry::new(build).unwrap());
    let clock = Arc::new(GitLabClock::new(
        Arc::new(SystemClock),
        config.clock_jump_hold,
    ));
    let policy = Policy {
        read_logs: false,
        ..Policy::of(&config)
    };
    let state = State::new(policy, exposition, clock);
    (Arc::new(state), config.watch)
}

pub(in crate::daemon) async fn page(state: &State) -> String {
    use http_body_util::BodyExt as _;

    let page = state.exposition.snapshot().identity().collect();
    String::from_utf8(page.await.unwrap().to_bytes().into()).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_700_000_000 + seconds).unwrap()
}

fn project(path: &str, default_branch: &str) -> Project {
    Project {
        id: 7,
        path: path.into(),
        web_url: None,
        default_branch: Some(default_branch.into()),
        hides_default_branch: false,
        archived: false,
    }
}

fn fails_on(ref_name: &str) -> (PipelineObservation, JobObservation) {
    run(1, ref_name, Status::Failed)
}

/// A pipeline of one job, which ended as its job did.
fn run(id: u64, ref_name: &str, status: Status) -> (PipelineObservation, JobObservation) {
    let start = i64::try_from(id).unwrap() * 100;
    let pipeline = PipelineObservation {
        id,
        ref_name: ref_name.into(),
        tag: false,
        sha: format!("c{id}").into(),
        status,
        source: None,
        created_at: Some(at(start)),
        updated_at: Some(at(start + 9)),
        duration: None,
        failure_reason: None,
        has_other_jobs: false,
        web_url: None,
        commit_info: None,
        is_partial: false,
    };
    let job = JobObservation {
        created_at: Some(at(start)),
        started_at: Some(at(start + 1)),
        finished_at: Some(at(start + 9)),
        ..sample_job(id * 10, "unit", status)
    };
    (pipeline, job)
}

#[tokio::test]
async fn a_cycle_that_began_before_its_project_moved_shows_nothing_of_the_old_path() {
    let (state, _) = test_state();
    let (old, new) = (project("acme/old", "main"), project("acme/new", "main"));
    state.watched(&old, None);
    state.watched(&new, None);
    let (pipeline, job) = fails_on("main");
    state.observed(&old, &pipeline, &[job], at(10));
    state.polled(&old, Some(at(10)));
    let page = page(&state).await;
    assert!(!page.contains("acme/old"), "{page}");
    for series in [
        "job_consecutive_failures{project=\"acme/new\"",
        "project_last_successful_poll_timestamp_seconds{project=\"acme/new\"}",
    ] {
        assert!(page.contains(series), "{series} is not in: {page}");
    }
}

#[tokio::test]
async fn a_cycle_that_began_with_another_default_branch_shows_only_what_matches_now() {
    let (state, _) = test_state();
    let (old, new) = (project("acme/app", "main"), project("acme/app", "trunk"));
    state.watched(&old, None);
    let (pipeline, job) = fails_on("main");
    state.observed(&old, &pipeline, std::slice::from_ref(&job), at(10));
    state.polled(&old, Some(at(10)));
    assert!(page(&state).await.contains("job_consecutive_failures{"));

    state.watched(&new, None);
    let (other, _) = fails_on("trunk");
    state.observed(&old, &pipeline, std::slice::from_ref(&job), at(20));
    state.observed(&new, &other, &[job], at(20));
    state.polled(&old, Some(at(20)));
    let page = page(&state).await;
    assert!(page.contains("ref=\"trunk\""), "{page}");
    assert!(!page.contains("ref=\"main\""), "{page}");
    assert!(
        state.resume(&new).known_refs.is_empty(),
        "the old cycle has not read the new branch"
    );
}

#[tokio::test]
async fn a_cycle_of_a_project_that_is_watched_no_more_shows_nothing() {
    let (state, _) = test_state();
    let project = project("acme/app", "main");
    state.watched(&project, None);
    state.watched_are(&BTreeMap::new(), true);
    let (pipeline, job) = fails_on("main");
    state.observed(&project, &pipeline, &[job], at(10));
    state.polled(&project, Some(at(10)));
    state.schedules(&project, &[], SchedulesMemory::default());
    let page = page(&state).await;
    assert!(!page.contains("acme/app"), "{page}");
}

#[test]
fn an_error_of_a_cycle_that_began_before_a_move_is_one_of_the_new_path() {
    let (state, _) = test_state();
    state.watched(&project("acme/old", "main"), None);
    state.watched(&project("acme/new", "main"), None);
    let projects = &mut state.lock().projects;
    assert_eq!(projects.take_at("acme/old"), Some(7));
    assert_eq!(projects.take_at("acme/old"), None, "the next cycle knows");
    assert_eq!(projects.take_at("acme/new"), Some(7));
}

fn key() -> TimelineKey {
    TimelineKey::new(7, "main")
}

/// Observes one pipeline.
fn observe(state: &State, project: &Project, id: u64, status: Status) {
    let (pipeline, job) = run(id, "main", status);
    state.observed(project, &pipeline, &[job], at(100_000));
}

fn streak(page: &str) -> Option<u64> {
    let mut lines = page.lines();
    let line = lines.find(|line| line.starts_with("job_consecutive_failures{"))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test]
async fn of_two_renderings_the_newer_one_stays_whichever_is_done_first() {
    let (state, _) = test_state();
    let project = project("acme/app", "main");
    state.watched(&project, None);
    let begin = |id| {
        observe(&state, &project, id, Status::Failed);
        let request = state.lock().timelines.take_rows(&key(), at(0)).unwrap();
        let rendered = state.render(&request);
        (request, rendered)
    };
    let (first, second) = (begin(1), begin(2));
    state.expose(second.0, second.1);
    state.expose(first.0, first.1);
    assert_eq!(streak(&page(&state).await), Some(2));
}

#[tokio::test]
async fn a_rendering_that_is_done_after_its_timeline_was_hidden_shows_nothing() {
    let (state, _) = test_state();
    let project = project("acme/app", "main");
    state.watched(&project, None);
    observe(&state, &project, 1, Status::Failed);
    let request = state.lock().timelines.take_rows(&key(), at(0)).unwrap();
    let rendered = state.render(&request);
    state.watched_are(&BTreeMap::new(), true);
    state.expose(request, rendered);
    assert_eq!(streak(&page(&state).await), None);
}

#[tokio::test]
async fn in_any_order_of_renderings_hiding_and_showing_the_page_ends_as_the_state_is() {
    let project = project("acme/app", "main");
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (state, _) = test_state();
        state.watched(&project, None);
        let mut is_watched = true;
        let mut under_way = Vec::new();
        let mut late_effects = Vec::new();
        let mut failures = 0;
        for _ in 0..60 {
            match random.u8(..8) {
                0..3 => {
                    failures += 1;
                    observe(&state, &project, failures, Status::Failed);
                }
                3..5 => under_way.extend(state.lock().timelines.take_rows(&key(), at(0))),
                5 => {
                    // Its series go later.
                    let mut inner = state.lock();
                    inner.projects.drop_missing(&BTreeMap::new());
                    late_effects.push(inner.timelines.hide(|_| true));
                    is_watched = false;
                }
                6 => {
                    state.watched(&project, None);
                    is_watched = true;
                }
                _ if under_way.is_empty() => {}
                _ => {
                    let request = under_way.swap_remove(random.usize(..under_way.len()));
                    let rendered = state.render(&request);
                    state.expose(request, rendered);
                }
            }
        }
        state.publish_project(7);
        random.shuffle(&mut under_way);
        for request in under_way {
            let rendered = state.render(&request);
            state.expose(request, rendered);
        }
        for effects in late_effects {
            state.apply(effects);
        }
        let wanted = (is_watched && failures > 0).then_some(failures);
        assert_eq!(streak(&page(&state).await), wanted, "seed {seed}");
    }
}

/// Observes some jobs of a pipeline, of which some have another state than before.
fn observe_some(state: &State, project: &Project, random: &mut fastrand::Rng, names: &[String]) {
    let id = random.u64(1..20);
    let is_over = random.bool();
    let status = if is_over {
        Status::Success
    } else {
        Status::Running
    };
    let (mut pipeline, _) = run(id, "main", status);
    pipeline.source = Some("push".into());
    let first = random.usize(..names.len());
    let some = names[first..].iter().take(random.usize(1..4));
    let jobs = some.enumerate().map(|(at, name)| {
        let states = [Status::Failed, Status::Success, Status::Pending];
        let status = states[random.usize(..states.len())];
        let (_, job) = run(id, "main", status);
        JobObservation {
            id: id * 1000 + (first + at) as u64,
            name: name.as_str().into(),
            ..job
        }
    });
    let jobs: Vec<_> = jobs.collect();
    state.observed(project, &pipeline, &jobs, at(100_000));
}

#[tokio::test]
async fn pieces_rendered_change_by_change_show_what_a_rendering_of_everything_shows() {
    let project = project("acme/app", "main");
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (state, _) = test_state();
        state.watched(&project, None);
        let mut names: Vec<_> = (0..70).map(|number| format!("job {number}")).collect();
        if seed % 4 == 3 {
            names.extend(["job\0".to_owned(), "job\u{fffd}".to_owned()]);
        }
        for _ in 0..90 {
            observe_some(&state, &project, &mut random, &names);
            if random.bool() {
                state.publish_project(7);
            }
        }
        state.publish_project(7);
        let of_jobs = |page: &str| {
            let lines = page
                .lines()
                .filter(|line| line.starts_with("job_") || line.starts_with("pipeline_"));
            lines
                .filter(|line| !line.starts_with("job_failure_exporter_"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let by_pieces = page(&state).await;
        state.exposition.compress();
        assert_eq!(of_jobs(&page(&state).await), of_jobs(&by_pieces));
        state.render_again(7);
        let at_once = page(&state).await;
        assert!(by_pieces.contains("job 69"), "{by_pieces}");
        assert_eq!(of_jobs(&by_pieces), of_jobs(&at_once), "seed {seed}");
    }
}

/// What `work` logs.
fn logged(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_job_that_begins_to_fail_and_one_that_recovers_are_logged_once() {
    let (state, _) = test_state();
    let project = project("acme/app", "main");
    state.watched(&project, None);
    let cycle = |id, status| {
        logged(|| {
            observe(&state, &project, id, status);
            state.polled(&project, Some(at(100_000)));
        })
    };
    assert_eq!(cycle(1, Status::Success), "");
    let began = cycle(2, Status::Failed);
    let fields = [
        "job began to fail project=\"acme/app\"",
        "job=\"unit\"",
        "streak=1",
        "commit=\"c2\"",
        "ref=\"main\"",
    ];
    for field in fields {
        assert!(began.contains(field), "{field} is not in: {began}");
    }
    assert_eq!(began.lines().count(), 1, "{began}");
    assert_eq!(cycle(2, Status::Failed), "", "observed again");
    assert_eq!(cycle(3, Status::Failed), "", "fails on");
    let recovered = cycle(4, Status::Success);
    assert!(recovered.contains("job recovered"), "{recovered}");
    assert!(recovered.contains("streak=2 commit=\"c4\""), "{recovered}");
    assert_eq!(recovered.lines().count(), 1, "{recovered}");
    assert_eq!(logged(|| state.render_again(7)), "", "rendered again");
}

#[test]
fn a_job_that_failed_when_the_state_was_saved_begins_nothing_when_it_is_restored() {
    let (state, _) = test_state();
    let project = project("acme/app", "main");
    state.watched(&project, None);
    for id in 1..=2 {
        observe(&state, &project, id, Status::Failed);
    }
    state.polled(&project, Some(at(100_000)));
    let saved = vec![state.begin_save(&key()).unwrap()];
    let (restarted, _) = test_state();
    assert_eq!(logged(|| restarted.restore(saved)), "");
    restarted.watched(&project, None);
    let more = logged(|| {
        observe(&restarted, &project, 3, Status::Failed);
        restarted.polled(&project, Some(at(100_000)));
    });
    assert_eq!(more, "");
    let ended = logged(|| {
        observe(&restarted, &project, 4, Status::Canceled);
        observe(&restarted, &project, 5, Status::Success);
        restarted.polled(&project, Some(at(100_000)));
    });
    assert!(ended.contains("job recovered"), "{ended}");
    assert!(ended.contains("streak=3"), "{ended}");
}
