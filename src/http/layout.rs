//! What all pages share: the frame and the header; and the page for unknown paths.

use maud::{DOCTYPE, Markup, html};

use super::context::Context;
use super::favicon;
use super::static_files::{SCRIPT_URL, STYLE_URL};
use super::status::Readiness;

pub(super) const NAME: &str = "job-failure-exporter";
const PURPOSE: &str = "Which GitLab CI jobs fail consistently, since when, and why.";

/// The pages of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Jobs,
    Projects,
    Schedules,
    Alerts,
    Remediation,
    Status,
}

/// Address and words of each page of the navigation.
const TABS: [(Tab, &str, &str); 6] = [
    (Tab::Jobs, "/", "Jobs"),
    (Tab::Projects, "/projects", "Projects"),
    (Tab::Schedules, "/schedules", "Schedules"),
    (Tab::Alerts, "/alerts", "Alerts"),
    (Tab::Remediation, "/remediation", "Remediation"),
    (Tab::Status, "/status", "Status"),
];

/// A whole page; `content` goes into `main`, below the header.
pub(super) fn page(title: &str, context: &Context, content: &Markup) -> String {
    framed(title, None, context, content)
}

/// The same for a page of the navigation.
pub(super) fn tab_page(title: &str, tab: Tab, context: &Context, content: &Markup) -> String {
    framed(title, Some(tab), context, content)
}

fn framed(title: &str, tab: Option<Tab>, context: &Context, content: &Markup) -> String {
    let body = html! {
        (page_header(&context.status.readiness(), tab))
        (content)
    };
    document(title, &body)
}

/// A page without the header's state.
pub(super) fn plain_page(title: &str, content: &Markup) -> String {
    document(title, content)
}

pub(super) fn not_found() -> String {
    let body = html! {
        main {
            h1 { "Nothing is here" }
            ul {
                li { a href="/" { "Jobs" } }
                li { a href="/metrics" { "/metrics" } " for Prometheus" }
                li { a href="/-/healthy" { "/-/healthy" } " and " a href="/-/ready" { "/-/ready" } " for probes" }
            }
        }
    };
    document("Not found", &body)
}

fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(favicon::PATH);
                link rel="stylesheet" href=(*STYLE_URL);
                script src=(*SCRIPT_URL) defer {}
            }
            body { (body) }
        }
    };
    page.into_string()
}

fn page_header(readiness: &Readiness, tab: Option<Tab>) -> Markup {
    html! {
        header {
            div {
                p.brand { a href="/" { (NAME) } " " small { (env!("CARGO_PKG_VERSION")) } }
                p { (PURPOSE) }
            }
            nav aria-label="Main" {
                @for (other, address, words) in TABS {
                    a href=(address) aria-current=[(tab == Some(other)).then_some("page")] { (words) }
                }
                a href="/metrics" { "Metrics" }
                @match readiness {
                    Readiness::Ready => span.badge.good { "Ready" },
                    Readiness::NotReady(reason) => span.badge.bad { "Not ready: " (reason) },
                }
            }
        }
    }
}

/// A banner while the figures are older than they should be.
pub(super) fn staleness_banner(context: &Context) -> Markup {
    html! {
        @if let Some(why) = context.status.staleness() {
            p.stale role="status" { b { "Old: " } (why) "." }
        }
    }
}
