//! The text of OpenMetrics 1.0, with a time at each sample.
//!
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::PastError;
use super::grid::Grid;
use super::part::Part;
use super::runs::Run;
use crate::base::label::Label as _;
use crate::metrics::{Described, Kind, label_text, past_families};

/// Time between two log lines.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// The file that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The file.
    pub file: PathBuf,
    /// Samples in it.
    pub samples: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Times of the first and of the last sample, in seconds since the Unix epoch.
    pub reach: (i64, i64),
}

/// Fails if something has the name of the file.
pub(super) fn must_not_exist(file: &Path) -> Result<(), PastError> {
    match file.symlink_metadata() {
        Ok(_) => Err(PastError::Exists(file.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(PastError::at("look at", file)(error)),
    }
}

/// Writes the file, in whole or not at all. `None` if `is_stopped` said so.
pub(super) fn write(
    file: &Path,
    parts: &[Part],
    grid: Grid,
    labels: &[(String, String)],
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Written>, PastError> {
    let folder = file.parent().filter(|it| !it.as_os_str().is_empty());
    // As the user's other files: promtool may run as another user.
    let mut temporary = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
        .map_err(PastError::at("create a file beside", file))?;
    let pairs: Vec<_> = labels
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let mut text = Text {
        out: BufWriter::with_capacity(1 << 20, temporary.as_file_mut()),
        file,
        grid,
        labels: label_text(&pairs),
        samples: 0,
        reach: (i64::MAX, i64::MIN),
        told: Instant::now(),
    };
    for (number, family) in past_families().iter().enumerate() {
        if parts.iter().any(|part| part.has(number)) {
            text.header(family)?;
        }
        for part in parts {
            if is_stopped() {
                return Ok(None);
            }
            part.each_run(number, &mut |series, run| text.run(series, run))?;
        }
    }
    let (samples, reach) = text.end()?;
    if samples == 0 {
        return Err(PastError::Empty);
    }
    let cannot = || PastError::at("write", file);
    temporary.as_file().sync_all().map_err(cannot())?;
    let kept = temporary.persist_noclobber(file);
    let kept = kept.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => PastError::Exists(file.to_owned()),
        _ => cannot()(error.error),
    })?;
    let bytes = kept.metadata().map_err(cannot())?.len();
    Ok(Some(Written {
        file: file.to_owned(),
        samples,
        bytes,
        reach,
    }))
}

/// The text while it is written.
struct Text<'a> {
    out: BufWriter<&'a mut File>,
    file: &'a Path,
    grid: Grid,
    /// Escaped labels of every sample.
    labels: String,
    samples: u64,
    reach: (i64, i64),
    told: Instant,
}

impl Text<'_> {
    fn header(&mut self, family: &Described) -> Result<(), PastError> {
        let (name, kind) = (family.name, family.kind.as_str());
        let name = match family.kind {
            Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let help = family
            .help
            .replace('\\', "\\\\")
            .replace('\n', "\\n")
            .replace('"', "\\\"");
        let written = write!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        written.map_err(PastError::at("write", self.file))
    }

    fn run(&mut self, series: &str, run: Run) -> Result<(), PastError> {
        let (name, own) = series.split_once('{').unwrap_or((series, "}"));
        let comma = if self.labels.is_empty() || own == "}" {
            ""
        } else {
            ","
        };
        let begin = format!("{name}{{{}{comma}{own} {} ", self.labels, run.value);
        for step in run.start..=run.end {
            let written = writeln!(self.out, "{begin}{}", self.grid.seconds(step));
            written.map_err(PastError::at("write", self.file))?;
            self.samples += 1;
        }
        let reach = (self.grid.seconds(run.start), self.grid.seconds(run.end));
        self.reach = (self.reach.0.min(reach.0), self.reach.1.max(reach.1));
        if self.told.elapsed() >= BETWEEN_LINES {
            self.told = Instant::now();
            tracing::info!(file = %self.file.display(), "{} samples written", self.samples);
        }
        Ok(())
    }

    fn end(mut self) -> Result<(u64, (i64, i64)), PastError> {
        let ended = self
            .out
            .write_all(b"# EOF\n")
            .and_then(|()| self.out.flush());
        ended.map_err(PastError::at("write", self.file))?;
        Ok((self.samples, self.reach))
    }
}
