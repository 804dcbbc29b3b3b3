//! Reading a project's pipeline schedules now and then.
//!
//! This costs one request, and one more for each schedule that ran or changed: only the schedule itself tells
//! its last pipeline.

use tokio::time::Instant;

use super::poller::Poller;
use super::reader::Reader;
use super::timetable::Timetable;
use crate::gitlab::{Error, Project};

/// Idle intervals between two readings of a project with schedules.
const INTERVALS: u32 = 2;

/// The same for a project without schedules, or that does not show them.
const INTERVALS_WITHOUT: u32 = 12;

/// Schedules of one project whose last pipeline is asked for in one reading; the others wait for the next.
const MOST_DETAILS: usize = 20;

impl Poller {
    /// Reads the schedules of a project if it is time to. A failure does not fail the cycle.
    pub(super) async fn read_schedules(&self, project: &Project, timetable: &mut Timetable) {
        let now = Instant::now();
        if !self.reader.watch.schedules || !timetable.is_due(project, now) {
            return;
        }
        let read = self.reader.read_schedules(project, timetable).await;
        if let Err(error) = &read {
            self.events.schedules_not_read(project, error);
            if !error.is_retryable() {
                // A schedule that cannot be seen any more must not look as if it had not run.
                timetable.forget();
            }
        }
        let sights = timetable.sights();
        self.events.schedules(project, &sights);
        let is_seldom = sights.is_empty() && !read.is_err_and(|error| error.is_retryable());
        let intervals = if is_seldom {
            INTERVALS_WITHOUT
        } else {
            INTERVALS
        };
        timetable.reported(project, now + self.reader.watch.idle_interval * intervals);
    }
}

impl Reader {
    async fn read_schedules(
        &self,
        project: &Project,
        timetable: &mut Timetable,
    ) -> Result<(), Error> {
        let listing = self.client.schedules(project.id).await?;
        self.report_rejected(&listing.rejected);
        let default_branch = project.default_branch.as_deref();
        let mut schedules = listing.items;
        schedules.retain(|it| self.watch.refs.matches(&it.ref_name, default_branch));
        timetable.take(schedules);
        for id in timetable.open_questions(MOST_DETAILS) {
            match self.client.schedule_last_run(project.id, id).await {
                Ok(last_run) => timetable.answered(id, last_run),
                Err(error) if error.is_not_found() => timetable.not_found(id),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
