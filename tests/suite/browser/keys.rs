//! The script of the pages: keys, refresh and columns.

use serde_json::json;
use tokio::task::block_in_place;

use super::drive;
use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn keys_move_through_the_list_and_a_refresh_keeps_the_place() {
    let scene = Scene::start("", "report").await;
    scene.is_read(&scene.origin()).await;
    let task = json!({"origin": scene.origin(), "prefix": "", "job": Scene::job()});
    block_in_place(|| drive("keys.py", task));
}
