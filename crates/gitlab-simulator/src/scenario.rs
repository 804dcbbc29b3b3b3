//! The named scenarios: which there are, and how one fills a world.

use std::time::Duration;

use super::scripts;
use super::world::World;

/// A course of events with a known truth.
///
/// The script runs over the first ten simulated minutes and more; then pipelines go on at random,
/// drawn from the world's seed.
pub struct Scenario {
    /// Name, as the command line has it.
    pub name: &'static str,
    /// What happens, in a few words; projects are below the group `acme`.
    pub about: &'static str,
    script: fn(&mut World),
    in_demo: bool,
}

/// Every scenario.
pub static SCENARIOS: [Scenario; 14] = [
    Scenario {
        name: "demo",
        about: "all of these but child-pipelines and schedules",
        script: demo,
        in_demo: false,
    },
    Scenario {
        name: "breaks-and-is-fixed",
        about: "shop unit-tests fails in minutes 2 to 5",
        script: scripts::breaks_and_is_fixed,
        in_demo: true,
    },
    Scenario {
        name: "stays-broken",
        about: "warehouse import fails in minutes 1 to 25",
        script: scripts::stays_broken,
        in_demo: true,
    },
    Scenario {
        name: "flaky",
        about: "mobile ui-tests: every second one passes on a retry",
        script: scripts::flaky,
        in_demo: true,
    },
    Scenario {
        name: "retry-then-pass",
        about: "api integration-tests is retried by hand and passes",
        script: scripts::retry_then_pass,
        in_demo: true,
    },
    Scenario {
        name: "retry-then-fail",
        about: "billing contract-tests fails three times over",
        script: scripts::retry_then_fail,
        in_demo: true,
    },
    Scenario {
        name: "allowed-failure",
        about: "docs link-check and spell-check may fail and do",
        script: scripts::allowed_failure,
        in_demo: true,
    },
    Scenario {
        name: "matrix",
        about: "compiler: two jobs of two matrices fail",
        script: scripts::matrix,
        in_demo: true,
    },
    Scenario {
        name: "canceled",
        about: "website e2e: a canceled pipeline, a canceled retry",
        script: scripts::canceled,
        in_demo: true,
    },
    Scenario {
        name: "late-pipelines",
        about: "data etl: lower ids are seen or end after higher ones",
        script: scripts::late_pipelines,
        in_demo: true,
    },
    Scenario {
        name: "stuck",
        about: "ml train runs for ever, gpu-tests waits for ever",
        script: scripts::stuck,
        in_demo: true,
    },
    Scenario {
        name: "outage",
        about: "45 jobs of platform/* fail at once, minutes 3 and 4",
        script: scripts::outage,
        in_demo: true,
    },
    Scenario {
        name: "child-pipelines",
        about: "monorepo: every second child pipeline fails",
        script: scripts::child_pipelines,
        in_demo: false,
    },
    Scenario {
        name: "schedules",
        about: "nightly: one schedule runs, one starts nothing, one is off",
        script: scripts::schedules,
        in_demo: false,
    },
];

impl Scenario {
    /// The scenario of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Creates its projects in a new world and plans what is to happen.
    pub fn fill(&self, world: &mut World) {
        (self.script)(world);
        world.advance(Duration::ZERO);
    }
}

fn demo(world: &mut World) {
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.in_demo) {
        (scenario.script)(world);
    }
    let attic = world.create_project("acme/attic");
    if let Some(project) = world.project_mut(attic) {
        project.archived = true;
    }
}
