//! Users and tokens in the JSON format of GitLab's API.

use serde_json::{Value, json};

use super::accounts::Token;
use super::world::World;

impl World {
    /// The user of a job or pipeline.
    pub(super) fn user_payload(&self, id: u64) -> Value {
        let user = self.user(id);
        let username = user.map_or("ghost", |user| user.username.as_str());
        json!({
            "id": id,
            "username": username,
            "name": if id == 1 { "Example User" } else { username },
            "state": "active",
            "locked": false,
            "avatar_url": null,
            "web_url": format!("{}/{username}", self.base_url),
        })
    }

    /// The answer of `GET /user`.
    pub(super) fn own_user_payload(&self, id: u64) -> Value {
        let mut payload = self.user_payload(id);
        if let Value::Object(fields) = &mut payload {
            let bot = self.user(id).is_some_and(|user| user.bot);
            fields.insert("bot".to_owned(), json!(bot));
            fields.insert("created_at".to_owned(), json!(self.started().iso()));
        }
        payload
    }

    /// The answer of `GET /personal_access_tokens/self`.
    pub(super) fn token_payload(&self, token: &Token) -> Value {
        let day = std::time::Duration::from_hours(24);
        let expires = token.expires_at.unwrap_or(self.started() + 90 * day);
        let expires = expires.iso();
        let scopes = token.scopes.iter();
        json!({
            "id": 4,
            "name": "job-failure-exporter",
            "revoked": false,
            "created_at": self.started().iso(),
            "description": null,
            "scopes": scopes.map(<&str>::from).collect::<Vec<_>>(),
            "user_id": token.user,
            "last_used_at": self.now().iso(),
            "active": true,
            "expires_at": expires.get(..10),
        })
    }
}
