//! The polling of one project: its cycles, and what is read between them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{SemaphorePermit, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::cursor::PollCursor;
use super::cycle::{CycleError, Past};
use super::debounce::Debounce;
use super::demand::ProjectDemand;
use super::first_round::{Untried, WithPast};
use super::hinted::ToRead;
use super::hints::{Calls, Hinted};
use super::hook_trust::HookTrust;
use super::intervals::INTERVALS_WITHOUT;
use super::looks::Look;
use super::pace::{Hooks, Pace};
use super::poller::Poller;
use super::seats::{Seat, Swept};
use super::span::project_span;
use super::strangers::Strangers;
use super::timetable::Timetable;
use super::turns::Turns;
use crate::base::poll_sights::PollSights;
use crate::gitlab::{Project, ProjectRequests};
use ci_history::Timestamp;

/// Sweeps that a project waits for, besides its usual wait, before it is listed by itself.
const SWEEPS_AWAITED: u32 = 2;

/// The least of that: a sweep takes its time, too.
const SHORTEST_AWAITED: Duration = Duration::from_secs(10);

/// Time that a doubtful pipeline waits at least. The ages of pipelines are whole seconds.
const SHORTEST_RECHECK: Duration = Duration::from_millis(200);

/// Why a project does not wait any longer.
enum Due<'a> {
    /// Its next cycle, or pipelines to read before it.
    Time,
    Hinted(Hinted),
    Past(Option<SemaphorePermit<'a>>),
}

/// The polling of one project.
pub(super) struct ProjectTask<'a> {
    poller: &'a Poller,
    turns: &'a Turns,
    facts: watch::Receiver<Project>,
    cursor: PollCursor,
    strangers: Strangers,
    trust: HookTrust,
    /// What was told last of whether polling relies on webhooks, and the path of the project.
    told_of_hooks: Option<(Arc<str>, bool)>,
    requests: ProjectRequests,
    demand: ProjectDemand,
    timetable: Timetable,
    pace: Pace,
    seat: Seat,
    look: Option<oneshot::Receiver<Look>>,
    past: Past,
    /// From when on the past is read, after an error.
    past_from: Instant,
    with_past: Option<WithPast>,
    /// GitLab's time at which it was asked for the last listing or sweep that was read.
    asked_at: Option<Timestamp>,
    /// Whether an earlier process read the project: it waits for the first sweep.
    is_resumed: bool,
}

impl<'a> ProjectTask<'a> {
    pub(super) fn new(
        poller: &'a Poller,
        turns: &'a Turns,
        facts: watch::Receiver<Project>,
        mut seat: Seat,
        demand: ProjectDemand,
        past: Past,
    ) -> Self {
        let project = facts.borrow().clone();
        let mut resume = poller.events.resume(&project);
        let schedules = std::mem::take(&mut resume.schedules);
        let now = poller.reader.observations.gitlab_now();
        let mut timetable = Timetable::restored(schedules);
        let mut pace = Pace::new();
        let is_resumed = resume.sights.is_some();
        if let Some(sights) = &resume.sights {
            seat.resume(sights.asked_at);
            let quiet_for = now.unix().saturating_sub(sights.watermark.unix());
            pace = Pace::resumed(Duration::from_secs(quiet_for.max(0).unsigned_abs()));
            poller.resume_schedules(&project, &mut timetable, sights.has_no_schedules);
        }
        Self {
            poller,
            turns,
            facts,
            cursor: PollCursor::new(resume, now),
            strangers: Strangers::new(),
            trust: HookTrust::default(),
            told_of_hooks: None,
            requests: poller.reader.client.requests_of(project.id),
            demand,
            timetable,
            pace,
            seat,
            look: None,
            past,
            past_from: Instant::now(),
            with_past: None,
            asked_at: None,
            is_resumed,
        }
    }

