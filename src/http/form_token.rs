//! Tokens of forms: each proves that its form was on a page of this process, shown to this browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, header};
use sha2::Sha256;

/// Names the browser. It says nothing about the person.
const COOKIE: &str = "job_failure_exporter_forms";

/// Bytes of a browser's name, and of what makes each token another one.
const RANDOM: usize = 16;

/// Makes and checks tokens. The key cannot be guessed, and is another one in each process.
pub(super) struct FormTokens {
    key: [u8; 32],
}

/// A browser that a page with a form is for.
pub(super) struct Session {
    name: String,
    is_new: bool,
}

impl Session {
    /// The browser that sent these headers. `None` if the system has no random bytes for a new one.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        if let Some(name) = name_of(headers) {
            return Some(Self {
                name: name.to_owned(),
                is_new: false,
            });
        }
        Some(Self {
            name: random()?,
            is_new: true,
        })
    }

    /// Tells a new browser its name. [`super::route_prefix`] adds the path.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let name = &self.name;
        let cookie = HeaderValue::from_str(&format!("{COOKIE}={name}; HttpOnly; SameSite=Strict"));
        if let (true, Ok(cookie)) = (self.is_new, cookie) {
            headers.insert(header::SET_COOKIE, cookie);
        }
    }
}

impl FormTokens {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A new token for a form on a page of this browser. No two are the same: what is compressed beside one tells
    /// nothing about it.
    pub(super) fn issue(&self, session: &Session) -> Option<String> {
        let salt = random()?;
        let seal = self.seal(&session.name, &salt).finalize().into_bytes();
        Some(format!("{salt}.{}", URL_SAFE_NO_PAD.encode(seal)))
    }

    /// Whether the token was issued to the browser that sent these headers.
    pub(super) fn is_issued(&self, headers: &HeaderMap, token: &str) -> bool {
        let (Some(name), Some((salt, seal))) = (name_of(headers), token.split_once('.')) else {
            return false;
        };
        let seal = URL_SAFE_NO_PAD.decode(seal).unwrap_or_default();
        self.seal(name, salt).verify_slice(&seal).is_ok()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn seal(&self, name: &str, salt: &str) -> Hmac<Sha256> {
        let mut seal = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key");
        // Neither part has a line end.
        seal.update(format!("{name}\n{salt}").as_bytes());
        seal
    }
}

/// The name of the browser, if it has the form of one.
fn name_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|value| value.split(';'));
    cookies.find_map(|cookie| {
        let (key, name) = cookie.trim().split_once('=')?;
        let bytes = URL_SAFE_NO_PAD.decode(name).ok()?;
        (key == COOKIE && bytes.len() == RANDOM).then_some(name)
    })
}

fn random() -> Option<String> {
    let mut bytes = [0; RANDOM];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_token_is_of_one_browser_and_process() {
        let tokens = FormTokens::new([7; 32]);
        let session = Session::of(&HeaderMap::new()).unwrap();
        let own = headers(&format!("a=b; {COOKIE}={}; c", session.name));
        let again = Session::of(&own).unwrap();
        assert!(session.is_new && !again.is_new && again.name == session.name);
        let token = tokens.issue(&again).unwrap();
        assert_ne!(token, tokens.issue(&again).unwrap());
        assert!(tokens.is_issued(&own, &token));
        let other = Session::of(&HeaderMap::new()).unwrap();
        let of_another = tokens.issue(&other).unwrap();
        let (salt, seal) = token.split_once('.').unwrap();
        for wrong in [
            "",
            ".",
            salt,
            &format!("{salt}."),
            &format!("x{salt}.{seal}"),
            &format!("{token}A"),
            &of_another,
            &FormTokens::new([8; 32]).issue(&session).unwrap(),
        ] {
            assert!(!tokens.is_issued(&own, wrong), "{wrong}");
        }
        assert!(!tokens.is_issued(&HeaderMap::new(), &token), "no cookie");
        assert!(!tokens.is_issued(&headers(&format!("{COOKIE}=")), &token));
        assert!(!tokens.is_issued(&headers(&format!("{COOKIE}=chosen")), &token));
    }
}
