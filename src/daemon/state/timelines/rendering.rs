//! Rendering a timeline: as a whole, or only the pieces with changed jobs.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::{Bound, Range};
use std::sync::Arc;

use super::super::effects::RenderRequest;
use super::super::transitions::{PipelineRank, Rank, Transition};
use super::entry::{TimelineEntry, is_long_gone};
use super::render_state::{ChangedJobs, RenderState};
use crate::metrics::{Pieces, is_divisible};
use ci_history::{JobRow, Rules, TimelineRows, Timestamp};

impl TimelineEntry {
    /// Begins a rendering, of all jobs that have not been gone for a day, or of the pieces with changed ones.
    pub(super) fn take_rows(
        &mut self,
        rules: &Rules,
        revision: u64,
        now: Timestamp,
    ) -> RenderRequest {
        let state = std::mem::replace(&mut self.render, RenderState::Rendered);
        // Pieces replace pieces of the rendering before, which must be exposed then.
        let changed = match &state {
            RenderState::Changed(changed) if self.revision == self.exposed => Some(changed),
            _ => None,
        };
        let some = changed.and_then(|changed| self.changed_pieces(changed, rules, now));
        let (rows, pieces) = some.unwrap_or_else(|| self.all_pieces(rules, now));
        let transitions = match state {
            // What was saved was logged before.
            RenderState::Restored => Vec::new(),
            _ => Transition::between(self.jobs.ranks(), &rows),
        };
        self.note_ranks(&rows, &pieces);
        self.pipelines = PipelineRank::of(&rows.pipelines);
        self.revision = revision;
        RenderRequest {
            key: self.timeline.key.clone(),
            revision,
            rows,
            pieces,
            transitions,
        }
    }

    fn all_pieces(&mut self, rules: &Rules, now: Timestamp) -> (TimelineRows, Pieces) {
        let mut rows = self.timeline.rows(rules);
        rows.jobs.retain(|row| self.is_rendered(row, now));
        let pieces = Pieces::whole(&rows);
        let mut from = 0;
        let mut starts = Vec::new();
        for (_, jobs) in pieces.sizes() {
            starts.extend(rows.jobs.get(from).map(|row| row.name.clone()));
            from += jobs;
        }
        // The first piece has all names before the second one.
        self.borders = starts.into_iter().skip(1).collect();
        (rows, pieces)
    }

    /// The pieces with changed jobs; `None` if all are to be rendered.
    fn changed_pieces(
        &self,
        changed: &ChangedJobs,
        rules: &Rules,
        now: Timestamp,
    ) -> Option<(TimelineRows, Pieces)> {
        if !changed.names.iter().all(|name| is_divisible(name)) {
            return None;
        }
        let mut numbers: BTreeSet<usize> = BTreeSet::new();
        numbers.extend(changed.names.iter().map(|name| self.piece_of(name)));
        if changed.finished {
            numbers.extend(self.pieces_with_absent(rules));
        }
        // The first piece has the figures of the pipelines.
        numbers.extend(changed.pipelines.then_some(0));
        if numbers.len() > self.borders.len().div_ceil(2) {
            return None;
        }
        let mut rows = self.timeline.rows_without_jobs(rules);
        let mut sizes = Vec::new();
        for number in numbers {
            let before = rows.jobs.len();
            let of_piece = self.timeline.rows_of(self.names_of(number), rules);
            let of_piece = of_piece.filter(|row| self.is_rendered(row, now));
            rows.jobs.extend(of_piece);
            sizes.push((number, rows.jobs.len() - before));
        }
        Some((rows, Pieces::some(sizes)?))
    }

    fn is_rendered(&self, row: &JobRow, now: Timestamp) -> bool {
        !is_long_gone(row.figures.gone_since, now) && !self.scope.unwatched.contains(&row.name)
    }

    /// The number of the piece in which a job is or would be.
    fn piece_of(&self, name: &str) -> usize {
        self.borders.partition_point(|border| **border <= *name)
    }

    /// The names that a piece has.
    fn names_of(&self, number: usize) -> (Bound<&str>, Bound<&str>) {
        let start = number.checked_sub(1).map(|at| &*self.borders[at]);
        let end = self.borders.get(number).map(|border| &**border);
        (
            start.map_or(Unbounded, Included),
            end.map_or(Unbounded, Excluded),
        )
    }

    /// The pieces with jobs that are absent from more pipelines than in the newest rendering.
    fn pieces_with_absent(&self, rules: &Rules) -> BTreeSet<usize> {
        let absences = self.timeline.absences(rules);
        let ranks = self.jobs.ranks();
        let changed = absences.filter(|(name, absence)| {
            let rank = ranks.binary_search_by(|rank| rank.name.cmp(name));
            rank.is_ok_and(|at| ranks[at].absence() != *absence)
        });
        changed.map(|(name, ..)| self.piece_of(name)).collect()
    }

    fn note_ranks(&mut self, rows: &TimelineRows, pieces: &Pieces) {
        let ranks_of = |jobs: &[JobRow]| -> Vec<Rank> {
            let shown = jobs.iter().filter(|row| row.figures.is_worth_showing());
            shown.map(Rank::of).collect()
        };
        if pieces.is_whole() {
            self.jobs.replace_all(ranks_of(&rows.jobs));
            return;
        }
        let mut from = 0;
        for (number, jobs) in pieces.sizes() {
            let ranks = ranks_of(&rows.jobs[from..from + jobs]);
            from += jobs;
            let range = self.ranks_of_piece(*number);
            self.jobs.replace(range, ranks);
        }
    }

    fn ranks_of_piece(&self, number: usize) -> Range<usize> {
        let ranks = self.jobs.ranks();
        let at = |border: &Arc<str>| ranks.partition_point(|rank| rank.name < *border);
        let start = number.checked_sub(1).map_or(0, |it| at(&self.borders[it]));
        let end = self.borders.get(number).map_or(ranks.len(), at);
        start..end
    }
}
