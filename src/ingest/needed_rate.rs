//! Requests a second that polling needs to keep up with what is watched. Pure.
//!
//! Before polling has run for a while the rate is estimated from the configuration and the number of projects. Afterwards
//! it is what the last rounds asked for, see `demand.rs`.

use std::fmt;
use std::time::Duration;

use super::intervals::{
    DISCOVERY_INTERVAL, FEWEST_PROJECTS, FIRST_DETAILS, FIRST_SIZE, INTERVALS, INTERVALS_WITHOUT,
    LISTED_ANYWAY, SCHEDULES_ANYWAY,
};
use crate::base::human::{rate, thousands};
use crate::config::{Api, Watch};

/// Share of projects with a running pipeline, where nothing better is known.
pub const USUAL_ACTIVE_SHARE: f64 = 0.05;

/// Projects of one page of a group's list.
const PROJECTS_OF_A_PAGE: usize = 100;

/// A running pipeline has up to a page of jobs, and runs for so long on average.
const PIPELINE: Duration = Duration::from_mins(10);

/// Requests about a pipeline besides those for its jobs in each interval: at its beginning and end.
const BESIDES_JOBS: f64 = 2.0;

/// Requests a second, by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NeededRate {
    /// To learn which pipelines moved, and which projects there are.
    pub listings: f64,
    /// To read the jobs of pipelines.
    pub details: f64,
    /// To read schedules.
    pub schedules: f64,
}

impl NeededRate {
    /// The rate for so many projects, of which this share (0 to 1) has a running pipeline with up to 100 jobs and without
    /// child pipelines. The same share is taken to have schedules.
    pub fn estimated(watch: &Watch, api: Api, projects: usize, active_share: f64) -> Self {
        let all = projects as f64;
        let active = all * active_share.clamp(0.0, 1.0);
        let quiet = all - active;
        let per = |interval: Duration| 1.0 / interval.as_secs_f64();
        let every = per(watch.interval);
        let idle = per(watch.idle_interval);
        let listings = if is_swept(api, projects) {
            let sweep = projects.div_ceil(FIRST_SIZE) as f64;
            sweep * every + all * per(LISTED_ANYWAY)
        } else {
            active * every + quiet * idle
        };
        let details = if is_swept(api, projects) {
            (active / FIRST_DETAILS as f64).ceil() * every
        } else {
            active * every
        };
        let of_quiet = if is_swept(api, projects) {
            per(SCHEDULES_ANYWAY)
        } else {
            idle / f64::from(INTERVALS_WITHOUT)
        };
        let of_active = idle / f64::from(INTERVALS);
        let schedules =
            (active * of_active + quiet * of_quiet) * f64::from(u8::from(watch.schedules));
        Self {
            listings: listings + Self::of_discovery(watch, projects),
            details: details + active * BESIDES_JOBS * per(PIPELINE),
            schedules,
        }
    }

    /// Requests a second to learn which projects there are, of so many.
    pub fn of_discovery(watch: &Watch, projects: usize) -> f64 {
        let named = watch.projects.len().min(projects);
        let pages = (projects - named).div_ceil(PROJECTS_OF_A_PAGE) + named;
        pages as f64 / DISCOVERY_INTERVAL.as_secs_f64()
    }

    /// All requests a second.
    pub fn per_second(&self) -> f64 {
        self.listings + self.details + self.schedules
    }

    /// All requests an hour.
    pub fn per_hour(&self) -> f64 {
        self.per_second() * 3600.0
    }

    /// What to do where only `allowed` requests a second may be sent; `None` if that is enough.
    pub fn advice(&self, allowed: f64) -> Option<String> {
        let needed = self.per_second();
        (needed > allowed).then(|| too_slow(needed, allowed))
    }
}

impl fmt::Display for NeededRate {
    /// `2.3 requests a second (8,400 an hour: 2,400 listings, 6,000 for jobs, 0 for schedules)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hour = |per_second: f64| thousands(format_args!("{:.0}", (per_second * 3600.0).ceil()));
        write!(
            f,
            "{} requests a second ({} an hour: {} for lists, {} for jobs, {} for schedules)",
            rate(self.per_second()),
            hour(self.per_second()),
            hour(self.listings),
            hour(self.details),
            hour(self.schedules)
        )
    }
}

