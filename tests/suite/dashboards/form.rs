//! What can be said of a dashboard by reading it; each check is shown a fault that it has to notice.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use job_failure_exporter::base::label::Label as _;
use job_failure_exporter::metrics::families;
use regex::Regex;
use serde_json::{Value, json};

use super::grafana::{UNITS, label_values, reference};
use super::{Board, boards, data_links, list, text};
use testkit::daemon::folder;

/// What is wrong with a dashboard.
pub(super) type Check = fn(&Board, &[Board]) -> Vec<String>;

/// Every check, by name.
pub(super) const CHECKS: [(&str, Check); 10] = [
    ("head", head),
    ("panels", panels),
    ("units", units),
    ("grid", grid),
    ("data source", data_source),
    ("variables", variables),
    ("matchers", matchers),
    ("rates", rates),
    ("links", links),
    ("metrics", metrics),
];

const TAG: &str = "job-failure-exporter";

/// Says what is missing unless it holds.
pub(super) fn unless(holds: bool, problem: impl Into<String>) -> Option<String> {
    (!holds).then(|| problem.into())
}

pub(super) fn title(panel: &Value) -> String {
    format!("panel {:?}", text(&panel["title"]))
}

pub(super) fn expressions(board: &Board) -> impl Iterator<Item = (&Value, &Value, &str)> {
    board.views().flat_map(|panel| {
        let targets = list(&panel["targets"]).iter();
        targets.map(move |target| (panel, target, text(&target["expr"])))
    })
}

