//! Who may ask for actions over HTTP.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

use crate::config::Caller;

/// The callers of the configuration.
#[derive(Debug, Clone)]
pub struct Callers {
    callers: Vec<Caller>,
}

impl Callers {
    /// Those that the configuration names.
    pub fn new(callers: Vec<Caller>) -> Self {
        Self { callers }
    }

    /// Whether nobody may ask.
    pub fn is_empty(&self) -> bool {
        self.callers.is_empty()
    }

    /// The caller that proves to be one: by basic authentication with its name and secret, or by its secret as the
    /// bearer token.
    pub fn of(&self, headers: &HeaderMap) -> Option<Arc<str>> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, rest) = given.split_once(' ')?;
        let (name, secret) = if scheme.eq_ignore_ascii_case("bearer") {
            (None, rest.trim().to_owned())
        } else if scheme.eq_ignore_ascii_case("basic") {
            let decoded = STANDARD.decode(rest.trim()).ok()?;
            let decoded = String::from_utf8(decoded).ok()?;
            let (name, secret) = decoded.split_once(':')?;
            (Some(name.to_owned()), secret.to_owned())
        } else {
            return None;
        };
        // All are compared, so that the time tells nothing about the order.
        let mut found = None;
        for caller in &self.callers {
            let is_named = name.as_deref().is_none_or(|name| *name == *caller.name);
            let equals = |token: &str| bool::from(token.as_bytes().ct_eq(secret.as_bytes()));
            let token = caller.token.as_ref();
            let is_known = token.and_then(|token| token.with(equals)).unwrap_or(false);
            if is_named && is_known {
                found = Some(caller.name.clone());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::live_secret::LiveSecret;

    fn callers() -> Callers {
        let caller = |name: &str, token: &str| Caller {
            name: name.into(),
            token: Some(Arc::new(LiveSecret::fixed(token.into()))),
        };
        Callers::new(vec![
            caller("alertmanager", "0123456789abcdef"),
            caller("ops", "fedcba9876543210"),
            Caller {
                name: "unreadable".into(),
                token: None,
            },
        ])
    }

    fn of(authorization: &str) -> Option<Arc<str>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        callers().of(&headers)
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn a_caller_proves_itself_by_basic_authentication_or_bearer_token() {
        assert_eq!(
            of("Bearer 0123456789abcdef").as_deref(),
            Some("alertmanager")
        );
        assert_eq!(of("bearer fedcba9876543210").as_deref(), Some("ops"));
        assert_eq!(of(&basic("ops:fedcba9876543210")).as_deref(), Some("ops"));
    }

    #[test]
    fn nobody_else_is_a_caller() {
        for wrong in [
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcdeX",
            "Digest 0123456789abcdef",
            "Basic !",
            &basic("ops:0123456789abcdef"),
            &basic("ops"),
            &basic("unreadable:"),
            &basic(":fedcba9876543210"),
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert_eq!(callers().of(&HeaderMap::new()), None);
    }
}
