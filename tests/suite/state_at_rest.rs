//! Who may read the saved state, and what the exporter makes of links, copies, changes and the state of another GitLab.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use rustix::process::geteuid;

use testkit::daemon::{Place, folder, holds, minutes, until};
use testkit::samples::Samples;

const ASIDE: &str = "job_failure_exporter_state_documents_set_aside_total";

async fn failing(times: usize) -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    let id = gitlab.with(|world| world.create_project("acme/shop"));
    for _ in 0..times {
        fails(&gitlab, id);
    }
    gitlab
}

fn fails(gitlab: &Handle, project: u64) {
    let plan = PipelinePlan::new([JobPlan::fails("unit"), JobPlan::passes("lint")]);
    gitlab.with(|world| world.push_pipeline(project, plan.instant()));
    gitlab.advance(minutes(10));
}

fn place(gitlab: &Handle) -> Place {
    Place::new(gitlab.url(), "projects: [acme/shop]")
}

fn streak_is(wanted: f64) -> impl Fn(&Samples) -> Result<(), String> {
    move |samples| {
        let found = samples.value("job_consecutive_failures", &[("job_name", "unit")]);
        holds(found == Some(wanted), format!("{found:?}, not {wanted}"))
    }
}

/// Runs an exporter until it has saved a streak.
async fn saved(place: &Place, streak: f64) -> PathBuf {
    let daemon = place.start().await;
    daemon.shows("the streak", streak_is(streak)).await;
    until("a document", async || {
        holds(!place.documents().is_empty(), "none")
    })
    .await;
    daemon.stop().await;
    place.document_paths().remove(0)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn open_to_all(path: &Path) {
    let wide = if path.is_dir() { 0o777 } else { 0o666 };
    fs::set_permissions(path, fs::Permissions::from_mode(wide)).unwrap();
}

#[tokio::test]
async fn the_state_is_private_and_becomes_so_where_it_was_not() {
    let gitlab = failing(2).await;
    let place = place(&gitlab);
    let document = saved(&place, 2.0).await;
    let project = document.parent().unwrap().to_owned();
    let root = place.state();
    let broken = project.join("main.json.broken-1");
    fs::write(&broken, "{").unwrap();
    let all = [&root, &project, &document, &broken, &root.join(".lock")];
    for path in all {
        open_to_all(path);
    }
    place.start().await.stop().await;
    for path in all {
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), wanted, "{}", path.display());
    }

    // A directory with other things in it stays as it is, and what is below it is private.
    fs::write(root.join("notes"), "").unwrap();
    for path in all {
        open_to_all(path);
    }
    place.start().await.stop().await;
    assert_eq!(
        [mode(&root), mode(&project), mode(&document)],
        [0o777, 0o700, 0o600]
    );
}

#[tokio::test]
async fn links_are_not_followed() {
    let gitlab = failing(2).await;
    let place = place(&gitlab);
    let document = saved(&place, 2.0).await;
    let victim = place.state().with_file_name("victim");
    fs::write(&victim, "precious").unwrap();
    let lock = place.state().join(".lock");
    for make in [
        |from: &Path, to: &Path| symlink(from, to),
        |from: &Path, to: &Path| fs::hard_link(from, to),
    ] {
        fs::remove_file(&lock).unwrap();
        make(&victim, &lock).unwrap();
        let said = place.refused(&[]).await;
        assert!(said.contains("links are not followed: remove it"), "{said}");
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }
    fs::remove_file(&lock).unwrap();

    let moved = victim.with_file_name("moved.json");
    fs::rename(&document, &moved).unwrap();
    let text = fs::read(&moved).unwrap();
    symlink(&moved, &document).unwrap();
    let daemon = place.start().await;
    daemon.says("links are not followed").await;
    daemon.shows("what GitLab says", streak_is(2.0)).await;
    until("a document of its own", async || {
        let found = fs::symlink_metadata(&document);
        holds(found.is_ok_and(|it| it.is_file()), "none")
    })
    .await;
    daemon.stop().await;
    assert_eq!(fs::read(&moved).unwrap(), text);

    // Nor a link in place of the folder of a project.
    let folder = document.parent().unwrap();
    let elsewhere = victim.with_file_name("elsewhere");
    fs::rename(folder, &elsewhere).unwrap();
    symlink(&elsewhere, folder).unwrap();
    let before = fs::read(elsewhere.join("main.json")).unwrap();
    let daemon = place.start().await;
    daemon.says("cannot save").await;
    daemon.kill().await;
    assert_eq!(fs::read(elsewhere.join("main.json")).unwrap(), before);
}

