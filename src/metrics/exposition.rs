//! The exposed text: rendered when a timeline changes, handed to a scrape as it is.
//!
//! By hand: the registry of `prometheus` renders every series at every scrape, which at 200,000 jobs takes several
//! times the time and memory. It keeps to the exporter's own metrics.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ci_history::{JobRow, Span, TimelineKey, TimelineRows, Timestamp};

use super::families::{JOBS, PIPELINES, PROJECTS};
use super::format::Format;
use super::fragments::{Deflater, Deflaters, Fragments};
use super::limits::Limit;
use super::options::ExpositionOptions;
use super::own_figures::OwnFigures;
use super::page::{Group, Headers, Snapshot};
use super::pieces::Pieces;
use super::polls::ProjectPolls;
use super::render::{exposed, headers, render, render_project};
use super::render_cache::{RenderCache, Rendered, SortKey};
use super::schedules::{self, SCHEDULES, ScheduleRow};
use super::telemetry::Telemetry;
use super::text::{LABEL_BYTES, shown};
use crate::base::api::ErrorClass;
use crate::base::project_problem::ProjectProblem;

/// Everything that is exposed. Clones share it.
#[derive(Clone)]
pub struct Exposition(Arc<Shared>);

/// The text of timelines, projects and schedules.
type Texts = (Vec<Arc<Rendered>>, Vec<Arc<Fragments>>, Vec<Arc<Fragments>>);

struct Shared {
    telemetry: Telemetry,
    options: ExpositionOptions,
    timeline_headers: Headers,
    project_headers: Headers,
    schedule_headers: Headers,
    own_header: Headers,
    /// For timelines, several of which may be rendered at a time.
    deflaters: Deflaters,
    /// For projects and schedules, which never wait for a timeline.
    project_deflater: Mutex<Deflater>,
    timelines: RenderCache,
    /// Locked to put text in its place or to copy references, never to render.
    projects: RwLock<Projects>,
    /// As the projects.
    schedules: RwLock<Schedules>,
}

/// Some or all pieces of a timeline's text, not shown yet.
pub struct RenderedTimeline {
    /// With their numbers.
    pieces: Vec<(usize, Arc<Rendered>)>,
    is_whole: bool,
    /// Whether they are not compressed yet.
    is_plain: bool,
    sort_key: SortKey,
}

/// Projects by path, with their rendered text.
type Projects = BTreeMap<Arc<str>, (ProjectPolls, Arc<Fragments>)>;

/// Schedules by the project's path, with their rendered text.
type Schedules = BTreeMap<Arc<str>, (Arc<[ScheduleRow]>, Arc<Fragments>)>;

impl Exposition {
    /// Starts with the exporter's own metrics alone.
    pub fn new(telemetry: Telemetry) -> Self {
        Self::with_options(telemetry, ExpositionOptions::default())
    }

    /// The same, with other options.
    pub fn with_options(telemetry: Telemetry, options: ExpositionOptions) -> Self {
        let timelines = JOBS.iter().map(|family| family.described);
        let timelines = timelines.chain(PIPELINES.iter().map(|family| family.described));
        let projects = PROJECTS.iter().map(|family| family.described);
        let schedules = SCHEDULES.iter().map(|family| family.described);
        let mut deflater = Deflater::new();
        Self(Arc::new(Shared {
            telemetry,
            options,
            timeline_headers: headers(&mut deflater, &timelines),
            project_headers: headers(&mut deflater, &projects),
            schedule_headers: headers(&mut deflater, &schedules),
            // The `prometheus` crate writes its headers itself.
            own_header: {
                deflater.push("");
                let none = Arc::new(deflater.finish(0));
                Headers {
                    text: none.clone(),
                    open_metrics: none,
                }
            },
            deflaters: Deflaters::default(),
            project_deflater: Mutex::new(Deflater::new()),
            timelines: RenderCache::default(),
            projects: RwLock::default(),
            schedules: RwLock::default(),
        }))
    }

    /// The exporter's own metrics.
    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// Renders a timeline and replaces the text that was published for the key.
    pub fn publish(
        &self,
        key: TimelineKey,
        rows: &TimelineRows,
        team: &dyn Fn(&str, &str) -> Option<Arc<str>>,
    ) {
        self.show(key, self.render(rows, &Pieces::whole(rows), team));
    }

