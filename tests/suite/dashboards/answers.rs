//! Every query of every panel, for every choice of the variables, asked of a real Prometheus.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::fits::{Answers, Row, Seen, misfits};
use super::grafana::{Choice, Chosen, interpolated};
use super::prometheus::{Prometheus, with};
use super::scene::Scene;
use super::{Board, boards, list, text};

/// How many queries are under way at a time.
const AT_ONCE: usize = 4;

/// Asks everything; what was refused or does not fit its choice is a problem.
async fn asked(
    prometheus: &Prometheus,
    board: &Board,
    choices: &[Choice],
) -> (Answers, Vec<String>) {
    let mut answers = Answers::new();
    let mut problems = Vec::new();
    let mut running = JoinSet::new();
    for panel in board.views() {
        for target in list(&panel["targets"]) {
            let key = (
                panel["id"].as_u64().unwrap(),
                text(&target["refId"]).to_owned(),
            );
            answers.insert(key.clone(), Seen::default());
            let legend = text(&target["legendFormat"]).to_owned();
            let mut known = BTreeSet::new();
            for choice in choices {
                let expr = match interpolated(text(&target["expr"]), choice) {
                    Ok(expr) => expr,
                    Err(problem) => {
                        problems.push(problem);
                        continue;
                    }
                };
                // Where the choice makes no difference to the query.
                if !known.insert(expr.clone()) {
                    continue;
                }
                if running.len() == AT_ONCE {
                    take(running.join_next().await, &mut answers, &mut problems);
                }
                let (prometheus, key) = (prometheus.clone(), key.clone());
                let (legend, choice) = (legend.clone(), choice.clone());
                let instant = target["instant"] == true;
                running.spawn(async move {
                    let rows = prometheus.ask(&expr, instant).await;
                    (key, legend, choice, expr, rows)
                });
            }
        }
    }
    while !running.is_empty() {
        take(running.join_next().await, &mut answers, &mut problems);
    }
    (answers, problems)
}

type Answer = (
    (u64, String),
    String,
    Choice,
    String,
    Result<Vec<Row>, String>,
);

fn take(
    answer: Option<Result<Answer, tokio::task::JoinError>>,
    answers: &mut Answers,
    problems: &mut Vec<String>,
) {
    let Some((key, legend, choice, expr, rows)) = answer.map(Result::unwrap) else {
        return;
    };
    match rows {
        Ok(rows) => {
            for row in &rows {
                for (label, value) in &row.labels {
                    if !may_be(value, choice.get(label)) {
                        problems.push(format!("{label}={value:?} in spite of {choice:?}: {expr}"));
                    }
                }
            }
            answers.get_mut(&key).unwrap().add(&rows, &legend);
        }
        Err(problem) => problems.push(problem),
    }
}

/// Whether a series with this label belongs to what is chosen.
fn may_be(value: &String, chosen: Option<&Chosen>) -> bool {
    match chosen {
        Some(Chosen::Some(values)) => values.contains(value),
        Some(Chosen::One(wanted)) => wanted == value,
        Some(Chosen::All(_)) | None => true,
    }
}

async fn problems(prometheus: &Prometheus, board: &Board, choices: &[Choice]) -> Vec<String> {
    let (answers, mut problems) = asked(prometheus, board, choices).await;
    problems.extend(misfits(board, &answers));
    problems
}

