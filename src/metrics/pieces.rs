//! How the text of a timeline is divided, so that a change of one job renders few jobs anew.

use ci_history::TimelineRows;

/// Jobs of one piece. More of them compress better, and cost more at each change.
const JOBS: usize = 8;

/// The division of some rows into pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces {
    /// The number of each piece in its timeline, and how many of the rows are of it.
    sizes: Vec<(usize, usize)>,
    /// Whether these are all pieces of the timeline.
    is_whole: bool,
}

impl Pieces {
    /// Divides a whole timeline. One with NUL in a name stays undivided: two names may then be shown alike, and only one
    /// of them is exposed.
    pub fn whole(rows: &TimelineRows) -> Self {
        let count = rows.jobs.len();
        let is_divisible = rows.jobs.iter().all(|row| is_divisible(&row.name));
        let size = if is_divisible { JOBS } else { count.max(1) };
        let starts = (0..count.max(1)).step_by(size);
        let sizes = starts.map(|start| size.min(count - start));
        Self {
            sizes: sizes.enumerate().collect(),
            is_whole: true,
        }
    }

    /// The pieces of these numbers with as many jobs; `None` if it is time to divide the timeline anew.
    pub fn some(sizes: Vec<(usize, usize)>) -> Option<Self> {
        let fits = sizes.iter().all(|(_, jobs)| *jobs <= 2 * JOBS);
        fits.then_some(Self {
            sizes,
            is_whole: false,
        })
    }

    /// The number of each piece, and how many rows are of it.
    pub fn sizes(&self) -> &[(usize, usize)] {
        &self.sizes
    }

    /// Whether these are all pieces of the timeline.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

/// Whether a job of this name may be in a divided timeline.
pub fn is_divisible(name: &str) -> bool {
    !name.contains('\0')
}
