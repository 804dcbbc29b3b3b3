//! What faults make of an answer.

use http::StatusCode;
use serde_json::{Value, json};

use super::fault::Fault;
use super::faults::Faults;
use super::reply::{Content, Reply};

/// The answer that replaces the true one; `None` for faults that only damage the true answer.
pub(super) fn failure(fault: Fault, faults: &Faults) -> Option<Reply> {
    match fault {
        Fault::InternalError => Some(Reply::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "message": "500 Internal Server Error" }),
        )),
        Fault::Forbidden => Some(Reply::forbidden("403 Forbidden")),
        Fault::OriginError => StatusCode::from_u16(520).ok().map(page),
        Fault::ProxyNotFound => Some(page(StatusCode::NOT_FOUND)),
        Fault::BadGateway => Some(page(StatusCode::BAD_GATEWAY)),
        Fault::Unavailable => Some(page(StatusCode::SERVICE_UNAVAILABLE)),
        Fault::TooManyRequests => Some(
            Reply::text(StatusCode::TOO_MANY_REQUESTS, "Retry later\n")
                .with_headers(vec![("retry-after", faults.retry_after.to_string())]),
        ),
        Fault::TooManyRequestsBare => Some(Reply::application_limit()),
        Fault::NotYetThere => Some(Reply::record_not_found()),
        Fault::EmptyList => Some(Reply::json(StatusCode::OK, json!([]))),
        Fault::StatementTimeout => Some(Reply::statement_timeout()),
        _ => None,
    }
}

/// The answer of GraphQL that replaces the true one.
pub(super) fn graphql_failure(fault: Fault, faults: &Faults) -> Option<Reply> {
    let (status, message) = match fault {
        Fault::InternalError => (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
        Fault::Forbidden => (StatusCode::FORBIDDEN, "API not accessible for user"),
        Fault::NotYetThere => (StatusCode::NOT_FOUND, "Not found!"),
        Fault::EmptyList => return None,
        _ => return failure(fault, faults),
    };
    Some(Reply::graphql_error(status, message))
}

/// Damages the true answer, after the request was carried out.
pub(super) fn damage(reply: &mut Reply, fault: Option<Fault>) {
    match fault {
        Some(Fault::RecordWithoutId) => add_record_without_id(reply),
        Some(Fault::AnswerLost) => *reply = page(StatusCode::BAD_GATEWAY),
        Some(Fault::StrippedPaging) => reply
            .headers
            .retain(|(name, _)| *name != "link" && !name.starts_with("x-")),
        _ => {}
    }
}

/// A page of a proxy in front of GitLab.
pub(super) fn page(status: StatusCode) -> Reply {
    let text = format!("<html><body><h1>{status}</h1></body></html>\n");
    Reply::html(status, &text)
}

/// Inserts a copy of the first record without `id`. The true records stay, so that no data is lost.
fn add_record_without_id(reply: &mut Reply) {
    if let Content::Json(Value::Array(rows)) = &mut reply.content
        && let Some(Value::Object(first)) = rows.first()
    {
        let mut broken = first.clone();
        broken.remove("id");
        rows.insert(rows.len() / 2, Value::Object(broken));
    }
}
