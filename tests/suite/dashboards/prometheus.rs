//! Prometheus' API as Grafana uses it: options of variables, and series with their labels.

use serde_json::Value;

use super::fits::Row;
use super::grafana::{Choice, Chosen, interpolated, label_values};
use super::scene::Scene;
use super::{Board, list, text};
use testkit::client;

/// The Prometheus of a scene.
#[derive(Clone)]
pub(super) struct Prometheus {
    client: reqwest::Client,
    url: String,
    /// The moment everything is asked for.
    now: f64,
}

impl Prometheus {
    pub(super) fn of(scene: &Scene) -> Self {
        Self {
            client: client(),
            url: format!("http://{}/api/v1", scene.prometheus.address),
            now: scene.now,
        }
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("{}/{path}", self.url);
        let url = reqwest::Url::parse_with_params(&url, parameters).unwrap();
        let answer = self.client.get(url).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(format!("{}: {parameters:?}", answer["error"]))
        }
    }

    /// The options of a variable.
    async fn options(&self, query: &str, choice: &Choice) -> Result<Vec<String>, String> {
        let query = interpolated(query, choice)?;
        let (selector, label) = label_values(&query).ok_or("no label_values")?;
        let path = format!("label/{label}/values");
        let values = self.get(&path, &[("match[]", selector)]).await?;
        let values = list(&values).iter().map(|value| text(value).to_owned());
        Ok(values.collect())
    }

    pub(super) async fn ask(&self, expr: &str, instant: bool) -> Result<Vec<Row>, String> {
        let now = self.now.to_string();
        let data = if instant {
            self.get("query", &[("query", expr), ("time", &now)])
                .await?
        } else {
            let start = (self.now - 60.0).to_string();
            let range = [("start", &*start), ("end", &now), ("step", "5")];
            let all = [&[("query", expr)], &range[..]].concat();
            self.get("query_range", &all).await?
        };
        Ok(list(&data["result"]).iter().map(Row::of).collect())
    }

    /// Every choice of a dashboard's variables; the first has All wherever it can.
    pub(super) async fn choices(&self, board: &Board) -> Result<Vec<Choice>, String> {
        let mut choices = vec![Choice::new()];
        let mut several = Vec::new();
        for variable in board.variables().iter().filter(|v| v["type"] == "query") {
            let name = text(&variable["name"]);
            let query = text(&variable["query"]["query"]);
            let mut chosen = Vec::new();
            for choice in choices {
                let options = self.options(query, &choice).await?;
                // Pipelines are in tracks only where the configuration says so.
                if options.is_empty() && name != "track" {
                    return Err(format!("{name} has no options for {choice:?}"));
                }
                if variable["multi"] == true {
                    let all = Chosen::All(text(&variable["allValue"]).to_owned());
                    chosen.push(with(&choice, name, all));
                    let both = options.iter().take(2).cloned().collect();
                    several.push((name, Chosen::Some(both)));
                    let each = options.into_iter().map(|value| Chosen::Some(vec![value]));
                    several.extend(each.map(|value| (name, value)));
                } else {
                    let each = options.into_iter().map(Chosen::One);
                    chosen.extend(each.map(|value| with(&choice, name, value)));
                }
            }
            choices = chosen;
        }
        let first = choices[0].clone();
        let others = several.into_iter();
        choices.extend(others.map(|(name, chosen)| with(&first, name, chosen)));
        Ok(choices)
    }
}

/// The choice with that of one variable replaced.
pub(super) fn with(choice: &Choice, name: &str, chosen: Chosen) -> Choice {
    let mut choice = choice.clone();
    choice.insert(name.to_owned(), chosen);
    choice
}