fn head(board: &Board, _: &[Board]) -> Vec<String> {
    let json = &board.json;
    let version = json["schemaVersion"].as_u64().unwrap_or(0);
    let tags = list(&json["tags"]);
    let time = &json["time"];
    [
        unless(board.uid() == format!("jfe-{}", board.stem), "uid"),
        unless(tags.contains(&json!(TAG)), "tags"),
        unless(json["editable"] == false, "editable"),
        unless((39..=42).contains(&version), "schemaVersion"),
        unless(text(&json["title"]).starts_with("CI job failures"), "title"),
        unless(text(&json["description"]).ends_with('.'), "description"),
        unless(
            text(&time["from"]).starts_with("now-") && time["to"] == "now",
            "time",
        ),
        unless(text(&json["refresh"]).ends_with(['s', 'm']), "refresh"),
        unless(json.get("id").is_none(), "id belongs to one Grafana"),
        unless(json.get("__inputs").is_none(), "the data source is chosen"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn panels(board: &Board, _: &[Board]) -> Vec<String> {
    let types = ["stat", "timeseries", "state-timeline", "bargauge", "table"];
    let mut problems = Vec::new();
    let ids: BTreeSet<_> = board
        .panels()
        .iter()
        .filter_map(|p| p["id"].as_u64())
        .collect();
    problems.extend(unless(ids.len() == board.panels().len(), "ids are unique"));
    for panel in board.panels() {
        problems.extend(unless(!text(&panel["title"]).is_empty(), "a title"));
    }
    for panel in board.views() {
        let title = title(panel);
        let description = text(&panel["description"]);
        let defaults = &panel["fieldConfig"]["defaults"];
        let targets = list(&panel["targets"]);
        let refs: BTreeSet<_> = targets.iter().map(|t| text(&t["refId"])).collect();
        let steps = list(&defaults["thresholds"]["steps"]);
        let rising = steps
            .windows(2)
            .all(|pair| pair[0]["value"].as_f64() < pair[1]["value"].as_f64());
        let is_table = panel["type"] == "table";
        let formats = targets.iter().all(|target| {
            let wanted = if is_table { "table" } else { "time_series" };
            target["format"] == wanted
                && (!is_table || target["instant"] == true)
                && target["range"] == !target["instant"].as_bool().unwrap_or(true)
        });
        let wanted = [
            (types.contains(&text(&panel["type"])), "its type is known"),
            (
                description.len() > 15 && description.ends_with('.'),
                "a description",
            ),
            (
                !targets.is_empty() && refs.len() == targets.len(),
                "targets",
            ),
            (!text(&defaults["noValue"]).is_empty(), "noValue"),
            (panel["fieldConfig"]["overrides"].is_array(), "overrides"),
            (panel["options"].is_object(), "options"),
            (
                steps.first().is_some_and(|step| step["value"].is_null()) && rising,
                "threshold steps rise from the base",
            ),
            (formats, "formats of the targets"),
        ];
        problems.extend(
            wanted
                .into_iter()
                .filter_map(|(holds, what)| unless(holds, format!("{title}: {what}"))),
        );
    }
    problems
}

fn units(board: &Board, _: &[Board]) -> Vec<String> {
    let known: BTreeSet<_> = UNITS.split_whitespace().collect();
    let mut problems = Vec::new();
    for panel in board.views() {
        let config = &panel["fieldConfig"];
        let properties = list(&config["overrides"])
            .iter()
            .flat_map(|with| list(&with["properties"]));
        let overridden = properties
            .filter(|property| property["id"] == "unit")
            .map(|property| &property["value"]);
        for unit in overridden.chain([&config["defaults"]["unit"]]) {
            let holds = known.contains(text(unit));
            problems.extend(unless(holds, format!("{}: unit {unit}", title(panel))));
        }
    }
    problems
}

fn grid(board: &Board, _: &[Board]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
    for panel in board.panels() {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap_or(0);
        let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
        let holds = w > 0 && h > 0 && x + w <= 24;
        problems.extend(unless(holds, format!("{}: {x} + {w} of 24", title(panel))));
        let cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        // Every cell is taken, also where one was before.
        let free = cells.filter(|cell| !taken.insert(*cell)).count() == 0;
        problems.extend(unless(free, format!("{} lies on another", title(panel))));
    }
    problems
}

fn data_source(board: &Board, _: &[Board]) -> Vec<String> {
    let mut problems = Vec::new();
    let first = &board.variables()[0];
    let wanted = json!(["datasource", "datasource", "prometheus"]);
    problems.extend(unless(
        json!([first["name"], first["type"], first["query"]]) == wanted,
        "the first variable is the data source",
    ));
    let wanted = json!({"type": "prometheus", "uid": "${datasource}"});
    let queries = board.variables().iter().filter(|v| v["type"] == "query");
    let targets = expressions(board).map(|(_, target, _)| target);
    for user in queries.chain(board.views()).chain(targets) {
        let holds = user["datasource"] == wanted;
        problems.extend(unless(holds, format!("data source {}", user["datasource"])));
    }
    problems
}

/// Names of variables that the dashboard uses.
fn used(board: &Board) -> BTreeSet<String> {
    let mut json = board.json.clone();
    for variable in json["templating"]["list"].as_array_mut().unwrap() {
        variable["name"] = Value::Null;
    }
    let names = reference();
    let found = json.to_string();
    let found = names.captures_iter(&found).map(|found| {
        let name = found.name("braced").or_else(|| found.name("bare"));
        name.unwrap().as_str().to_owned()
    });
    found.filter(|name| !name.starts_with("__")).collect()
}

fn variables(board: &Board, _: &[Board]) -> Vec<String> {
    let mut problems = Vec::new();
    let names: BTreeSet<_> = board
        .variables()
        .iter()
        .map(|v| text(&v["name"]).to_owned())
        .collect();
    let used = used(board);
    for name in used.symmetric_difference(&names) {
        problems.push(format!("variable {name} is not both used and defined"));
    }
    for variable in board.variables() {
        let name = text(&variable["name"]);
        let told = ["label", "description"].map(|key| !text(&variable[key]).is_empty());
        problems.extend(unless(
            told == [true, true],
            format!("{name} says what it is"),
        ));
        if variable["type"] != "query" {
            continue;
        }
        let query = text(&variable["query"]["query"]);
        let several = variable["multi"] == true;
        // Every target has a job and an instance, other labels may be absent.
        let pattern = if matches!(name, "job" | "instance") {
            ".+"
        } else {
            ".*"
        };
        let all = variable["allValue"] == pattern && variable["includeAll"] == true;
        let wanted = [
            (label_values(query).is_some(), "label_values"),
            (variable["definition"] == query, "definition"),
            (variable["refresh"] == 2, "refresh with the time range"),
            (several == all, "All stands for everything"),
        ];
        problems.extend(
            wanted
                .into_iter()
                .filter_map(|(holds, what)| unless(holds, format!("{name}: {what}"))),
        );
    }
    problems
}

/// Variables stand in queries so that any name of GitLab's is safe.
fn matchers(board: &Board, _: &[Board]) -> Vec<String> {
    let mut problems = Vec::new();
    let names = reference();
    let queries = board.variables().iter().map(|v| text(&v["query"]["query"]));
    let exprs = expressions(board).map(|(_, _, expr)| expr);
    for query in exprs.chain(queries) {
        for found in names.captures_iter(query) {
            let whole = found.get(0).unwrap();
            let name = found.name("braced").or_else(|| found.name("bare"));
            let name = name.unwrap().as_str();
            let variable = board.variables().iter().find(|v| v["name"] == name);
            let Some(variable) = variable else { continue };
            let before = &query[..whole.start()];
            let safe = if variable["multi"] == true {
                before.ends_with("=~\"") && query[whole.end()..].starts_with('"')
            } else {
                before.ends_with('=') && whole.as_str().ends_with(":doublequote}")
            };
            problems.extend(unless(safe, format!("{name} in {query}")));
        }
    }
    problems
}

fn rates(board: &Board, _: &[Board]) -> Vec<String> {
    let rate = Regex::new(r"\b(?:rate|irate|increase|delta)\(\s*[^\[]*\[([^\]]*)\]").unwrap();
    let mut problems = Vec::new();
    for (panel, target, expr) in expressions(board) {
        for found in rate.captures_iter(expr) {
            // What there was in the whole range is asked for once.
            let whole = target["instant"] == true && &found[1] == "$__range";
            let holds = whole || &found[1] == "$__rate_interval";
            problems.extend(unless(holds, format!("{}: {}", title(panel), &found[0])));
        }
    }
    problems
}

fn links(board: &Board, all: &[Board]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut to_others = 0;
    for link in list(&board.json["links"]) {
        let keeps = link["keepTime"] == true && link["includeVars"] == true;
        let url = text(&link["url"]);
        if link["type"] == "dashboards" {
            to_others += 1;
            let holds = keeps && link["tags"] == json!([TAG]);
            problems.extend(unless(holds, "the link to the others"));
        } else {
            let known = ["${exporter_url}/", "${gitlab_url}/"];
            let holds = known.iter().any(|start| url.starts_with(start));
            problems.extend(unless(holds, format!("link to {url}")));
        }
    }
    problems.extend(unless(to_others == 1, "one link to the others"));
    let parameter =
        Regex::new(r"[?&]var-(\w+)=\$\{__(?:data\.fields|field\.labels)\.(\w+):percentencode\}")
            .unwrap();
    for link in board.views().flat_map(data_links) {
        let url = text(&link["url"]);
        problems.extend(unless(!text(&link["title"]).is_empty(), "a link's title"));
        let Some(path) = url.strip_prefix("/d/") else {
            let known = ["${exporter_url}/", "${__data.fields."];
            let holds = known.iter().any(|start| url.starts_with(start));
            problems.extend(unless(holds, format!("link to {url}")));
            continue;
        };
        let uid = path.split('?').next();
        let Some(target) = all.iter().find(|board| Some(board.uid()) == uid) else {
            problems.push(format!("no dashboard for {url}"));
            continue;
        };
        let kept = ["&${__url_time_range}", "${datasource:queryparam}"];
        let keeps = kept.iter().all(|part| url.contains(part));
        problems.extend(unless(keeps, format!("{url} keeps time and source")));
        let mut given = 0;
        for found in parameter.captures_iter(url) {
            given += 1;
            let known = target.variables().iter().any(|v| v["name"] == found[1]);
            problems.extend(unless(
                known && found[1] == found[2],
                format!("{url}: {}", &found[1]),
            ));
        }
        let holds = given == url.matches("var-").count() && given > 0;
        problems.extend(unless(holds, format!("parameters of {url}")));
    }
    problems
}

/// Every metric that Prometheus has of the exporter, of its rules, or by itself.
fn known_metrics() -> BTreeSet<String> {
    let mut known: BTreeSet<String> = ["up", "ALERTS", "ALERTS_FOR_STATE"]
        .map(str::to_owned)
        .into();
    for family in families() {
        known.insert(family.name.to_owned());
        if family.kind.as_str() == "histogram" {
            known.extend(["bucket", "sum", "count"].map(|end| format!("{}_{end}", family.name)));
        }
    }
    let page = include_str!("../../../docs/metrics.md");
    let process = Regex::new("`(process_[a-z_]+)`").unwrap();
    known.extend(process.captures_iter(page).map(|found| found[1].to_owned()));
    let record = Regex::new(r"record: (\S+)").unwrap();
    for path in folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules")) {
        if path.is_file() {
            let rules = fs::read_to_string(path).unwrap();
            known.extend(
                record
                    .captures_iter(&rules)
                    .map(|found| found[1].to_owned()),
            );
        }
    }
    known
}

/// What is in an expression besides metrics, operators and functions.
static OTHER_PARTS: LazyLock<[Regex; 6]> = LazyLock::new(|| {
    [
        r#""(?:[^"\\]|\\.)*""#,
        r"\$\{[^}]*\}",
        r"\$\w+",
        r"\{[^{}]*\}",
        r"\[[^\]]*\]",
        r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)",
    ]
    .map(|part| Regex::new(part).unwrap())
});

static WORDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[A-Za-z_:][A-Za-z0-9_:]*\s*\(?").unwrap());

/// The metrics that an expression reads.
pub(super) fn read_metrics(expr: &str) -> BTreeSet<String> {
    let mut rest = expr.to_owned();
    for part in OTHER_PARTS.iter() {
        rest = part.replace_all(&rest, " ").into_owned();
    }
    let operators = ["and", "or", "unless", "bool", "offset", "Inf"];
    WORDS
        .find_iter(&rest)
        .map(|word| word.as_str().trim_end())
        .filter(|word| !word.ends_with('(') && !operators.contains(word))
        .filter(|word| !["sum", "max", "min", "count", "topk"].contains(word))
        .map(str::to_owned)
        .collect()
}

fn metrics(board: &Board, _: &[Board]) -> Vec<String> {
    let known = known_metrics();
    let mut problems = Vec::new();
    for (panel, _, expr) in expressions(board) {
        for name in read_metrics(expr) {
            let holds = known.contains(&name);
            problems.extend(unless(holds, format!("{}: {name}", title(panel))));
        }
    }
    for variable in board.variables().iter().filter(|v| v["type"] == "query") {
        let (selector, _) = label_values(text(&variable["query"]["query"])).unwrap_or_default();
        let holds = read_metrics(selector).is_subset(&known);
        problems.extend(unless(holds, format!("variable of {selector}")));
    }
    problems
}

#[test]
fn every_dashboard_has_the_form_that_grafana_and_the_others_need() {
    let boards = boards();
    let uids: Vec<_> = boards.iter().map(Board::uid).collect();
    assert_eq!(
        uids,
        ["jfe-exporter", "jfe-job", "jfe-main", "jfe-overview"]
    );
    for board in &boards {
        for (name, check) in CHECKS {
            let problems = check(board, &boards);
            assert!(problems.is_empty(), "{}, {name}: {problems:#?}", board.stem);
        }
    }
}
