//! A JSON Schema of the configuration, for editors.

use serde_json::{Map, Value, json};

use super::key_info::{Absence, KeyInfo};
use super::key_path::{children, join};
use super::load::ALL_KEYS;
use super::value_type::{Form, ValueType};

/// As many units as there are, from large to small, each once; `0` needs none.
const DURATION: &str =
    "^(0|(?=.)([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$";

/// The schema of the whole document, in the draft of 2020-12.
pub fn schema() -> Value {
    let mut root = section("");
    if let Value::Object(root) = &mut root {
        root.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        root.insert(
            "title".to_owned(),
            json!("Configuration of job-failure-exporter"),
        );
    }
    root
}

/// A mapping. Keys that begin with `x-` are ignored, and a section whose keys are all commented out is none.
fn section(pattern: &str) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for name in children(ALL_KEYS, pattern) {
        let path = join(pattern, name);
        let mut all = ALL_KEYS.iter().copied().flatten();
        let schema = if let Some(key) = all.clone().find(|key| key.path == path) {
            if key.absence == Absence::Required {
                required.push(name);
            }
            of_key(key)
        } else if all.any(|key| key.path.starts_with(&format!("{path}[]."))) {
            json!({"type": "array", "items": section(&format!("{path}[]"))})
        } else {
            section(&path)
        };
        properties.insert(name.to_owned(), schema);
    }
    let mut schema = json!({
        "type": ["object", "null"],
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if pattern == "store" {
        schema["not"] = json!({"required": ["directory", "s3"]});
    }
    schema
}

fn of_key(key: &KeyInfo) -> Value {
    let mut schema = if key.is_list {
        json!({"type": "array", "items": of_type(&key.value_type)})
    } else {
        of_type(&key.value_type)
    };
    schema["description"] = json!(key.doc);
    if let Absence::Default(yaml) | Absence::Preset(yaml) = key.absence {
        schema["default"] = serde_yaml::from_str(yaml).unwrap_or_default();
    }
    schema
}

fn of_type(value_type: &ValueType) -> Value {
    match value_type {
        ValueType::Duration { .. } => json!({"type": "string", "pattern": DURATION}),
        ValueType::Count { min, max } => {
            json!({"type": "integer", "minimum": min, "maximum": max})
        }
        ValueType::Rate { max } => {
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": max})
        }
        ValueType::Bool => json!({"type": "boolean"}),
        ValueType::Text(Form { numeric: true, .. }) => json!({"type": ["string", "integer"]}),
        ValueType::Text(Form { name: "URL", .. }) => {
            json!({"type": "string", "pattern": "^https?://."})
        }
        ValueType::Text(_) => json!({"type": "string"}),
        ValueType::Word(words) => json!({"enum": words()}),
    }
}