/// Makes one panel of the overview faulty.
type Fault = (&'static str, fn(&mut Value));

/// What has to be noticed by asking.
const FAULTS: [Fault; 12] = [
    ("Failing jobs", |p| {
        p["targets"][0]["expr"] = json!("max by (ci_job:info)");
    }),
    ("Failing jobs", |p| {
        p["targets"][0]["expr"] = json!("job_pages{project=~\"$project\"}");
    }),
    ("Failing jobs", |p| {
        p["targets"][0]["expr"] = json!("up{instance=~\"$instance\"}");
    }),
    ("Failing jobs", |p| {
        p["targets"][5]["expr"] = json!("ci_job:info + on (project) ci_job:info");
    }),
    ("Failing jobs", |p| {
        p["fieldConfig"]["overrides"][1]["matcher"]["options"] = json!("Value #Z");
    }),
    ("Failing jobs", |p| {
        p["transformations"][1]["options"]["indexByName"]["owner"] = json!(3);
    }),
    ("Failing jobs", |p| {
        p["options"]["sortBy"][0]["displayName"] = json!("Count");
    }),
    ("Failing jobs", |p| {
        p["transformations"][0]["id"] = json!("joinByField");
    }),
    ("Failing jobs", |p| {
        let overrides = p["fieldConfig"]["overrides"].as_array_mut().unwrap();
        overrides.retain(|with| with["matcher"]["options"] != "web_url");
    }),
    ("Failing jobs", |p| {
        let url = json!([{"title": "Owner", "url": "${__data.fields.owner:raw}"}]);
        p["fieldConfig"]["defaults"]["links"] = url;
    }),
    ("Worst jobs", |p| {
        p["targets"][0]["legendFormat"] = json!("{{job}}");
    }),
    ("Worst jobs", |p| {
        let url = json!([{"title": "Job", "url": "/d/jfe-job?var-job_name=${__field.labels.job}"}]);
        p["fieldConfig"]["defaults"]["links"] = url;
    }),
];

async fn faults_are_noticed(prometheus: &Prometheus, overview: &Board) {
    let choices = prometheus.choices(overview).await.unwrap();
    let first = &choices[..1];
    let one_panel = |title: &str| {
        let mut board = overview.clone();
        let panels = board.json["panels"].as_array_mut().unwrap();
        panels.retain(|panel| panel["title"] == title);
        assert_eq!(panels.len(), 1, "{title}");
        board
    };
    for (at, (title, fault)) in FAULTS.iter().enumerate() {
        let mut board = one_panel(title);
        let sound = problems(prometheus, &board, first).await;
        assert!(sound.is_empty(), "{sound:#?}");
        fault(&mut board.json["panels"][0]);
        let found = problems(prometheus, &board, first).await;
        assert!(!found.is_empty(), "fault {at} of {title} is not noticed");
    }
    // A series of another project than the one that is chosen.
    let mut board = one_panel("Failing jobs by project");
    let by_project = json!("count by (project) (ci_job:info)");
    board.json["panels"][0]["targets"][0]["expr"] = by_project;
    let one = with(
        &choices[0],
        "project",
        Chosen::Some(vec!["acme/ml".to_owned()]),
    );
    let found = problems(prometheus, &board, &[one]).await;
    assert!(!found.is_empty(), "the choice does not matter");
}

/// A job whose warning is switched off is critical once it reaches its critical threshold, on every dashboard.
async fn an_override_decides_about_the_state(prometheus: &Prometheus, boards: &[Board]) {
    let job = "it's done?";
    for (stem, title, target) in [
        ("job", "State", 0),
        ("job", "State over time", 0),
        ("overview", "Failing jobs", 1),
        ("overview", "Worst jobs", 0),
    ] {
        let board = boards.iter().find(|board| board.stem == stem).unwrap();
        let panel = board.views().find(|panel| panel["title"] == title).unwrap();
        let target = &panel["targets"][target];
        let choices = prometheus.choices(board).await.unwrap();
        let names = |choice: &&Choice| match choice.get("job_name") {
            Some(Chosen::One(name)) => name == job,
            Some(Chosen::Some(names)) => names.as_slice() == [job],
            _ => false,
        };
        let choice = choices.iter().find(names).unwrap();
        let expr = interpolated(text(&target["expr"]), choice).unwrap();
        let rows = prometheus.ask(&expr, target["instant"] == true).await;
        let rows = rows.unwrap();
        assert_eq!(rows.len(), 1, "{title} of {stem}: {expr}");
        let found = rows[0].latest();
        assert!(
            (found - 3.0).abs() < 1e-9,
            "{title} of {stem}: {expr}: {found}"
        );
    }
}

#[tokio::test]
async fn every_panel_is_answered_with_the_rows_and_labels_it_shows_for_every_choice() {
    let scene = Scene::set().await;
    let prometheus = Prometheus::of(&scene);
    let boards = boards();
    let mut found = Vec::new();
    for board in &boards {
        let choices = prometheus.choices(board).await.unwrap();
        // One for each job, project, ref and team of the scene.
        let least = if board.stem == "exporter" { 3 } else { 20 };
        assert!(
            choices.len() >= least,
            "{}: {} choices",
            board.stem,
            choices.len()
        );
        found.extend(problems(&prometheus, board, &choices).await);
    }
    assert!(found.is_empty(), "{found:#?}");
    an_override_decides_about_the_state(&prometheus, &boards).await;
    let overview = boards.iter().find(|board| board.stem == "overview");
    faults_are_noticed(&prometheus, overview.unwrap()).await;
}
