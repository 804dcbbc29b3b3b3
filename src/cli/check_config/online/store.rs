//! Where the state is kept: a directory that can be written, or a bucket. Nothing stays behind.

use std::fs;
use std::path::Path;

use rustix::fs::{Access, StatVfs, access, statvfs};

use super::finding::Findings;
use crate::config::{Config, Location};
use crate::store::S3;

/// Less free space is a warning: the state of some ten thousand jobs, a few times over.
const LITTLE_SPACE: u64 = 1 << 30;

/// With less, saving fails soon.
const NO_SPACE: u64 = 64 << 20;

/// Fewer files that can be created are a warning. Each timeline is one.
const FEW_FILES: u64 = 10_000;

pub(super) async fn check(config: &Config, findings: &Findings) {
    match &config.store.location {
        Location::Directory(directory) => check_directory(directory, findings),
        Location::S3(options) => {
            let address = config.store.location.to_string();
            let s3 = S3::new(options.clone()).await;
            match Box::pin(s3.try_out()).await {
                Ok(true) => findings.ok(format!(
                    "{address}: listing, writing and removing work, and the store honours conditions: two replicas can share it"
                )),
                Ok(false) => findings.warn(format!(
                    "{address}: listing, writing and removing work, but the store ignores conditions: only one exporter may use \
                     it, and `remediation` does nothing"
                )),
                Err(error) => findings.error(error.to_string()),
            }
        }
    }
}

fn check_directory(directory: &Path, findings: &Findings) {
    let shown = directory.display();
    let existing = match fs::metadata(directory) {
        Ok(found) if !found.is_dir() => {
            return findings.error(format!("{shown} is a file; wanted a directory"));
        }
        Ok(_) => directory,
        Err(_) => {
            let absolute = std::path::absolute(directory);
            let absolute = absolute.as_deref().unwrap_or(directory);
            let parent = absolute.ancestors().skip(1).find(|path| path.is_dir());
            let Some(parent) = parent else {
                return findings.error(format!(
                    "{shown} does not exist, nor does any directory above it"
                ));
            };
            return judge(
                parent,
                &format!("{shown} does not exist yet and will be created"),
                findings,
            );
        }
    };
    judge(existing, &format!("{shown} can be written"), findings);
}

/// Judges an existing directory. `fine` is what to say if all is well.
fn judge(directory: &Path, fine: &str, findings: &Findings) {
    let shown = directory.display();
    if let Err(error) = access(directory, Access::WRITE_OK | Access::EXEC_OK) {
        return findings.error(format!(
            "this user may not write into {shown}: {error}. Run the check as the user of the exporter, or give the directory to it"
        ));
    }
    match statvfs(directory) {
        Ok(found) => Space::of(&found).judge(directory, fine, findings),
        Err(error) => findings.warn(format!("{fine}; its free space is not known: {error}")),
    }
}

/// What is left of a file system.
struct Space {
    /// In bytes.
    free: u64,
    /// Files that can be created; `None` where the file system counts none.
    files: Option<u64>,
}

impl Space {
    fn of(found: &StatVfs) -> Self {
        Self {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            files: (found.f_files > 0).then_some(found.f_favail),
        }
    }

    fn judge(&self, directory: &Path, fine: &str, findings: &Findings) {
        let (shown, free) = (directory.display(), self.free);
        let mib = free >> 20;
        if free < NO_SPACE {
            findings.error(format!(
                "{shown} has {mib} MiB of free space: saving will fail. Make room"
            ));
        } else if free < LITTLE_SPACE {
            findings.warn(format!("{fine}; {mib} MiB are free, which is little"));
        } else {
            let gib = free as f64 / f64::from(1 << 30);
            findings.ok(format!("{fine}; {gib:.1} GiB are free"));
        }
        if let Some(left) = self.files.filter(|left| *left < FEW_FILES) {
            findings.warn(format!(
                "{shown} has room for {left} files only; each timeline is one"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Level, Part};
    use super::*;

    #[test]
    fn little_room_is_a_warning_and_none_an_error() {
        let levels = |free, files| {
            let findings = Findings::about(Part::Store);
            Space { free, files }.judge(Path::new("/state"), "it can be written", &findings);
            let levels = findings.list().into_iter().map(|it| it.level());
            levels.collect::<Vec<_>>()
        };
        assert_eq!(levels(LITTLE_SPACE, None), [Level::Ok]);
        assert_eq!(levels(LITTLE_SPACE - 1, Some(FEW_FILES)), [Level::Warning]);
        assert_eq!(levels(NO_SPACE - 1, None), [Level::Error]);
        assert_eq!(
            levels(LITTLE_SPACE, Some(FEW_FILES - 1)),
            [Level::Ok, Level::Warning]
        );
    }
}
