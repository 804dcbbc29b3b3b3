//! The page of remediation: decisions, actions, circuits, budget and pauses.

use serde_json::{Value, json};
use testkit::daemon::{holds, until};

use super::stage::{RULES, SHOP, Stage, broken_runner, flaky_runner};
use crate::list_pages::{documented, keys};

const API: &str = "/api/v1/remediation";

async fn listed(stage: &Stage, query: &str) -> Value {
    let text = stage.get(&format!("{API}{query}")).await;
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

#[tokio::test]
async fn the_page_tells_decisions_actions_circuits_the_budget_and_who_stopped_it() {
    let keys_of = "circuit: {failures: 1}, limits: {actions_per_hour: 7}";
    let stage = Stage::new("act", &format!("{keys_of}, {RULES}")).await;
    let page = stage.get("/remediation").await;
    for part in [
        "Nothing was decided or done.",
        "7 of 7",
        "No circuit is open",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    stage.ended([broken_runner("unit"), flaky_runner("lint")]);
    stage.decides("unit", "refuse", "circuit_open").await;
    let (status, _) = stage
        .ask(
            "POST",
            "/api/v1/remediations/halt",
            &json!({"halted": true}),
        )
        .await;
    assert_eq!(status, 200);
    until("the pause", async || {
        let body = listed(&stage, "").await;
        holds(body["paused_by"] == json!(["halted"]), body)
    })
    .await;
    let page = stage.get("/remediation?state=left_alone&q=unit").await;
    for part in [
        "<b>Paused: </b>an operator stopped everything: <bdi>ops</bdi>",
        "✕ Open</span>",
        "– left alone</span>",
        "its circuit is open after too many failures in a row; see <code>circuit list</code>",
        "<option value=\"left_alone\" selected>",
        "/jobs/acme/shop/-/main/-/unit\"><bdi>unit</bdi></a>",
        "1 to 1 of 1",
        "<a href=\"/remediation\" aria-current=\"page\">Remediation</a>",
    ] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    let body = listed(&stage, &format!("?state=left_alone&project={SHOP}&q=unit")).await;
    assert_eq!(keys(&body), keys(&documented(API)), "{body:#}");
    assert_eq!(body["entries"][0]["reason"], "circuit_open");
    let none = listed(&stage, "?project=acme/other").await;
    assert_eq!(none["matching"], 0);
    assert!(
        stage
            .get(&format!("{API}?state=x"))
            .await
            .contains("one of these is wanted")
    );
}

#[tokio::test]
async fn actions_are_listed_with_their_result_and_count_against_the_budget() {
    let stage = Stage::new("act", &format!("limits: {{actions_per_hour: 7}}, {RULES}")).await;
    stage.ended([flaky_runner("unit")]);
    stage.results_in_time(&["recovered"]).await;
    let body = listed(&stage, "?state=recovered").await;
    let action = &body["entries"][0];
    assert_eq!(
        (&action["job"], &action["action"]),
        (&json!("unit"), &json!("recover"))
    );
    assert_eq!(body["actions_left_in_hour"], 6, "{body:#}");
    let page = stage.get("/remediation").await;
    for part in ["✓ recovered</span>", "runner-trouble", "6 of 7"] {
        assert!(page.contains(part), "{part} not in\n{page}");
    }
    // The decision to act is told by its action.
    assert_eq!(listed(&stage, "").await["matching"], 1);
}
