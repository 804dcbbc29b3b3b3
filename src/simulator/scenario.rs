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
    /// What happens, in a sentence.
    pub about: &'static str,
    script: fn(&mut World),
    in_demo: bool,
}

/// Every scenario.
pub static SCENARIOS: [Scenario; 13] = [
    Scenario {
        name: "demo",
        about: "all of the below in one group, except child-pipelines",
        script: demo,
        in_demo: false,
    },
    Scenario {
        name: "breaks-and-is-fixed",
        about: "acme/shop unit-tests fails in minutes 2 to 5 and passes again from 6",
        script: scripts::breaks_and_is_fixed,
        in_demo: true,
    },
    Scenario {
        name: "stays-broken",
        about: "acme/warehouse import fails from minute 1 and is fixed in minute 26",
        script: scripts::stays_broken,
        in_demo: true,
    },
    Scenario {
        name: "flaky",
        about: "acme/mobile ui-tests passes every second time only after an automatic retry",
        script: scripts::flaky,
        in_demo: true,
    },
    Scenario {
        name: "retry-then-pass",
        about: "acme/api integration-tests fails in minute 3 and passes on a retry by hand",
        script: scripts::retry_then_pass,
        in_demo: true,
    },
    Scenario {
        name: "retry-then-fail",
        about: "acme/billing contract-tests fails in minute 2 and on two retries",
        script: scripts::retry_then_fail,
        in_demo: true,
    },
    Scenario {
        name: "allowed-failure",
        about: "acme/docs link-check fails and is allowed to; spell-check fails, then is allowed to",
        script: scripts::allowed_failure,
        in_demo: true,
    },
    Scenario {
        name: "matrix",
        about: "acme/compiler: `test 2/3` and `build: [linux, arm64]` fail, their siblings do not",
        script: scripts::matrix,
        in_demo: true,
    },
    Scenario {
        name: "canceled",
        about: "acme/website e2e: a canceled pipeline, and a failure withdrawn by a canceled retry",
        script: scripts::canceled,
        in_demo: true,
    },
    Scenario {
        name: "late-pipelines",
        about: "acme/data etl: pipelines with lower ids are seen or end after higher ones",
        script: scripts::late_pipelines,
        in_demo: true,
    },
    Scenario {
        name: "stuck",
        about: "acme/ml train runs for ever, gpu-tests waits for a runner for ever",
        script: scripts::stuck,
        in_demo: true,
    },
    Scenario {
        name: "outage",
        about: "45 jobs of five acme/platform projects fail at once with runner_system_failure",
        script: scripts::outage,
        in_demo: true,
    },
    Scenario {
        name: "child-pipelines",
        about: "acme/monorepo: a trigger job whose child pipeline fails every second time",
        script: scripts::child_pipelines,
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