    /// Renders and compresses pieces of a timeline, and shows nothing yet. The rows are those of the pieces.
    ///
    /// `team` says who owns a job, given the project's path and the job's name.
    pub fn render(
        &self,
        rows: &TimelineRows,
        pieces: &Pieces,
        team: &dyn Fn(&str, &str) -> Option<Arc<str>>,
    ) -> RenderedTimeline {
        let mut rest = &rows.jobs[..];
        let pieces_of_rows = pieces.sizes().iter().map(|(number, jobs)| {
            let (of_piece, after) = rest.split_at(*jobs);
            rest = after;
            (*number, of_piece)
        });
        let is_plain = !pieces.is_whole() && self.0.timelines.has_room_for_plain();
        let deflaters = &self.0.deflaters;
        let rendered = deflaters.with(is_plain, |deflater| {
            let rendered = pieces_of_rows.map(|(number, of_piece)| {
                let piece = self.render_piece(deflater, rows, number == 0, of_piece, team);
                (number, Arc::new(piece))
            });
            rendered.collect()
        });
        RenderedTimeline {
            pieces: rendered,
            is_plain,
            is_whole: pieces.is_whole(),
            sort_key: SortKey {
                project: Arc::from(shown(&rows.project)),
                ref_name: Arc::from(shown(&rows.ref_name)),
                track: rows.track.clone(),
                newest_first: Reverse(rows.project_id),
            },
        }
    }

    fn render_piece(
        &self,
        deflater: &mut Deflater,
        rows: &TimelineRows,
        is_first: bool,
        of_piece: &[JobRow],
        team: &dyn Fn(&str, &str) -> Option<Arc<str>>,
    ) -> Rendered {
        let jobs = exposed(rows, of_piece, team, &self.0.options);
        let names = jobs.iter().map(|job| &job.row.name);
        let of_timeline = is_first.then_some([&rows.project, &rows.ref_name]);
        let names = names.chain(of_timeline.into_iter().flatten());
        let cut = names.filter(|name| name.len() > LABEL_BYTES).count();
        if cut > 0 {
            self.telemetry().limit_reached(Limit::LabelBytes, cut);
        }
        Rendered {
            fragments: Arc::new(render(deflater, rows, &jobs, is_first, &self.0.options)),
            timelines: u64::from(is_first),
            jobs: jobs.len() as u64,
        }
    }

    /// Shows rendered pieces in place of what was shown for the key. Quick: takes no time to render. Calls
    /// for one key must come in the order of their renderings; the last one stays.
    pub fn show(&self, key: TimelineKey, timeline: RenderedTimeline) {
        let RenderedTimeline {
            pieces,
            is_whole,
            is_plain,
            sort_key,
        } = timeline;
        if is_whole {
            let pieces = pieces.into_iter().map(|(_, piece)| piece).collect();
            self.0.timelines.put(key, sort_key, pieces);
        } else {
            self.0.timelines.put_some(&sort_key, pieces, is_plain);
        }
    }

    /// Compresses what was shown since the last call without being compressed: changes that follow each other quickly are
    /// compressed once.
    pub fn compress(&self) {
        let timelines = &self.0.timelines;
        for plain in timelines.take_plain() {
            let compressed = self.0.deflaters.with(false, |deflater| {
                let fragments = plain.rendered.fragments.compressed(deflater);
                Rendered {
                    fragments: Arc::new(fragments),
                    ..Rendered::clone(&plain.rendered)
                }
            });
            timelines.replace(&plain, compressed);
        }
    }

    /// Shows nothing for the key any longer.
    pub fn remove(&self, key: &TimelineKey) {
        self.0.timelines.take(key);
    }

    /// Shows a project and its default branch; one that was not polled yet has its errors at zero.
    pub fn watch_project(&self, project: &Arc<str>, default_branch: Option<&Arc<str>>) {
        self.update_project(project, |polls| {
            polls.default_branch = default_branch.cloned();
        });
    }

    /// Shows why a project is not watched as the configuration says, or that it is.
    pub fn project_problem(&self, project: &Arc<str>, problem: Option<ProjectProblem>) {
        self.update_project(project, |polls| polls.problem = problem);
    }

    /// A project was polled without an error, by our clock and by GitLab's.
    pub fn poll_succeeded(&self, project: &Arc<str>, at: Timestamp, by_gitlab: Timestamp) {
        self.telemetry().polls(true).inc();
        self.update_project(project, |polls| {
            polls.last_success = Some(at);
            polls.last_success_by_gitlab = Some(by_gitlab);
        });
    }

    /// A project is polled at this interval while it is quiet, because its webhooks tell of everything; `None`: it is polled
    /// at the usual pace.
    pub fn polled_seldom(&self, project: &Arc<str>, interval: Option<Duration>) {
        let interval = interval.and_then(|it| Span::from_seconds(it.as_secs_f64()));
        self.update_project(project, |polls| polls.seldom_interval = interval);
    }

    /// The schedules of a project were read without an error.
    pub fn schedules_read(&self, project: &Arc<str>, at: Timestamp) {
        self.update_project(project, |polls| polls.schedules_read = Some(at));
    }

    /// A poll of a project failed.
    pub fn poll_failed(&self, project: &Arc<str>, reason: ErrorClass) {
        self.telemetry().polls(false).inc();
        self.update_project(project, |polls| polls.errors[reason as usize] += 1);
    }

    /// How polling the project went; `None` if it is not shown.
    pub fn project(&self, project: &str) -> Option<ProjectPolls> {
        let projects = self.projects();
        projects
            .get(&*shown(project))
            .map(|(polls, _)| polls.clone())
    }

