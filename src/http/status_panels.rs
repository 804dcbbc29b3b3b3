//! The panels of the status page.

use ci_history::Timestamp;
use maud::{Markup, html};

use super::format::{ago, link};
use super::status_view::{StatusView, WebConfigView};
use crate::base::human::{self, span, utc};

/// All panels, the most telling first.
pub(super) fn panels(view: &StatusView) -> Markup {
    html! {
        section.panels {
            (polling(view))
            (requests(view))
            (gitlab(view))
            (store(view))
            (webhooks(view))
            (program(view))
        }
    }
}

fn polling(view: &StatusView) -> Markup {
    let round = &view.first_round;
    html! {
        div.panel {
            h2 { "Polling" }
            dl.facts {
                dt { "First round" }
                dd { @if round.ended { "✓ ended" } @else { "… " (round.projects_polled) " of " (round.projects) } }
                @if let Some(left) = round.seconds_left {
                    dt { "Time left" } dd { "about " (span(left.as_secs_f64())) }
                }
                @if round.projects_with_past > 0 {
                    dt { "Older pipelines" } dd { "still to be read of " (round.projects_with_past) " projects" }
                }
                dt { "Projects polled" } dd { (round.projects_polled) " of " (round.projects) }
                dt { "Last poll failed" } dd { (round.projects_failing) }
                dt { "Refs and tracks" } dd { (view.exposed.timelines) }
                dt { "Jobs" } dd { (view.exposed.jobs) }
                dt { "Series" } dd { (view.exposed.series) }
            }
            @if !round.ended && round.projects > 0 {
                progress max=(round.projects) value=(round.projects_polled) aria-label="First round of polling" {}
            }
            p { a href="/projects" { "All projects" } }
        }
    }
}

fn requests(view: &StatusView) -> Markup {
    let requests = &view.requests;
    let breaker = &view.circuit_breaker;
    html! {
        div.panel {
            h2 { "Requests to GitLab" }
            dl.facts {
                dt { "At most" } dd { (rate(requests.per_second)) }
                @if requests.per_second_now < requests.per_second {
                    dt { "Now, by GitLab's budget" } dd { (rate(requests.per_second_now)) }
                }
                dt { "Needed to keep up" }
                dd { @match requests.needed_per_second { Some(needed) => (rate(needed)), None => span.faint { "not known yet" } } }
                dt { "In the last minute" } dd { (requests.last_minute) }
                dt { "Waiting" } dd { (requests.waiting) }
                dt { "Left of GitLab's budget" }
                dd { @match requests.budget_remaining { Some(left) => (left), None => span.faint { "not told" } } }
                dt { "Pause" }
                dd { @match requests.paused_seconds { Some(left) => { "for " (span(left.as_secs_f64())) }, None => "none" } }
                dt { "Circuit breaker" }
                dd { @if breaker.state == "closed" { "✓ closed" } @else { "✕ " (breaker.state.replace('_', " ")) } }
                @if let Some(left) = breaker.next_probe_seconds {
                    dt { "Next probe" } dd { "in " (span(left.as_secs_f64())) }
                }
            }
        }
    }
}

/// `10 a second`.
fn rate(per_second: f64) -> Markup {
    html! { (human::rate(per_second)) " a second" }
}

fn gitlab(view: &StatusView) -> Markup {
    let gitlab = &view.gitlab;
    html! {
        div.panel {
            h2 { "GitLab" }
            p { (link(Some(&gitlab.url), &html! { bdi { (gitlab.url) } })) }
            dl.facts {
                dt { "Version" }
                dd { @match &gitlab.version { Some(version) => bdi { (version) }, None => span.faint { "not told" } } }
                dt { "Token" } dd { @if gitlab.has_token { "given" } @else { "none: public projects only" } }
                dt { "Its scopes" }
                dd { @match &gitlab.token_scopes { Some(scopes) => bdi { (scopes.join(", ")) }, None => span.faint { "not told" } } }
                dt { "Its end" } dd { (end(gitlab.token_expiry, view.now)) }
            }
        }
    }
}

