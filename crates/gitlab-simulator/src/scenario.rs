//! The named scenarios.

use std::time::Duration;

use super::by_hand::retried_by_hand;
use super::comebacks::comebacks;
use super::scripts;
use super::world::World;

/// A sequence of events with a known truth.
///
/// A script covers at least the first ten simulated minutes. Random pipelines follow, determined by the
/// seed of the world.
pub struct Scenario {
    /// Name on the command line.
    pub name: &'static str,
    /// Description in a few words. All projects are in the group `acme`.
    pub about: &'static str,
    script: fn(&mut World),
    in_demo: bool,
}

/// Every scenario.
pub static SCENARIOS: [Scenario; 16] = [
    Scenario {
        name: "demo",
        about: "all scenarios except child-pipelines, schedules and comebacks",
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
        about: "mobile ui-tests: every second execution passes on a retry",
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
        about: "billing contract-tests fails in all three attempts",
        script: scripts::retry_then_fail,
        in_demo: true,
    },
    Scenario {
        name: "allowed-failure",
        about: "docs link-check and spell-check are allowed to fail and do",
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
        about: "data etl: lower ids appear or end after higher ones",
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
    Scenario {
        name: "comebacks",
        about: "payments: failures that pass on the first, second or no retry",
        script: comebacks,
        in_demo: false,
    },
    Scenario {
        name: "retried-by-hand",
        about: "storefront: failures of all kinds that people retry nine minutes later",
        script: retried_by_hand,
        in_demo: true,
    },
];

impl Scenario {
    /// The scenario with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// Creates the projects in a new world and plans the events.
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