    /// Shows these schedules of the project, and no others; in the order of their ids.
    pub fn publish_schedules(&self, project: &str, rows: &[ScheduleRow]) {
        let mut deflater = self.project_deflater();
        let fragments = schedules::render(&mut deflater, project, rows, &self.0.options);
        let project = Arc::from(shown(project));
        let mut schedules = self
            .0
            .schedules
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if rows.is_empty() {
            schedules.remove(&project);
        } else {
            schedules.insert(project, (rows.into(), Arc::new(fragments)));
        }
    }

    /// The schedules of a project that are shown.
    pub fn schedules(&self, project: &str) -> Arc<[ScheduleRow]> {
        let schedules = self.0.schedules.read();
        let schedules = schedules.unwrap_or_else(PoisonError::into_inner);
        let found = schedules.get(&*shown(project));
        found.map(|(rows, _)| Arc::clone(rows)).unwrap_or_default()
    }

    /// Shows nothing for the project any longer.
    pub fn remove_project(&self, project: &str) {
        self.publish_schedules(project, &[]);
        self.projects_mut().remove(&*shown(project));
    }

    /// Shows the projects of another exposition as they are there, and their schedules if those are read on.
    pub fn take_projects(&self, other: &Self, with_schedules: bool) {
        let projects = other.projects().clone();
        *self.projects_mut() = projects;
        if with_schedules {
            let schedules = other.0.schedules.read();
            let schedules = schedules.unwrap_or_else(PoisonError::into_inner).clone();
            *self
                .0
                .schedules
                .write()
                .unwrap_or_else(PoisonError::into_inner) = schedules;
        }
    }

    /// The exporter's own metrics read back, with what is exposed now.
    pub fn own_figures(&self) -> OwnFigures {
        self.texts();
        self.telemetry().own_figures()
    }

    /// What is exposed now, in the text format.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_as(Format::Text)
    }

    /// What is exposed now.
    pub fn snapshot_as(&self, format: Format) -> Snapshot {
        let (timelines, projects, schedules) = self.texts();
        let text = format.of_text(self.telemetry().text()) + format.end();
        let own = self.0.deflaters.with(false, |deflater| {
            deflater.push(&text);
            deflater.finish(0)
        });
        let timelines = timelines.iter().map(|text| Arc::clone(&text.fragments));
        let groups = [
            Group {
                headers: self.0.timeline_headers.clone(),
                items: timelines.collect(),
            },
            Group {
                headers: self.0.project_headers.clone(),
                items: projects,
            },
            Group {
                headers: self.0.schedule_headers.clone(),
                items: schedules,
            },
            Group {
                headers: self.0.own_header.clone(),
                items: vec![Arc::new(own)],
            },
        ];
        Snapshot::new(format, groups)
    }

    /// The text of timelines, projects and schedules, counted in the exporter's own metrics.
    fn texts(&self) -> Texts {
        let timelines = self.0.timelines.joined();
        let projects = self.projects();
        let projects: Vec<_> = projects
            .values()
            .map(|(_, text)| Arc::clone(text))
            .collect();
        let schedules = self
            .0
            .schedules
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let schedules: Vec<_> = schedules
            .values()
            .map(|(_, text)| Arc::clone(text))
            .collect();
        self.count(&timelines, &projects, &schedules);
        (timelines, projects, schedules)
    }

    fn count(
        &self,
        timelines: &[Arc<Rendered>],
        projects: &[Arc<Fragments>],
        schedules: &[Arc<Fragments>],
    ) {
        let texts = timelines.iter().map(|text| &text.fragments);
        let samples = texts.chain(projects).chain(schedules);
        let samples = samples.map(|fragments| fragments.samples);
        let jobs = timelines.iter().map(|text| text.jobs);
        let refs = timelines.iter().map(|text| text.timelines);
        self.telemetry()
            .exposed(refs.sum(), jobs.sum(), samples.sum());
    }

    fn update_project(&self, project: &Arc<str>, change: impl FnOnce(&mut ProjectPolls)) {
        let project: Arc<str> = match shown(project) {
            std::borrow::Cow::Borrowed(_) => Arc::clone(project),
            std::borrow::Cow::Owned(text) => Arc::from(text),
        };
        // Held to the end, so that no change made meanwhile is lost.
        let mut deflater = self.project_deflater();
        let mut polls = self.project(&project).unwrap_or_default();
        change(&mut polls);
        let fragments = Arc::new(render_project(
            &mut deflater,
            &project,
            &polls,
            &self.0.options,
        ));
        self.projects_mut().insert(project, (polls, fragments));
    }

    // A panic while a lock is held leaves whole entries behind: they are still worth showing.

    fn project_deflater(&self) -> MutexGuard<'_, Deflater> {
        self.0
            .project_deflater
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn projects(&self) -> RwLockReadGuard<'_, Projects> {
        self.0
            .projects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn projects_mut(&self) -> RwLockWriteGuard<'_, Projects> {
        self.0
            .projects
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
