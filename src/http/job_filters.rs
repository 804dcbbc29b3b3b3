//! The form that filters and sorts the list of jobs.

use std::collections::BTreeSet;

use ci_history::FailureClass;
use maud::{Markup, html};

use super::job_state::JobState;
use super::listing::sort_fields;
use super::query::{NO_TRACK, PageQuery};
use super::selection::JobFilter;
use super::status::RefStatus;

/// Suggestions of a field at most.
const SUGGESTIONS: usize = 500;

pub(super) fn job_filters(query: &PageQuery, refs: &[RefStatus]) -> Markup {
    let filter = &query.wanted.filter;
    let has_more = filter.project.is_some()
        || filter.ref_name.is_some()
        || filter.track.is_some()
        || filter.team.is_some()
        || filter.class.is_some();
    html! {
        form.filters action="/" method="get" role="search" {
            label.grow { span { "Project, ref, job or team" }
                input type="search" name="q" value=(filter.text);
            }
            label { span { "State" }
                select name="state" {
                    option value="" { "any" }
                    @for state in JobState::ALL {
                        option value=(state.as_str()) selected[filter.state == Some(state)] { (state.words()) }
                    }
                }
            }
            details open[has_more] {
                summary { "More filters, order" }
                div { (more_fields(filter, refs)) (sort_fields(query.wanted.sorting())) }
            }
            button { "Show" }
            @if *filter != JobFilter::default() { a.clear href="/" { "Clear" } }
        }
    }
}

fn more_fields(filter: &JobFilter, refs: &[RefStatus]) -> Markup {
    let projects: BTreeSet<&str> = refs.iter().map(|it| &*it.project).collect();
    let names: BTreeSet<&str> = refs.iter().map(|it| &*it.ref_name).collect();
    let mut tracks: BTreeSet<&str> = refs.iter().filter_map(|it| it.track.as_deref()).collect();
    let track = filter.track.as_deref();
    tracks.extend(track.filter(|track| !track.is_empty()));
    html! {
        (suggesting("Project", "project", filter.project.as_deref(), &projects))
        (suggesting("Ref", "ref", filter.ref_name.as_deref(), &names))
        label { span { "Track" }
            select name="track" {
                option value="" { "any" }
                option value=(NO_TRACK) selected[track == Some("")] { "without a track" }
                @for name in tracks.into_iter().take(SUGGESTIONS) {
                    option value=(name) selected[track == Some(name)] { (name) }
                }
            }
        }
        label { span { "Team" } input name="team" value=[filter.team.as_deref()]; }
        label { span { "Class of the last failure" }
            select name="class" {
                option value="" { "any" }
                @for class in FailureClass::ALL {
                    option value=(class.as_str()) selected[filter.class == Some(class)] { (class.as_str()) }
                }
            }
        }
    }
}

/// A field with the possible values, as far as they are not too many.
fn suggesting(words: &str, name: &str, value: Option<&str>, values: &BTreeSet<&str>) -> Markup {
    let list = format!("all-{name}s");
    html! {
        label { span { (words) } input name=(name) value=[value] list=(list); }
        datalist id=(list) {
            @for value in values.iter().take(SUGGESTIONS) { option value=(value) {} }
        }
    }
}
