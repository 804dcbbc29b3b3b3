//! A state directory with things of others in it: links, folders of other programs, files of another user, and files that
//! are longer than any document.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use ci_history::{Rules, Shard, Timeline, TimelineKey};
use job_failure_exporter::store::{Directory, Loaded, Saved, SavedScope, encode};
use rustix::process::geteuid;
use testkit::daemon::{PATIENCE, Place, program};
use tokio::process::Command;

/// A user without rights.
const NOBODY: u32 = 65534;

fn saves(root: &Path, project: u64) -> PathBuf {
    let key = TimelineKey::new(project, "main");
    let saved = Saved {
        timeline: Timeline::new(key.clone(), "acme/shop".into(), None),
        watermark: None,
        has_gap: false,
        scope: SavedScope::default(),
    };
    let text = encode(&saved, &Rules::default());
    let directory = Directory::open(root).unwrap();
    directory.save(&key, &text).unwrap();
    root.join(format!("{project}/main.json"))
}

fn load(root: &Path) -> Loaded {
    Directory::open(root).unwrap().load_shard(Shard::WHOLE)
}

/// Everything in a folder with its permissions, and that of the folder.
fn look(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = vec![folder.to_owned()];
    found.extend(testkit::daemon::folder(folder));
    let mode = |path: &PathBuf| fs::symlink_metadata(path).unwrap().mode();
    found
        .into_iter()
        .map(|it| (it.clone(), mode(&it)))
        .collect()
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A folder with files that look like those of the exporter.
fn precious(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    open_to_all(folder, 0o755);
    let names = [
        "report.json",
        "main@1.json",
        ".job-failure-exporter-abcdef.tmp",
        ".project",
    ];
    for name in names {
        fs::write(folder.join(name), "{}").unwrap();
        open_to_all(&folder.join(name), 0o644);
    }
}

#[test]
fn what_is_behind_a_link_in_the_state_directory_stays_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let (root, victim) = (place.path().join("state"), place.path().join("victim"));
    saves(&root, 7);
    precious(&victim);
    precious(&victim.join("42"));
    let before = [look(&victim), look(&victim.join("42"))];
    let attic = root.join("attic");
    symlink(&victim, &attic).unwrap();
    symlink(victim.join("42"), root.join("8")).unwrap();
    symlink("/dev/zero", root.join("7/zero.json")).unwrap();
    let loaded = load(&root);
    assert_eq!(loaded.timelines.len(), 1);
    let told: Vec<_> = loaded.quarantined.iter().map(|it| &it.path).collect();
    assert_eq!(told, [&root.join("7/zero.json")]);

    fs::remove_file(&attic).unwrap();
    fs::create_dir(&attic).unwrap();
    symlink(victim.join("42"), attic.join("42")).unwrap();
    assert_eq!(load(&root).timelines.len(), 1);
    assert_eq!([look(&victim), look(&victim.join("42"))], before);
}

#[test]
fn folders_that_are_not_named_by_a_project_stay_as_they_are() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("state");
    saves(&root, 7);
    let names = [
        "webapp",
        "7.bak",
        "+7",
        "99999999999999999999999",
        "attic/reports",
    ];
    let folders = names.map(|name| root.join(name));
    for folder in &folders {
        precious(folder);
    }
    let before: Vec<_> = folders.iter().map(|it| look(it)).collect();
    let loaded = load(&root);
    assert_eq!(loaded.timelines.len(), 1);
    assert!(loaded.quarantined.is_empty(), "{:?}", loaded.quarantined);
    let after: Vec<_> = folders.iter().map(|it| look(it)).collect();
    assert_eq!(after, before);
}

#[test]
fn a_file_that_is_longer_than_any_document_is_told_and_set_aside_unread() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("state");
    saves(&root, 7);
    let long = root.join("7/other.json");
    let length = 8 << 30;
    File::create(&long).unwrap().set_len(length).unwrap();
    let loaded = load(&root);
    assert_eq!(loaded.timelines.len(), 1);
    let told = loaded.quarantined[0].error.to_string();
    assert!(told.contains("longer than 256 MiB"), "{told}");
    let aside = loaded.quarantined[0].moved_to.as_ref().unwrap();
    assert_eq!(fs::metadata(aside).unwrap().len(), length);
}

/// Starts an exporter as a user without rights, whom the state directory belongs to; returns what it says.
async fn refused(place: &Place) -> String {
    let tool = place.tool(&[]);
    let mut command = Command::new(reachable(place));
    command.args(tool.as_std().get_args());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("the exporter ends in time").unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{log}");
    log
}

/// The program where a user without rights gets at it: a checkout may be in a private folder.
fn reachable(place: &Place) -> PathBuf {
    let copy = place.config().with_file_name("exporter");
    if !copy.exists() {
        // By another process: a file that this one has open for writing could not be run.
        let mut copying = std::process::Command::new("cp");
        let copied = copying.arg(program()).arg(&copy).status().unwrap();
        assert!(copied.success());
        open_to_all(&copy, 0o755);
    }
    copy
}

#[tokio::test]
async fn what_the_system_does_not_let_be_read_is_neither_moved_nor_taken_for_absent() {
    let place = Place::new("http://127.0.0.1:1", "projects: [acme/shop]");
    let root = place.state();
    let document = saves(&root, 7);
    let folder = document.parent().unwrap().to_owned();
    fs::write(folder.join("junk.json"), "{").unwrap();
    if geteuid().is_root() {
        open_to_all(root.parent().unwrap(), 0o755);
        for path in [&root, &folder, &document, &root.join(".lock")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let kept = fs::read(&document).unwrap();
    for (path, mode) in [(&document, 0o600), (&folder, 0o700), (&root, 0o700)] {
        open_to_all(path, if path == &root { 0o300 } else { 0o000 });
        let said = refused(&place).await;
        open_to_all(path, mode);
        let wanted = format!("{}: it cannot be read: Permission denied", path.display());
        assert!(said.contains(&wanted), "{wanted} is not in: {said}");
        assert!(said.contains("chown -R"), "{said}");
        assert_eq!(fs::read(&document).unwrap(), kept);
        assert!(folder.join("junk.json").exists(), "nothing was moved");
    }
}
