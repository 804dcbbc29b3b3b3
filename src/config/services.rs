//! The sections `prometheus` and `alertmanager`: servers that pages and commands ask.

use url::Url;

use super::key::{Key, keys};
use super::url::base_url;
use super::value_type::Form;

keys! {
    PROMETHEUS_URL: Key<Url> = Key::text(
        "prometheus.url",
        Form::new("URL", "the address of a Prometheus, such as `http://127.0.0.1:9090`"),
        service_url,
    )
    .doc("Address of the Prometheus that evaluates the alert rules, for the pages of alerts and jobs and for `explain`: which alerts are pending or fire. Counting and exposing do without.");

    ALERTMANAGER_URL: Key<Url> = Key::text(
        "alertmanager.url",
        Form::new("URL", "the address of an Alertmanager, such as `http://127.0.0.1:9093`"),
        service_url,
    )
    .doc("Address of the Alertmanager, for the same: silences, inhibition and receivers. Counting and exposing do without.");
}

fn service_url(text: &str) -> Result<Url, String> {
    base_url(text, "credentials are not taken from a URL")
}