/// The end of something: `in 20 d`.
fn end(time: Option<Timestamp>, now: Timestamp) -> Markup {
    let Some(time) = time else {
        return html! { span.faint { "none told" } };
    };
    let left = time.unix().saturating_sub(now.unix());
    match u64::try_from(left) {
        Err(_) => ago(time, now),
        Ok(left) => {
            let text = utc(time.unix());
            let words = span(std::time::Duration::from_secs(left).as_secs_f64());
            html! { time datetime=(text) title=(text) { "in " (words) } }
        }
    }
}

fn store(view: &StatusView) -> Markup {
    let store = &view.store;
    html! {
        div.panel {
            h2 { "Store" }
            p { (store.kind) ": " code { bdi { (store.place) } } }
            dl.facts {
                dt { "Last save" } dd { (when(store.last_save, view.now)) }
                dt { "Unsaved timelines" } dd { (store.unsaved_timelines) }
                dt { "Failed saves" } dd { (store.failed_saves_total) }
                dt { "Documents set aside" } dd { (store.documents_set_aside_total) }
                @if let Some(honoured) = store.conditional_writes {
                    dt { "Conditional writes" } dd { @if honoured { "✓ honoured" } @else { "✕ ignored" } }
                }
            }
            @if let Some(error) = &store.error { p.error { bdi { (error.message) } " (" (ago(error.at, view.now)) ")" } }
        }
    }
}

fn webhooks(view: &StatusView) -> Markup {
    let webhooks = &view.webhooks;
    html! {
        div.panel {
            h2 { "Webhooks" }
            @if webhooks.configured {
                dl.facts {
                    dt { "Received" } dd { (webhooks.received_total) }
                    dt { "Rejected" } dd { (webhooks.rejected_total) }
                    dt { "Queued" } dd { (webhooks.queued) }
                    @for it in webhooks.results.iter().filter(|it| it.total > 0) {
                        dt { (it.result.replace('_', " ")) } dd { (it.total) }
                    }
                }
            } @else {
                p.faint { "Not configured: polling alone reads GitLab. See " code { "webhooks.gitlab" } "." }
            }
        }
    }
}

fn program(view: &StatusView) -> Markup {
    let load = &view.configuration_load;
    html! {
        div.panel {
            h2 { "Program" }
            dl.facts {
                dt { "Version" } dd { (view.build.version) }
                dt { "Revision" } dd { code { (super::format::short(&view.build.revision)) } }
                dt { "Started" } dd { (when(view.build.started, view.now)) }
                dt { "Configuration loaded" } dd { (when(load.at, view.now)) }
                @if load.last_successful == Some(false) { dt { "Last attempt" } dd { "✕ refused" } }
                @if let Some(file) = &view.web_config { (web_config(file, view.now)) }
            }
            @if let Some(error) = &load.error { p.error { bdi { (error.message) } " (" (ago(error.at, view.now)) ")" } }
            @if view.web_config.is_none() { p.faint { "No " code { "web.config_file" } ": plain HTTP, without users." } }
        }
    }
}

fn web_config(file: &WebConfigView, now: Timestamp) -> Markup {
    let is_good = file.last_load_successful != Some(false);
    html! {
        dt { "TLS" } dd { @if file.tls { "on" } @else { "off" } }
        dt { "Users" } dd { @if file.users { "have to log in" } @else { "none" } }
        dt { "File of TLS and users" } dd { @if is_good { "✓ in force" } @else { "✕ refused" } }
        @if file.tls { dt { "Certificate ends" } dd { (end(file.certificate_expiry, now)) } }
    }
}

/// A time that may not be known.
fn when(time: Option<Timestamp>, now: Timestamp) -> Markup {
    html! {
        @match time { Some(time) => (ago(time, now)), None => span.faint { "not yet" } }
    }
}
