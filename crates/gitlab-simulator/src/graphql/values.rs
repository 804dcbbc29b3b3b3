//! Values of entities in GraphQL's forms.

use serde_json::{Value, json};

use super::gid;
use crate::entity::{CiStatus, Pipeline};
use crate::moment::Moment;
use crate::world::World;

/// A `Time`: whole seconds.
pub(super) fn time(moment: Moment) -> String {
    moment.iso_seconds()
}

/// A `Time`, or null.
pub(super) fn maybe_time(moment: Option<Moment>) -> Value {
    moment.map(time).into()
}

/// A status as an enum: upper case.
pub(super) fn status(status: CiStatus) -> String {
    status.as_str().to_uppercase()
}

/// The path of a pipeline's page, without the server.
pub(super) fn pipeline_path(world: &World, pipeline: &Pipeline) -> String {
    let project = world.project(pipeline.project_id);
    let path = project.map(|project| project.path.as_str());
    format!("/{}/-/pipelines/{}", path.unwrap_or_default(), pipeline.id)
}

/// A user.
pub(super) fn user_object(world: &World, id: u64) -> Value {
    let user = world.user_payload(id);
    json!({
        "id": gid::of("User", id),
        "username": user["username"],
        "name": user["name"],
        "state": user["state"],
        "bot": world.user(id).is_some_and(|user| user.bot),
        "webUrl": user["web_url"],
    })
}
