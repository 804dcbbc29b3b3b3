//! How long the queries of the dashboards take over a day.

use std::time::Duration;

use serde_json::Value;

use super::grafana::{Board, Choice, Chosen, interpolated, label_values};
use super::history::DAY;
use super::prometheus::Prometheus;

/// What one panel takes.
#[derive(Debug, Clone)]
pub(super) struct PanelCost {
    /// Dashboard and title.
    pub(super) name: String,
    /// Its slowest query.
    pub(super) slowest: Duration,
    /// All its queries, one after the other.
    pub(super) all: Duration,
    pub(super) series: usize,
    pub(super) queries: usize,
    pub(super) error: Option<String>,
}

/// Asks everything that the dashboards ask when somebody opens them, one query at a time.
pub(super) async fn ask(prometheus: &Prometheus, boards: &[Board], end: i64) -> Vec<PanelCost> {
    let mut costs = Vec::new();
    for board in boards {
        let choice = choose(prometheus, board, end, &mut costs).await;
        for panel in board.panels() {
            let mut cost = PanelCost::new(format!("{}: {}", board.name, panel.title));
            for target in &panel.targets {
                let query = interpolated(target.expr, &choice, panel.step);
                let step = (!target.is_instant).then_some(panel.step);
                cost.ask(prometheus, query, end, step).await;
            }
            costs.push(cost);
        }
    }
    costs
}

impl PanelCost {
    fn new(name: String) -> Self {
        Self {
            name,
            slowest: Duration::ZERO,
            all: Duration::ZERO,
            series: 0,
            queries: 0,
            error: None,
        }
    }

    async fn ask(
        &mut self,
        prometheus: &Prometheus,
        query: String,
        end: i64,
        step: Option<Duration>,
    ) {
        let (path, times) = match step {
            None => ("api/v1/query", vec![("time", end.to_string())]),
            Some(step) => {
                let step = step.as_secs();
                let end = end / step.cast_signed() * step.cast_signed();
                let start = end - DAY.as_secs().cast_signed();
                let times = [("start", start), ("end", end), ("step", step.cast_signed())];
                (
                    "api/v1/query_range",
                    times
                        .map(|(name, value)| (name, value.to_string()))
                        .to_vec(),
                )
            }
        };
        let parameters = [vec![("query", query)], times].concat();
        let timed = prometheus.timed(path, &parameters).await;
        let series = timed
            .result
            .map(|data| data["result"].as_array().map_or(1, Vec::len));
        self.add(timed.took, series);
    }

    fn add(&mut self, took: Duration, series: Result<usize, String>) {
        self.slowest = self.slowest.max(took);
        self.all += took;
        self.queries += 1;
        match series {
            Ok(series) => self.series += series,
            Err(error) => self.error = Some(error),
        }
    }
}

/// All where that is possible, else the first option.
async fn choose(
    prometheus: &Prometheus,
    board: &Board,
    end: i64,
    costs: &mut Vec<PanelCost>,
) -> Choice {
    let mut choice = Choice::new();
    let mut cost = PanelCost::new(format!("{}: (variables)", board.name));
    for variable in board.variables() {
        let name = variable["name"].as_str().unwrap().to_owned();
        let all = variable["allValue"].as_str().unwrap_or_default();
        let chosen = match variable["query"]["query"].as_str().and_then(label_values) {
            Some((selector, label)) => {
                let selector = interpolated(selector, &choice, DAY);
                let options = options(prometheus, &selector, label, end, &mut cost).await;
                if variable["includeAll"] == true && all.is_empty() {
                    Chosen::All(
                        format!(
                            "({})",
                            options
                                .iter()
                                .map(|it| regex::escape(it))
                                .collect::<Vec<_>>()
                                .join("|")
                        )
                        .replace('\\', r"\\"),
                    )
                } else if variable["includeAll"] == true {
                    Chosen::All(all.to_owned())
                } else {
                    Chosen::One(options.into_iter().next().unwrap_or_default())
                }
            }
            None => Chosen::One(value_of(variable)),
        };
        choice.insert(name, chosen);
    }
    costs.push(cost);
    choice
}

/// Of a variable that asks nothing.
fn value_of(variable: &Value) -> String {
    let current = &variable["current"]["value"];
    let first = current.as_array().and_then(|values| values.first());
    let text = first
        .unwrap_or(current)
        .as_str()
        .or_else(|| variable["query"].as_str());
    text.unwrap_or_default().to_owned()
}

async fn options(
    prometheus: &Prometheus,
    selector: &str,
    label: &str,
    end: i64,
    cost: &mut PanelCost,
) -> Vec<String> {
    let start = end - DAY.as_secs().cast_signed();
    let mut parameters = vec![("start", start.to_string()), ("end", end.to_string())];
    if !selector.is_empty() {
        parameters.push(("match[]", selector.to_owned()));
    }
    let timed = prometheus
        .timed(&format!("api/v1/label/{label}/values"), &parameters)
        .await;
    let values: Result<Vec<String>, _> = timed
        .result
        .map(|data| serde_json::from_value(data).unwrap());
    cost.add(
        timed.took,
        values.as_ref().map(Vec::len).map_err(Clone::clone),
    );
    values.unwrap_or_default()
}
