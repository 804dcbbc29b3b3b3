//! What an alert is about, with links to the pages here; and what becomes of it.

use maud::{Markup, html};

use super::format::breakable;
use super::grid_path::grid_path;
use super::job_path::job_page_path;
use super::listing::address;
use super::query::PageQuery;
use crate::alerting::{Alert, Delivery, Labels};
use crate::base::human::minute;

/// Names of a job, ref, schedule or project in the labels of an alert; empty where there is none.
pub(super) struct AlertSubject<'a> {
    pub(super) project: &'a str,
    pub(super) ref_name: &'a str,
    pub(super) track: Option<&'a str>,
    pub(super) job: &'a str,
    pub(super) schedule: &'a str,
}

impl<'a> AlertSubject<'a> {
    pub(super) fn of(alert: &'a Alert) -> Self {
        Self {
            project: alert.label("project"),
            ref_name: alert.label("ref"),
            track: Some(alert.label("track")).filter(|track| !track.is_empty()),
            job: alert.label("job_name"),
            schedule: alert.label("schedule"),
        }
    }

    /// Whether it names a job, a ref or a schedule of a project.
    pub(super) fn is_within_project(&self) -> bool {
        let within = [self.ref_name, self.job, self.schedule];
        !self.project.is_empty() && within.iter().any(|name| !name.is_empty())
    }

    /// The page here about it.
    pub(super) fn page(&self) -> Option<String> {
        if self.project.is_empty() {
            return None;
        }
        if !self.schedule.is_empty() {
            return Some(address("/schedules", &[("q", self.schedule)]));
        }
        match (self.ref_name, self.job) {
            ("", "") => Some(PageQuery::of_project(self.project).url(1)),
            ("", job) => Some(address("/", &[("q", job), ("project", self.project)])),
            (ref_name, "") => grid_path(self.project, ref_name, self.track),
            (ref_name, job) => job_page_path(self.project, ref_name, self.track, job),
        }
    }

    /// Name with a link, and place.
    pub(super) fn markup(&self, alert: &Alert) -> Markup {
        let names = [self.job, self.schedule, self.ref_name, self.project];
        let name = names.into_iter().find(|name| !name.is_empty());
        let Some(name) = name else {
            return html! { bdi { (alert.label("instance")) } };
        };
        let place = [self.project, self.ref_name];
        let place = place
            .iter()
            .filter(|part| !part.is_empty() && **part != name);
        html! {
            @match self.page() {
                Some(page) => a href=(page) { (breakable(name)) },
                None => bdi { (name) },
            }
            small {
                @for (at, part) in place.enumerate() { @if at > 0 { " · " } (breakable(part)) }
                @if let Some(track) = self.track { " · " bdi { (track) } }
                @let gitlab = alert.label("gitlab");
                @if !gitlab.is_empty() { " · in GitLab " bdi { (gitlab) } }
            }
        }
    }
}

/// What holds an alert back, each in words.
pub(super) fn held_back(delivery: &Delivery) -> Vec<Markup> {
    let silences = delivery.silences.iter().map(|silence| {
        html! {
            span.badge { "– Silenced" } small {
                "until " (minute(silence.until)) " by " bdi { (silence.author) }
                @if !silence.comment.is_empty() { ": " bdi { (silence.comment) } }
            }
        }
    });
    let inhibited = delivery.inhibited_by.iter().map(|by| {
        html! { span.badge { "– Inhibited" } small { "by " (inhibitor(by)) } }
    });
    let muted = delivery.muted_by.iter().map(|interval| {
        html! { span.badge { "– Muted" } small { "by the time interval " bdi { (interval) } } }
    });
    silences.chain(inhibited).chain(muted).collect()
}

fn inhibitor(labels: &Labels) -> Markup {
    let of = |name: &str| labels.get(name).map_or("", String::as_str);
    let subject = ["job_name", "schedule", "project"].map(of);
    let subject = subject.into_iter().find(|name| !name.is_empty());
    html! {
        bdi { (of("alertname")) }
        @if !["", "none"].contains(&of("severity")) { " (" bdi { (of("severity")) } ")" }
        @if let Some(subject) = subject { " of " bdi { (subject) } }
    }
}
