//! The server under attack, with the jobs of a synthetic company.

use std::net::SocketAddr;
use std::sync::Arc;

use ci_history::{JobRow, TimelineKey, TimelineRows};
use job_failure_exporter::base::listen_address::ListenAddress;
use job_failure_exporter::http::{
    Candidate, DaemonStatus, GridEntry, JobEntry, JobFacts, JobPage, JobQuery, PipelineEntry,
    ProjectStatus, Readiness, RefPipelines, RefStatus, ScheduleEntry, Server, Service, select,
};
use job_failure_exporter::metrics::{Build, Exposition, Telemetry};
use testkit::company;

pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) exposition: Exposition,
    pub(super) company: Arc<Company>,
}

pub(super) struct Company {
    pub(super) timelines: Vec<TimelineRows>,
    /// The owner of each timeline's jobs.
    teams: Vec<Option<Arc<str>>>,
    /// Of each timeline's jobs, as the exporter keeps them.
    facts: Vec<Vec<JobFacts>>,
}

impl Target {
    pub(super) async fn start(jobs: u64) -> Self {
        let build = Build {
            version: "0",
            revision: "0",
        };
        let exposition = Exposition::new(Telemetry::new(build).unwrap());
        let timelines = company::all_timelines(jobs);
        let teams = timelines.iter().map(|rows| company::team(&rows.project));
        let facts = timelines
            .iter()
            .map(|rows| rows.jobs.iter().map(JobFacts::of).collect());
        let company = Arc::new(Company {
            teams: teams.collect(),
            facts: facts.collect(),
            timelines,
        });
        for rows in &company.timelines {
            publish(&exposition, rows);
        }
        let address = ListenAddress::parse("127.0.0.1:0").unwrap();
        let bound = Server::bind(&address).await.unwrap();
        let address = bound.local_addr().unwrap();
        let service = Service::new(exposition.clone(), company.clone(), Arc::new(company::now));
        tokio::spawn(bound.serve(service, std::future::pending()));
        Self {
            address,
            exposition,
            company,
        }
    }
}

/// As after a poll.
pub(super) fn publish(exposition: &Exposition, rows: &TimelineRows) {
    let key = TimelineKey::new(rows.project_id, rows.ref_name.clone());
    let key = key.with_track(rows.track.clone());
    exposition.publish(key, rows, &|project, _| company::team(project));
}

impl DaemonStatus for Company {
    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn projects(&self) -> Vec<ProjectStatus> {
        Vec::new()
    }

    fn refs(&self) -> Vec<RefStatus> {
        Vec::new()
    }

    fn schedules(&self) -> Vec<ScheduleEntry> {
        Vec::new()
    }

    fn grid(&self, _: &str, _: &str, _: Option<&str>, _: usize) -> Option<GridEntry> {
        None
    }

    fn jobs(&self, query: &JobQuery) -> JobPage {
        let with_teams = self.timelines.iter().zip(&self.teams).zip(&self.facts);
        let candidates = with_teams.flat_map(|((timeline, team), facts)| {
            let rows = timeline.jobs.iter().zip(facts);
            rows.map(move |(row, facts)| Candidate {
                project: &timeline.project,
                ref_name: &timeline.ref_name,
                track: timeline.track.as_deref(),
                job_name: &row.name,
                team: team.as_deref(),
                facts,
                item: (timeline, row),
            })
        });
        select(candidates, query).look_up(|(timeline, row)| Some(entry(timeline, row)))
    }

    fn job(&self, project: &str, ref_name: &str, _: Option<&str>, job: &str) -> Option<JobEntry> {
        let mut timelines = self.timelines.iter();
        let timeline =
            timelines.find(|rows| *rows.project == *project && *rows.ref_name == *ref_name)?;
        let row = timeline.jobs.iter().find(|row| *row.name == *job)?;
        Some(entry(timeline, row))
    }

    fn pipelines(&self, _: &str, _: &str, _: Option<&str>) -> Option<RefPipelines> {
        None
    }

    fn pipeline(&self, _: &str, _: u64) -> Option<PipelineEntry> {
        None
    }
}

fn entry(timeline: &TimelineRows, row: &JobRow) -> JobEntry {
    JobEntry {
        project: Arc::clone(&timeline.project),
        project_url: timeline.project_url.clone(),
        ref_name: Arc::clone(&timeline.ref_name),
        track: timeline.track.clone(),
        team: company::team(&timeline.project),
        row: row.clone(),
    }
}
