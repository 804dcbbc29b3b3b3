//! Tells the program which commit and compiler it was built from: `src/base/build_info.rs` reads the variables.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

const REVISION: &str = "JOB_FAILURE_EXPORTER_REVISION";
const COMMIT_DATE: &str = "JOB_FAILURE_EXPORTER_COMMIT_DATE";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = Path::new(&root);
    let (revision, date) = commit(root).unwrap_or_default();
    tell("REVISION", &revision);
    tell("COMMIT_DATE", &date);
    tell("TARGET", &env::var("TARGET").unwrap_or_default());
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let compiler = run(Command::new(compiler).arg("--version")).unwrap_or_default();
    tell("RUSTC_VERSION", compiler.trim_start_matches("rustc "));
}

fn tell(name: &str, value: &str) {
    let value = match value.lines().next() {
        None | Some("") => "unknown",
        Some(line) => line,
    };
    println!("cargo::rustc-env=BUILD_{name}={value}");
}

/// The commit and its date. Precedence: the environment (containers, packages), the checkout, the file that
/// `cargo package` adds to a published crate.
fn commit(root: &Path) -> Option<(String, String)> {
    of_environment()
        .or_else(|| of_checkout(root))
        .or_else(|| of_crate(root))
}

fn of_environment() -> Option<(String, String)> {
    println!("cargo::rerun-if-env-changed={REVISION}");
    println!("cargo::rerun-if-env-changed={COMMIT_DATE}");
    let revision = env::var(REVISION).ok().filter(|it| !it.is_empty())?;
    Some((revision, env::var(COMMIT_DATE).unwrap_or_default()))
}

/// `None` outside a checkout, and where the sources lie inside the checkout of another project.
fn of_checkout(root: &Path) -> Option<(String, String)> {
    let top = git(root, &["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(root).ok()? {
        return None;
    }
    watch(root);
    let shown = git(root, &["show", "--no-patch", "--format=%H %cs", "HEAD"])?;
    let (revision, date) = shown.split_once(' ')?;
    Some((revision.to_owned(), date.to_owned()))
}

/// A new commit, and another branch, run this script again; other builds do not.
fn watch(root: &Path) {
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = git(root, &["rev-parse", "--git-path", name]);
        let path = path
            .map(|path| root.join(path))
            .filter(|path| path.exists());
        // A missing file would run the script at every build.
        if let Some(path) = path {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

fn of_crate(root: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(root.join(".cargo_vcs_info.json")).ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let revision = rest.split('"').nth(1)?;
    Some((revision.to_owned(), String::new()))
}

/// Containers often build a checkout that belongs to another user.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let safe = format!("safe.directory={}", root.display());
    run(Command::new("git")
        .current_dir(root)
        .args(["-c", &safe])
        .args(args))
}

fn run(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|done| done.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