#[tokio::test]
async fn a_copy_and_a_changed_document_are_set_aside_and_told() {
    let gitlab = failing(12).await;
    let place = place(&gitlab);
    let document = saved(&place, 12.0).await;
    let text = fs::read_to_string(&document).unwrap();
    let folder = document.parent().unwrap();
    let other = place.state().join("99");
    fs::create_dir(&other).unwrap();
    fs::write(folder.join("main_backup.json"), &text).unwrap();
    fs::write(other.join("main.json"), &text).unwrap();
    let changed = text.replacen("\"failing\":true", "\"failing\":false", 1);
    assert_ne!(changed, text);
    fs::write(&document, &changed).unwrap();

    let daemon = place.start().await;
    daemon
        .says("main_backup.json: its name is not that of the document")
        .await;
    daemon.says("it was changed since it was saved").await;
    daemon.shows("what GitLab says", streak_is(12.0)).await;
    assert_eq!(daemon.scrape().await.value(ASIDE, &[]), Some(3.0));
    daemon.stop().await;
    let kept = fs::read_to_string(folder.join("main.json.broken-1")).unwrap();
    assert_eq!(kept, changed);
    assert!(folder.join("main_backup.json.broken-1").exists());
    assert!(other.join("main.json.broken-1").exists());
}

