//! The sections `prometheus` and `alertmanager`: servers that commands ask.

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
    .doc("Address of the Prometheus that evaluates the alert rules, for commands that ask which alerts are pending or firing. Not needed to run the exporter.");

    ALERTMANAGER_URL: Key<Url> = Key::text(
        "alertmanager.url",
        Form::new("URL", "the address of an Alertmanager, such as `http://127.0.0.1:9093`"),
        service_url,
    )
    .doc("Address of the Alertmanager, for commands that ask about silences, inhibition and receivers. Not needed to run the exporter.");
}

fn service_url(text: &str) -> Result<Url, String> {
    base_url(text, "credentials are not taken from a URL")
}
