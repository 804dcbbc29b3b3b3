//! The past of one project on disk: its runs, family by family.
//!
//! `F` and the number of a family begin its series, `S` and the name with its labels begin a series, and each `R` is a
//! run: first step, last step, value. An `E` ends the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::error::PastError;
use super::grid::Grid;
use super::retrace::TimelinePast;
use super::runs::{Run, SeriesKey};
use crate::metrics::{Kind, past_families};

/// Writes a part, in whole or not at all.
pub(super) fn write<'a>(
    path: &Path,
    grid: Grid,
    timelines: impl Iterator<Item = &'a TimelinePast>,
) -> Result<(), PastError> {
    let mut series: Vec<(&SeriesKey, &[Run])> = Vec::new();
    for past in timelines {
        let all = past.groups().flat_map(super::runs::SeriesGroup::iter);
        series.extend(all.filter(|(key, runs)| is_worth_writing(key, runs)));
    }
    series.sort_by_key(|(key, _)| *key);
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = || -> io::Result<()> {
        let mut file = NamedTempFile::new_in(folder)?;
        let mut out = BufWriter::new(file.as_file_mut());
        let mut family = None;
        for ((number, name), runs) in series {
            if family.replace(*number) != Some(*number) {
                writeln!(out, "F {number}")?;
            }
            writeln!(out, "S {name}")?;
            for run in runs {
                let (first, last) = (run.start, run.end.min(grid.last()));
                if first <= last {
                    writeln!(out, "R {first} {last} {}", run.value)?;
                }
            }
        }
        writeln!(out, "E")?;
        out.flush()?;
        drop(out);
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(PastError::at("write", path))
}

/// A counter that never counted adds nothing: its first sample by the exporter is 0.
fn is_worth_writing((family, _): &SeriesKey, runs: &[Run]) -> bool {
    let is_counter = past_families().get(*family).map(|it| it.kind) == Some(Kind::Counter);
    !is_counter || runs.iter().any(|run| run.value > 0.0)
}

/// A part that is read family by family.
pub(super) struct Part {
    path: PathBuf,
    /// Where the series of each family begin.
    families: BTreeMap<usize, u64>,
}

impl Part {
    /// Looks where the families begin.
    pub(super) fn open(path: PathBuf) -> Result<Self, PastError> {
        let mut families = BTreeMap::new();
        let file = File::open(&path).map_err(PastError::at("read", &path))?;
        let (mut input, mut line, mut at, mut is_whole) =
            (BufReader::new(file), Vec::new(), 0_u64, false);
        loop {
            line.clear();
            let read = input.read_until(b'\n', &mut line);
            let read = read.map_err(PastError::at("read", &path))?;
            if read == 0 {
                break;
            }
            at += read as u64;
            is_whole = line == b"E\n";
            if let Some(number) = str::from_utf8(&line)
                .ok()
                .and_then(|it| it.strip_prefix("F "))
            {
                let number = number.trim_end().parse();
                let number = number.map_err(|_| PastError::Damaged(path.clone()))?;
                families.insert(number, at);
            }
        }
        if !is_whole {
            return Err(PastError::Damaged(path));
        }
        Ok(Self { path, families })
    }

    /// Whether it has series of a family.
    pub(super) fn has(&self, family: usize) -> bool {
        self.families.contains_key(&family)
    }

    /// Tells each run of a family with the name of its series.
    pub(super) fn each_run(
        &self,
        family: usize,
        tell: &mut dyn FnMut(&str, Run) -> Result<(), PastError>,
    ) -> Result<(), PastError> {
        let Some(at) = self.families.get(&family) else {
            return Ok(());
        };
        let cannot = || PastError::at("read", &self.path);
        let mut file = File::open(&self.path).map_err(cannot())?;
        file.seek(SeekFrom::Start(*at)).map_err(cannot())?;
        let (mut input, mut line) = (BufReader::new(file), String::new());
        let mut series = String::new();
        loop {
            line.clear();
            input.read_line(&mut line).map_err(cannot())?;
            let text = line.strip_suffix('\n').unwrap_or(&line);
            match text.split_once(' ') {
                Some(("S", name)) => name.clone_into(&mut series),
                Some(("R", run)) => {
                    let run = parse(run).ok_or_else(|| PastError::Damaged(self.path.clone()))?;
                    tell(&series, run)?;
                }
                // The next family, or the end.
                _ => return Ok(()),
            }
        }
    }
}

fn parse(run: &str) -> Option<Run> {
    let mut words = run.split(' ');
    Some(Run {
        start: words.next()?.parse().ok()?,
        end: words.next()?.parse().ok()?,
        value: words.next()?.parse().ok()?,
    })
}
