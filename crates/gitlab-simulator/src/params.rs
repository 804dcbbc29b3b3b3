//! Parameters of a request: those of the URL, and those of a JSON or form body.

use serde_json::{Map, Value};

use super::query::Query;

/// The parameters of one request.
#[derive(Debug, Default)]
pub(super) struct Params {
    pub(super) query: Query,
    body: Map<String, Value>,
    form: Query,
}

impl Params {
    /// `None` if the body is not what its content type says.
    pub(super) fn parse(query: &str, content_type: &str, body: &[u8]) -> Option<Self> {
        let mut params = Self {
            query: Query::parse(query),
            ..Self::default()
        };
        if content_type.starts_with("application/x-www-form-urlencoded") {
            params.form = Query::parse(str::from_utf8(body).ok()?);
        } else if !body.is_empty() && content_type.starts_with("application/json") {
            params.body = serde_json::from_slice(body).ok()?;
        }
        Some(params)
    }

    /// A text parameter. The body goes before the URL.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let in_body = self.body.get(name).and_then(Value::as_str);
        let in_body = in_body.filter(|text| !text.is_empty());
        in_body
            .or_else(|| self.form.get(name))
            .or_else(|| self.query.get(name))
    }

    /// Whether a list of key and value has an entry.
    pub(super) fn has_variables(&self, name: &str) -> bool {
        let listed = self.body.get(name).and_then(Value::as_array);
        let key = format!("{name}[][key]");
        listed.is_some_and(|list| !list.is_empty())
            || self.form.get(&key).is_some()
            || self.query.get(&key).is_some()
    }
}
