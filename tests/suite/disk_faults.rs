//! A process that is killed while it saves, and a disk that takes no more.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use ci_history::{
    JobObservation, PipelineObservation, Rules, Shard, Status, Timeline, TimelineKey, Timestamp,
};
use job_failure_exporter::store::{Directory, OpenError, Saved, encode};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use testkit::daemon::{PATIENCE, Place, folder, gitlab, holds, minutes};
use testkit::samples::Samples;
use testkit::truth::equal;

/// Where the writer saves; set only for it.
const WRITES_TO: &str = "TEST_WRITES_TO";

const KILLS: u64 = 400;

const PROJECTS: u64 = 4;

/// One more pipeline of every project, all of whose jobs failed.
fn observe(timeline: &mut Timeline, number: u64) {
    let at = Timestamp::from_unix(1_767_600_000 + number.cast_signed());
    let pipeline = PipelineObservation {
        id: number,
        ref_name: "main".into(),
        tag: false,
        sha: "abc".into(),
        status: Status::Failed,
        source: None,
        created_at: at,
        updated_at: at,
        duration: None,
        failure_reason: None,
        has_other_jobs: false,
        web_url: None,
        commit_info: None,
        is_partial: false,
    };
    let job = |n: u64| JobObservation {
        id: number * 100 + n,
        name: format!("job-{n}").into(),
        status: Status::Failed,
        created_at: at,
        finished_at: at,
        stage: "test".into(),
        tags: "".into(),
        allow_failure: false,
        started_at: at,
        duration: None,
        queued_duration: None,
        failure_reason: None,
        web_url: None,
        moved_at: None,
    };
    let jobs: Vec<_> = (0..30).map(job).collect();
    let now = at.unwrap();
    timeline.observe(&pipeline, &jobs, &Rules::default(), now);
}

