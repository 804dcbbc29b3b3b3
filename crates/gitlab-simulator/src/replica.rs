//! A database replica of the simulated GitLab that stays behind and answers some of the requests.

use super::graphql;
use super::world::World;

/// What a replica had when it fell behind, and which requests it answers.
pub(super) struct Replica {
    world: World,
    /// Endpoints: method and pattern, or `graphql`. Empty: all.
    endpoints: Vec<String>,
    /// It gives every so many answers.
    every: u32,
    answers: u32,
}

impl Replica {
    /// A replica that knows what the world has now, and nothing later.
    pub(super) fn of(world: &World, endpoints: &[&str], every: u32) -> Self {
        Self {
            world: world.replica(),
            endpoints: endpoints.iter().map(|it| (*it).to_owned()).collect(),
            every,
            answers: 0,
        }
    }

    /// The world as it shows it, if it gives the answer to this request.
    pub(super) fn answering(&mut self, endpoint: &str) -> Option<&mut World> {
        let is_asked = self.endpoints.is_empty() || self.endpoints.iter().any(|it| it == endpoint);
        let reads = endpoint.starts_with("GET ") || endpoint == graphql::ENDPOINT;
        if !is_asked || !reads {
            return None;
        }
        self.answers = self.answers.wrapping_add(1);
        let is_next = self.answers.is_multiple_of(self.every);
        is_next.then_some(&mut self.world)
    }
}

impl World {
    /// The data of this moment, without future and without receivers of webhooks.
    fn replica(&self) -> Self {
        let mut replica = Self::new(self.now, 0);
        replica.base_url.clone_from(&self.base_url);
        replica.accounts.clone_from(&self.accounts);
        replica.settings.clone_from(&self.settings);
        replica.refs.clone_from(&self.refs);
        replica.titles.clone_from(&self.titles);
        replica.groups.clone_from(&self.groups);
        replica.projects.clone_from(&self.projects);
        replica.pipelines.clone_from(&self.pipelines);
        let by_project = &self.pipelines_by_project;
        replica.pipelines_by_project.clone_from(by_project);
        replica.bridges.clone_from(&self.bridges);
        replica.jobs.clone_from(&self.jobs);
        replica.jobs_by_pipeline.clone_from(&self.jobs_by_pipeline);
        replica.schedules.clone_from(&self.schedules);
        replica.logs.clone_from(&self.logs);
        replica.erased_logs.clone_from(&self.erased_logs);
        replica.files.clone_from(&self.files);
        replica
    }
}