#[tokio::test]
async fn a_document_of_an_earlier_version_is_loaded_and_saved_with_its_gitlab_and_checksum() {
    let gitlab = failing(3).await;
    let place = place(&gitlab);
    let document = saved(&place, 3.0).await;
    let text = fs::read_to_string(&document).unwrap();
    let (bare, _) = text.split_once(",\"gitlab\":").unwrap();
    fs::write(&document, format!("{bare}}}\n")).unwrap();
    gitlab.faults(|faults| faults.outage = Some(gitlab_simulator::Fault::Reset));
    let daemon = place.start().await;
    daemon.shows("what was saved", streak_is(3.0)).await;
    until("the checksum", async || {
        let now = fs::read_to_string(&document).unwrap();
        holds(now == text, now)
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_document_of_version_3_is_loaded_and_saved_as_the_present_one() {
    let gitlab = failing(3).await;
    let place = place(&gitlab);
    let document = saved(&place, 3.0).await;
    let text = fs::read_to_string(&document).unwrap();
    assert!(text.starts_with("{\"version\":4,"), "{text}");
    let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
    // What the program that wrote version 3 first did not know.
    let later = [
        "track",
        "finished",
        "sources",
        "generation",
        "gitlab",
        "checksum",
        "unwatched",
        "default_branch",
    ];
    let fields = old.as_object_mut().unwrap();
    fields.retain(|name, _| !later.contains(&name.as_str()));
    fields["version"] = 3.into();
    fs::write(&document, old.to_string()).unwrap();
    gitlab.faults(|faults| faults.outage = Some(gitlab_simulator::Fault::Reset));
    let daemon = place.start().await;
    daemon.shows("what was saved", streak_is(3.0)).await;
    until("the present version", async || {
        let now = fs::read_to_string(&document).unwrap();
        holds(now.starts_with("{\"version\":4,"), now)
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_state_of_another_gitlab_is_refused_until_it_is_adopted() {
    let gitlab = failing(2).await;
    let place = place(&gitlab);
    let document = saved(&place, 2.0).await;
    let text = fs::read(&document).unwrap();
    let other = gitlab.url().replace("127.0.0.1", "localhost");
    place.reconfigure(gitlab.url(), &other);
    let said = place.refused(&[]).await;
    assert!(
        said.contains("it is of another GitLab, 127.0.0.1"),
        "{said}"
    );
    assert!(said.contains("run `state adopt`"), "{said}");
    assert_eq!(fs::read(&document).unwrap(), text);

    let done = place.run(&["state", "adopt"]).await.done();
    assert!(done.contains("1 document"), "{done}");
    let daemon = place.start().await;
    daemon.shows("what was saved", streak_is(2.0)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn only_temporary_files_of_the_exporter_are_removed() {
    let gitlab = failing(1).await;
    let place = place(&gitlab);
    let document = saved(&place, 1.0).await;
    let project = document.parent().unwrap();
    let own = project.join(".job-failure-exporter-aB3dE9.tmp");
    let others = [
        ".tmp-backup",
        "notes.tmp",
        ".job-failure-exporter-backup.tmp.bak",
    ];
    fs::write(&own, "").unwrap();
    for name in others {
        fs::write(project.join(name), "").unwrap();
    }
    place.start().await.stop().await;
    assert!(!own.exists());
    for name in others {
        assert!(
            project.join(name).exists(),
            "{name} of {:?}",
            folder(project)
        );
    }
}

#[tokio::test]
async fn root_leaves_the_state_to_the_owner_of_the_directory() {
    // Another user could not give files away, and the exporter does not try.
    if !geteuid().is_root() {
        return;
    }
    let gitlab = failing(1).await;
    let place = place(&gitlab);
    fs::create_dir(place.state()).unwrap();
    std::os::unix::fs::chown(place.state(), Some(4242), Some(4243)).unwrap();
    let document = saved(&place, 1.0).await;
    for path in [
        &document,
        &document.parent().unwrap().to_owned(),
        &place.state().join(".lock"),
    ] {
        let found = fs::metadata(path).unwrap();
        assert_eq!(
            (found.uid(), found.gid()),
            (4242, 4243),
            "{}",
            path.display()
        );
    }
}

#[tokio::test]
async fn a_gitlab_that_was_restored_from_a_backup_is_read_anew() {
    let gitlab = start(Options::default()).await.unwrap();
    let id = gitlab.with(|world| world.create_project("acme/shop"));
    let passes = || {
        let plan = PipelinePlan::new([JobPlan::passes("unit")]);
        gitlab.with(|world| world.push_pipeline(id, plan.instant()));
        gitlab.advance(minutes(10));
    };
    (0..5).for_each(|_| passes());
    let backup = gitlab.with(|world| world.visible_pipelines(id).map(|it| it.id).max().unwrap());
    (0..20).for_each(|_| passes());
    let place = place(&gitlab);
    let daemon = place.start().await;
    daemon.shows("no failure", streak_is(0.0)).await;
    gitlab.with(|world| world.restore_backup(backup));
    gitlab.advance(minutes(60));
    for _ in 0..3 {
        fails(&gitlab, id);
    }
    daemon.shows("the new failures", streak_is(3.0)).await;
    daemon.says("was it restored from a backup?").await;
    let rebuilt = "job_failure_exporter_refs_rebuilt_total";
    assert_eq!(daemon.scrape().await.value(rebuilt, &[]), Some(1.0));
    let total = |samples: &Samples| {
        let total = samples.sum("job_executions_total", &[("job_name", "unit")]);
        holds((total - 8.0).abs() < 0.5, total)
    };
    daemon
        .shows("what GitLab has, and nothing else", total)
        .await;
    daemon.stop().await;
    assert!(place.state().join("attic").exists());
}
