//! The buttons of a page over TLS, pressed by a user of the server.

use std::fs;

use serde_json::json;
use tokio::task::block_in_place;

use super::drive;
use super::scene::{OPS, Scene};
use crate::web_config::certificates::Authority;
use crate::web_config::site::{TLS, users};

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_a_button_retries_a_job_and_the_form_of_another_site_does_not() {
    let web = "config_file: web.yml,";
    let scene = Scene::start_with(web, "act", |place| {
        let signed = Authority::new("the exporter's authority").server();
        for (file, text) in [
            ("web.yml", &format!("{TLS}{}", users(&[("ops", OPS)]))),
            ("tls.crt", &signed.certificate),
            ("tls.key", &signed.key),
        ] {
            fs::write(place.config().with_file_name(file), text).unwrap();
        }
    });
    let scene = scene.await;
    let origin = format!("https://{}", scene.daemon.address());
    scene.is_read(&origin).await;
    let task = json!({
        "origin": origin,
        "prefix": "",
        "job": Scene::job(),
    });
    block_in_place(|| drive("tls.py", task));
    assert_eq!(scene.actions().len(), 1, "{:?}", scene.actions());
}