    /// The branch whose newest pipelines a first look may show.
    pub(super) fn branch_to_look_at(&self) -> Option<Arc<str>> {
        let branch = self.facts.borrow().default_branch.clone();
        let refs = &self.poller.reader.watch.refs;
        let is_new = self.past == Past::PutOff && self.cursor.updated_after().is_none();
        branch.filter(|name| is_new && refs.matches(name, Some(name)))
    }

    /// Shows what the first look sees, before the first cycle.
    pub(super) fn awaits(&mut self, look: oneshot::Receiver<Look>) {
        self.look = Some(look);
    }

    /// Polls the project until `stop`. The futures of its work are boxed, so that a task that waits, as most do, is small. So is
    /// the task: a future keeps two places for each of its arguments.
    pub(super) async fn run(
        mut self: Box<Self>,
        stop: CancellationToken,
        mut untried: Option<Untried>,
    ) {
        let looking = async {
            if Box::pin(self.look()).await {
                drop(untried.take());
                self.turns.round.over().await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = looking => {}
        }
        let watch = &self.poller.reader.watch;
        let calls = self.poller.waker.of(self.facts.borrow().id);
        let mut debounce = Debounce::new(watch.interval);
        let mut default_branch = self.facts.borrow().default_branch.clone();
        let mut swept = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            told = self.first_sweep() => told,
        };
        loop {
            let project = self.facts.borrow().clone();
            if default_branch != project.default_branch {
                let former = std::mem::replace(&mut default_branch, project.default_branch.clone());
                self.follow_default_branch(former, &project);
            }
            let span = project_span(&project.path);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = Box::pin(self.cycle(&project, swept.take())).instrument(span) => {}
            }
            drop(untried.take());
            let next = self.plan(&project, &calls);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                told = self.until_next_cycle(next, &calls, &mut debounce) => swept = told,
            }
        }
    }

    /// Plans the next cycle. Returns when it begins if nothing begins it before.
    fn plan(&mut self, project: &Project, calls: &Calls) -> Instant {
        let watch = &self.poller.reader.watch;
        let hooks = if self.trust.is_given() {
            Hooks::Trusted
        } else if calls.are_usual() {
            Hooks::Usual
        } else {
            Hooks::Silent
        };
        let wait = self.pace.wait(watch, hooks);
        let relies_on_hooks = hooks == Hooks::Trusted && !self.pace.backs_off();
        let is_answered = self.seat.is_answered();
        let news = (project.path.clone(), relies_on_hooks);
        if self.told_of_hooks.as_ref() != Some(&news) {
            self.poller.events.relies_on_hooks(project, relies_on_hooks);
            self.told_of_hooks = Some(news);
        }
        let due_after = if is_answered && !relies_on_hooks {
            watch.interval
        } else {
            wait
        };
        let is_usual = !self.cursor.has_past() && self.turns.round.is_over();
        self.demand
            .cycle_ended(self.requests.sent(), due_after, is_usual);
        let due = Instant::now() + wait;
        self.seat.wait_until(relies_on_hooks.then_some(due));
        // Sweeps leave out a project that relies on webhooks until it is due.
        if is_answered || (relies_on_hooks && self.seat.is_swept()) {
            due + self.longest_awaited()
        } else {
            due
        }
    }

    /// The project has another default branch than before.
    fn follow_default_branch(&mut self, former: Option<Arc<str>>, project: &Project) {
        let branch = project.default_branch.as_ref();
        let refs = &self.poller.reader.watch.refs;
        let is_watched = |name: &str| refs.matches(name, branch.map(|it| &**it));
        if let (Some(from), Some(to)) = (former, branch)
            && !is_watched(&from)
            && is_watched(to)
        {
            self.cursor.rename_ref(&from, to);
        }
        self.cursor.rescope(is_watched);
    }

    /// Waits for the first sweep after a restart. Returns what it told.
    async fn first_sweep(&mut self) -> Option<Swept> {
        if !self.is_resumed {
            return None;
        }
        let longest = self.longest_awaited();
        let first_ended = self.seat.first_sweep();
        tokio::select! {
            biased;
            swept = self.seat.answered() => Some(swept),
            () = first_ended.cancelled() => None,
            () = sleep(longest) => None,
        }
    }

    /// How long a project waits for a sweep before it is listed by itself.
    fn longest_awaited(&self) -> Duration {
        SHORTEST_AWAITED.max(self.poller.reader.watch.interval * SWEEPS_AWAITED)
    }

    /// Returns whether the first look showed the project.
    async fn look(&mut self) -> bool {
        let Some(look) = self.look.take() else {
            return false;
        };
        let Ok(look) = look.await else {
            return false;
        };
        let project = self.facts.borrow().clone();
        let span = project_span(&project.path);
        let _permit = self.turns.of_cycle().await;
        let showing = self.poller.show_look(&project, &mut self.cursor, look);
        showing.instrument(span).await;
        self.with_past = Some(self.turns.round.with_past());
        true
    }

    async fn cycle(&mut self, project: &Project, swept: Option<Swept>) {
        let observations = &self.poller.reader.observations;
        let began = observations.gitlab_now();
        let outcome = self.read_all(project, swept.clone()).await;
        let now = observations.gitlab_now();
        let is_general = outcome.as_ref().is_err_and(|failed| failed.is_general);
        let takes_part = !is_general && self.cursor.updated_after().is_some();
        self.seat.read(swept.as_ref(), began, takes_part);
        if outcome.is_ok() {
            self.asked_at = Some(swept.as_ref().map_or(began, Swept::asked_at));
        }
        let is_active = self.cursor.is_active(now);
        self.seat.note_active(is_active);
        self.pace.note(&outcome, is_active);
        self.note_past();
        let events = &self.poller.events;
        match &outcome {
            Ok(()) => self.polled(project),
            Err(failed) => events.poll_failed(&project.path, &failed.error),
        }
    }

    async fn read_all(
        &mut self,
        project: &Project,
        swept: Option<Swept>,
    ) -> Result<(), CycleError> {
        let _permit = self.turns.of_cycle().await;
        if let Some(has_schedules) = swept.as_ref().and_then(|swept| swept.has_schedules) {
            let wait = self.poller.reader.watch.idle_interval * INTERVALS_WITHOUT;
            self.timetable.told(has_schedules, wait);
        }
        let (cursor, trust) = (&mut self.cursor, &mut self.trust);
        let cycle = self.poller.cycle(project, cursor, trust, swept, self.past);
        cycle.await?;
        if self.past == Past::Read || self.turns.round.is_over() {
            self.poller
                .read_schedules(project, &mut self.timetable)
                .await;
        }
        Ok(())
    }

    /// Reads some of the past.
    async fn read_past(&mut self, project: &Project) {
        if !self.poller.read_past(project, &mut self.cursor).await {
            self.past_from = Instant::now() + self.poller.reader.watch.interval;
        }
        self.note_past();
        if self.cursor.watermark().is_some() {
            self.polled(project);
        }
    }

    fn polled(&self, project: &Project) {
        let sights = self.asked_at.and_then(|at| self.cursor.sights(at));
        let sights = sights.map(|sights| PollSights {
            has_no_schedules: self.timetable.is_known_empty(),
            ..sights
        });
        let events = &self.poller.events;
        events.sights(project, sights);
        events.polled(project, self.cursor.watermark());
    }

    fn note_past(&mut self) {
        if !self.cursor.has_past() {
            self.with_past = None;
        } else if self.with_past.is_none() {
            self.with_past = Some(self.turns.round.with_past());
        }
    }

    /// Waits for the time of the next cycle, or for a sweep or a webhook that asks for one. Meanwhile reads what
    /// webhooks tell of, and what was doubtful. Returns what a sweep told.
    async fn until_next_cycle(
        &mut self,
        mut next: Instant,
        calls: &Calls,
        debounce: &mut Debounce,
    ) -> Option<Swept> {
        if self.pace.backs_off() {
            sleep_until(next).await;
            return None;
        }
        loop {
            let now = self.poller.reader.observations.gitlab_now();
            let recheck = self.recheck_at(now, calls).filter(|at| *at < next);
            let turns = self.turns;
            let reads_past = self.cursor.has_past() && self.past_from <= Instant::now();
            let due = tokio::select! {
                biased;
                swept = self.seat.answered() => return Some(swept),
                () = sleep_until(recheck.unwrap_or(next)) => Due::Time,
                hinted = calls.wanted(debounce) => Due::Hinted(hinted),
                permit = turns.of_past(), if reads_past => Due::Past(permit),
            };
            let project = self.facts.borrow().clone();
            let span = project_span(&project.path);
            match due {
                Due::Past(_permit) => Box::pin(self.read_past(&project)).instrument(span).await,
                Due::Time if recheck.is_none() => return None,
                Due::Time => {
                    let recheck = Box::pin(self.recheck(&project, calls));
                    if !recheck.instrument(span).await {
                        return None;
                    }
                }
                Due::Hinted(hinted) => {
                    let reading = Box::pin(self.read_hinted(&project, hinted));
                    if !reading.instrument(span).await {
                        return None;
                    }
                    next = self.sooner(next);
                }
            }
        }
    }

    /// When the first pipeline is read again before the next cycle: it is doubtful, a webhook named it too soon, or it is
    /// followed up. Without webhooks cycles follow up soon enough.
    fn recheck_at(&self, now: Timestamp, calls: &Calls) -> Option<Instant> {
        let unfinished = || self.cursor.unfinished_in(now);
        let unfinished = self.is_told_by(calls).then(unfinished).flatten();
        let seconds = self.cursor.doubtful_in(now).into_iter().chain(unfinished);
        let wait = seconds
            .min()
            .and_then(|seconds| u64::try_from(seconds).ok());
        let wait = wait.map(|seconds| Duration::from_secs(seconds).max(SHORTEST_RECHECK));
        let due = wait.and_then(|wait| Instant::now().checked_add(wait));
        due.into_iter().chain(self.strangers.ask_at()).min()
    }

    /// Whether the project is polled less because of its webhooks.
    fn is_told_by(&self, calls: &Calls) -> bool {
        self.trust.is_given() || calls.are_usual()
    }

    /// Returns false if a whole cycle is needed as well.
    async fn recheck(&mut self, project: &Project, calls: &Calls) -> bool {
        self.poller.read_doubtful(project, &mut self.cursor).await;
        let trusted = self.trust.is_given();
        if self.is_told_by(calls) {
            let together = self.seat.is_swept();
            let (cursor, trust) = (&mut self.cursor, &mut self.trust);
            let following = self.poller.follow_up(together, project, cursor, trust);
            following.await;
        }
        if trusted && !self.trust.is_given() {
            return false;
        }
        match self.strangers.take_awaited() {
            Some(pipeline) => self.read_hinted(project, Hinted::moved(pipeline)).await,
            None => true,
        }
    }

    /// Returns false if a whole cycle is needed as well.
    async fn read_hinted(&mut self, project: &Project, hinted: Hinted) -> bool {
        let to_read = ToRead {
            hinted,
            together: self.seat.is_swept(),
            turns: self.turns,
        };
        let (cursor, strangers) = (&mut self.cursor, &mut self.strangers);
        let trust = &mut self.trust;
        let reading = self
            .poller
            .read_hinted(project, cursor, strangers, trust, to_read);
        reading.await
    }

    /// When the next cycle begins, after webhooks told that something is going on: a later one may be lost.
    fn sooner(&self, next: Instant) -> Instant {
        let reader = &self.poller.reader;
        let due = Instant::now() + reader.watch.idle_interval;
        if next <= due || !self.cursor.is_active(reader.observations.gitlab_now()) {
            return next;
        }
        self.seat.wait_until(Some(due));
        next.min(due + self.longest_awaited())
    }
}
