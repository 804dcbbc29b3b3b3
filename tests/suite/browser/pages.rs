//! Every page, in light and dark, on a desktop and on a phone.

use serde_json::json;
use tokio::task::block_in_place;

use super::drive;
use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_and_fits_the_screen() {
    let scene = Scene::start("", "report").await;
    scene.is_read(&scene.origin()).await;
    scene.has_logs().await;
    let task = json!({
        "origin": scene.origin(),
        "prefix": "",
        "pages": scene.pages(),
        // Set by `make screenshots`.
        "screenshots": std::env::var("SCREENSHOTS").ok(),
    });
    block_in_place(|| drive("pages.py", task));
}
