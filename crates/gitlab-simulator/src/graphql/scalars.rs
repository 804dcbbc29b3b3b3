//! Scalars, enums and lists: which values fit a type.

use serde_json::Value;

use crate::entity::CiStatus;
use crate::moment::Moment;

/// The name of a type without list and non-null marks.
pub(super) fn base(kind: &str) -> &str {
    kind.trim_matches(['[', ']', '!'])
}

/// Whether a value fits a type in GraphQL's notation.
pub(super) fn fits(value: &Value, kind: &str) -> bool {
    if value.is_null() {
        return !kind.ends_with('!');
    }
    if let Some(items) = items(kind) {
        return match value {
            Value::Array(all) => all.iter().all(|one| fits(one, items)),
            single => fits(single, items),
        };
    }
    let text = value.as_str();
    match base(kind) {
        "Int" => value.is_i64(),
        "Boolean" => value.is_boolean(),
        "String" => text.is_some(),
        "Time" => text.and_then(Moment::parse).is_some(),
        name if is_id(name) => text.is_some() || value.is_i64(),
        name => text.is_some_and(|word| is_word(word, name)),
    }
}

/// A value in the form that resolvers read: ids are texts, and one value stands for a list of one.
pub(super) fn coerced(value: Value, kind: &str) -> Value {
    if let Some(items) = items(kind) {
        return match value {
            Value::Null => Value::Null,
            Value::Array(all) => all.into_iter().map(|one| coerced(one, items)).collect(),
            single => Value::Array(vec![coerced(single, items)]),
        };
    }
    match value {
        Value::Number(number) if is_id(base(kind)) => Value::String(number.to_string()),
        value => value,
    }
}

/// Whether a type is an enum.
pub(super) fn is_enum(kind: &str) -> bool {
    let name = base(kind);
    !matches!(name, "Int" | "Boolean" | "String" | "Time") && !is_id(name)
}

fn items(kind: &str) -> Option<&str> {
    let list = kind.strip_suffix('!').unwrap_or(kind);
    list.strip_prefix('[')?.strip_suffix(']')
}

fn is_id(name: &str) -> bool {
    name.ends_with("ID")
}

/// Whether an enum has this value.
fn is_word(word: &str, name: &str) -> bool {
    let words: &[&str] = match name {
        "PipelineStatusEnum" | "CiJobStatus" => {
            let known = word.to_lowercase().parse::<CiStatus>();
            return known.is_ok_and(|status| status.as_str().to_uppercase() == word);
        }
        "PipelineScopeEnum" => &["RUNNING", "PENDING", "FINISHED", "BRANCHES", "TAGS"],
        "PipelineScheduleStatus" => &["ACTIVE", "INACTIVE"],
        "CiJobKind" => &["BUILD", "BRIDGE"],
        "ProjectArchived" => &["ONLY", "INCLUDE", "EXCLUDE"],
        _ => &[],
    };
    words.contains(&word)
}