/// A program that another test is about to start may still hold what this process had open.
fn open(root: &Path) -> Directory {
    let end = Instant::now() + PATIENCE;
    loop {
        match Directory::open(root) {
            Err(OpenError::Locked { .. }) if Instant::now() < end => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// What the directory holds, by project; a broken document or a leftover fails the test.
fn loaded(root: &Path, when: &str) -> BTreeMap<u64, Timeline> {
    let directory = open(root);
    let loaded = directory.load_shard(Shard::WHOLE);
    assert!(
        loaded.quarantined.is_empty(),
        "{when}: {:?}",
        loaded.quarantined
    );
    for project in folder(root).iter().filter(|path| path.is_dir()) {
        let files = folder(project);
        assert!(files.len() <= 1, "{when}: {files:?}");
    }
    let timelines = loaded.timelines.into_iter().map(|saved| saved.timeline);
    timelines.map(|it| (it.key.project_id, it)).collect()
}

/// Goes on with what is there, saves one project after the other, and says so after each.
fn write_until_killed(root: &Path) -> ! {
    let mut timelines = loaded(root, "at the start");
    let directory = open(root);
    let mut said = io::stdout();
    loop {
        // However short its life is, each one gets its turn.
        let pipelines = |id: &u64| timelines.get(id).map_or(0, Timeline::newest_finished);
        let project_id = (0..PROJECTS).min_by_key(pipelines).unwrap();
        let timeline = timelines.entry(project_id).or_insert_with(|| {
            let ref_name = "main";
            let key = TimelineKey::new(project_id, ref_name);
            Timeline::new(key, "acme/shop".into(), None)
        });
        let number = timeline.newest_finished() + 1;
        observe(timeline, number);
        let saved = Saved {
            timeline: timeline.clone(),
            watermark: None,
            has_gap: false,
            scope: job_failure_exporter::store::SavedScope::default(),
        };
        let text = encode(&saved, &Rules::default());
        // One write, so that a line is whole or not there.
        let mut say = |what: &str| {
            let line = format!("\n{what} {project_id} {number}\n");
            said.write_all(line.as_bytes()).unwrap();
        };
        say("saves");
        directory.save(&timeline.key, &text).unwrap();
        say("wrote");
    }
}

/// What the writer says.
enum Said {
    /// It begins to save something.
    Saves,
    /// It has saved this pipeline of this project.
    Wrote(u64, u64),
}

/// This test once more, as the writer.
fn start_writer(root: &Path) -> (Child, Receiver<Said>) {
    let mut writer = Command::new(env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(WRITES_TO, root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let said = match *line.split(' ').collect::<Vec<_>>() {
                ["saves", ..] => Said::Saves,
                ["wrote", project, number] => {
                    Said::Wrote(project.parse().unwrap(), number.parse().unwrap())
                }
                _ => continue,
            };
            tell.send(said).unwrap();
        }
    });
    (writer, told)
}

const NAME: &str =
    "disk_faults::hundreds_of_kills_while_saving_break_no_document_and_lose_nothing_that_was_saved";

#[test]
fn hundreds_of_kills_while_saving_break_no_document_and_lose_nothing_that_was_saved() {
    if let Some(root) = env::var_os(WRITES_TO) {
        write_until_killed(Path::new(&root));
    }
    // Two at a time: each mostly waits for the disk.
    let lives = [7, 8].map(|seed| thread::spawn(move || kill_again_and_again(seed)));
    let interrupted: u64 = lives.map(|it| it.join().unwrap()).iter().sum();
    assert!(
        interrupted > KILLS / 10,
        "only {interrupted} kills came within a save"
    );
}

/// Kills a writer half of the times; returns how often it was in the middle of a save.
fn kill_again_and_again(seed: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut before: BTreeMap<u64, u64> = BTreeMap::new();
    let mut interrupted = 0;
    for kill in 0..KILLS / 2 {
        let (mut writer, told) = start_writer(root);
        // One save as a whole, to see how long one takes; then the next one begins.
        let mut began = Instant::now();
        let mut takes = None;
        loop {
            match told.recv_timeout(PATIENCE).expect("it saves") {
                Said::Wrote(project, number) => {
                    takes = Some(began.elapsed());
                    before.insert(project, number);
                }
                Said::Saves if takes.is_some() => break,
                Said::Saves => began = Instant::now(),
            }
        }
        // The moment is what is tried here: any within the save, and some after it.
        thread::sleep(takes.unwrap_or_default().mul_f64(1.5 * random.f64()));
        writer.kill().unwrap();
        writer.wait().unwrap();
        interrupted += u64::from(has_leftover(root));
        let after = loaded(root, &format!("kill {kill}"));
        let after = after.iter().map(|(id, it)| (*id, it.newest_finished()));
        let after: BTreeMap<u64, u64> = after.collect();
        // Up to the end of its output.
        for said in told {
            if let Said::Wrote(project, number) = said {
                before.insert(project, number);
            }
        }
        for (project, saved) in &before {
            let found = after.get(project).copied().unwrap_or(0);
            assert!(
                found == *saved || found == saved + 1,
                "kill {kill}, project {project}: {saved} was saved, {found} is there"
            );
        }
        before = after;
    }
    assert_eq!(before.len() as u64, PROJECTS);
    interrupted
}

/// Whether a save was not finished.
fn has_leftover(root: &Path) -> bool {
    let projects = folder(root).into_iter().filter(|path| path.is_dir());
    let mut files = projects.flat_map(|project| folder(&project));
    files.any(|file| file.extension().is_none_or(|ending| ending != "json"))
}

#[tokio::test]
async fn a_disk_that_takes_no_more_is_told_and_saved_to_as_soon_as_it_takes_again() {
    let gitlab = gitlab("outage").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    // Files may not grow beyond a limit that is set later, which any user can do.
    let under = ["/bin/sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let daemon = place.start_under(&under).await;
    daemon.is_ready().await;
    gitlab.advance(minutes(2));
    let tells = async |what: &str| {
        let truths = gitlab.truth();
        let look = |samples: &Samples| equal(samples, &truths);
        daemon.shows(what, look).await
    };
    tells("the truth").await;
    let unsaved = "job_failure_exporter_state_unsaved_timelines";
    let all_saved = |samples: &Samples| {
        let saves = samples.sum(
            "job_failure_exporter_state_saves_total",
            &[("result", "success")],
        );
        let waiting = samples.value(unsaved, &[]);
        holds(
            saves > 0.5 && waiting == Some(0.0),
            format!("{saves}, {waiting:?}"),
        )
    };
    daemon.shows("everything saved", all_saved).await;
    let before = place.documents();
    assert!(!before.is_empty());

    let limit = getrlimit(Resource::Fsize);
    let set = |current: Option<u64>| {
        let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap());
        let wanted = Rlimit {
            current,
            maximum: limit.maximum,
        };
        prlimit(pid, Resource::Fsize, wanted).unwrap();
    };
    set(Some(100));
    gitlab.advance(minutes(2));
    tells("the truth although nothing can be saved").await;
    let failed = |samples: &Samples| {
        let saves = samples.sum(
            "job_failure_exporter_state_saves_total",
            &[("result", "failure")],
        );
        let waiting = samples.value(unsaved, &[]);
        let told = saves > 0.5 && waiting.is_some_and(|count| count > 0.5);
        holds(told, format!("{saves}, {waiting:?}"))
    };
    daemon.shows("saves that fail", failed).await;
    daemon.says("cannot save").await;
    assert_eq!(place.documents(), before, "what was saved is as it was");
    assert_eq!(daemon.get("/-/ready").await.0, 200);

    set(limit.current);
    daemon.shows("everything saved", all_saved).await;
    daemon.says("saved again").await;
    let kept = tells("the truth").await.kept();
    assert_ne!(place.documents(), before);
    for project in folder(&place.state()).iter().filter(|path| path.is_dir()) {
        for file in folder(project) {
            let is_document = file.extension().is_some_and(|ending| ending == "json");
            assert!(
                is_document || file.ends_with(".project") || file.ends_with(".sights"),
                "left behind: {}",
                file.display()
            );
        }
    }
    daemon.kill().await;
    let daemon = place.start().await;
    assert_eq!(daemon.scrape().await.kept(), kept);
    daemon.stop().await;
}