/// Whether sweeps tell which of so many projects moved.
fn is_swept(api: Api, projects: usize) -> bool {
    match api {
        Api::Rest => false,
        Api::Graphql => true,
        Api::Auto => projects >= FEWEST_PROJECTS,
    }
}

/// What is told where `needed` requests a second are more than `allowed`.
pub fn too_slow(needed: f64, allowed: f64) -> String {
    format!(
        "polling needs {} requests a second and may send {}: what is exposed gets old. Raise `gitlab.requests_per_second` \
         (and GitLab's own limit, if that is lower), raise `watch.interval` and `watch.idle_interval`, set up webhooks, or \
         watch less",
        rate(needed),
        rate(allowed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    fn watch(also: &str) -> Watch {
        let overrides = Overrides {
            groups: vec!["acme".to_owned()],
            ..Overrides::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yml");
        std::fs::write(&file, also).unwrap();
        let config = Config::load(Some(&file), &overrides, &|_| None);
        config.unwrap().watch
    }

    #[test]
    fn a_thousand_projects_need_what_their_intervals_say() {
        let watch = watch("watch: {schedules: false}");
        let idle = NeededRate::estimated(&watch, Api::Rest, 1000, 0.0);
        let discovery = 10.0 * 6.0;
        // A list of each project every five minutes.
        assert!((idle.per_hour() - 12_000.0 - discovery).abs() < 1.0);
        let swept = NeededRate::estimated(&watch, Api::Auto, 1000, 0.0);
        // Twenty requests every thirty seconds.
        let rare = 1000.0 * 3600.0 / LISTED_ANYWAY.as_secs_f64();
        assert!((swept.per_hour() - 2_400.0 - rare - discovery).abs() < 1.0);
        let busy = NeededRate::estimated(&watch, Api::Auto, 1000, USUAL_ACTIVE_SHARE);
        // Fifty pipelines read every thirty seconds, ten with each request.
        assert!((1_190.0..1_300.0).contains(&(busy.details * 3600.0)));
        let by_rest = NeededRate::estimated(&watch, Api::Rest, 1000, USUAL_ACTIVE_SHARE);
        assert!((6_600.0..6_700.0).contains(&(by_rest.details * 3600.0)));
        assert!(busy.per_hour() < 5_000.0, "{busy}");
    }

    #[test]
    fn few_projects_are_not_swept_and_schedules_cost_by_their_interval() {
        let watch = watch("");
        let few = NeededRate::estimated(&watch, Api::Auto, FEWEST_PROJECTS - 1, 0.0);
        assert_eq!(
            few,
            NeededRate::estimated(&watch, Api::Rest, FEWEST_PROJECTS - 1, 0.0)
        );
        assert!(few.schedules > 0.0);
        let nothing = NeededRate::estimated(&watch, Api::Auto, 0, 0.5);
        assert_eq!(nothing, NeededRate::default());
        let all = NeededRate::estimated(&watch, Api::Auto, 10, 7.0);
        assert_eq!(all, NeededRate::estimated(&watch, Api::Auto, 10, 1.0));
    }

    #[test]
    fn a_rate_above_what_is_allowed_is_told_with_figures_and_advice() {
        let needed = NeededRate {
            listings: 1.25,
            details: 2.0,
            schedules: 0.25,
        };
        assert_eq!(needed.advice(3.5), None);
        let advice = needed.advice(1.389).unwrap();
        assert!(
            advice.starts_with("polling needs 3.5 requests a second and may send 1.39"),
            "{advice}"
        );
        assert!(advice.contains("`gitlab.requests_per_second`"));
        assert_eq!(
            needed.to_string(),
            "3.5 requests a second (12,600 an hour: 4,500 for lists, 7,200 for jobs, 900 for schedules)"
        );
    }
}
