//! Injected faults and found differences.

use std::collections::BTreeMap;
use std::fmt;

use ci_history::Timeline;
use job_failure_exporter::store::decode;

#[derive(Default)]
pub(crate) struct Report {
    pub(crate) faults: BTreeMap<&'static str, usize>,
    pub(crate) documents: usize,
    pub(crate) broken: usize,
    pub(crate) losses: u64,
    pub(crate) duplicates: u64,
    pub(crate) forged: usize,
    pub(crate) wrong_series: usize,
}

impl Report {
    pub(crate) fn is_good(&self) -> bool {
        let wrong = self.forged + self.broken + self.wrong_series;
        self.losses == 0 && self.duplicates == 0 && wrong == 0
    }

    pub(crate) fn injected(&mut self, fault: &'static str, count: usize) {
        *self.faults.entry(fault).or_default() += count;
    }

    /// Reads a document, and counts it as broken if it is unreadable.
    pub(crate) fn read(&mut self, name: &str, text: &[u8]) -> Option<Timeline> {
        self.documents += 1;
        match decode(text) {
            Ok(saved) => Some(saved.timeline),
            Err(error) => {
                println!("{name}: {error}");
                self.broken += 1;
                None
            }
        }
    }

    /// Compares a counter of one job and adds the difference to losses or duplicates.
    pub(crate) fn count(&mut self, what: &str, found: u64, wanted: u64) {
        if found != wanted {
            println!("{what}: {found}, truth {wanted}");
        }
        self.losses += wanted.saturating_sub(found);
        self.duplicates += found.saturating_sub(wanted);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "faults injected    {}",
            self.faults.values().sum::<usize>()
        )?;
        for (fault, count) in &self.faults {
            writeln!(f, "  {count:>6} {fault}")?;
        }
        writeln!(f, "documents checked  {}", self.documents)?;
        writeln!(f, "documents broken   {}", self.broken)?;
        writeln!(f, "wrong series       {}", self.wrong_series)?;
        writeln!(f, "losses             {}", self.losses)?;
        writeln!(f, "duplicates         {}", self.duplicates)?;
        write!(f, "forged             {}", self.forged)
    }
}
