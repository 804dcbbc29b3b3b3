//! The section `basic_auth_users`: names and hashed passwords.

use secrecy::SecretString;

use super::super::key_info::KeyInfo;
use super::super::section::Section;
use super::super::value_type::{Form, ValueType};

/// A user that may read.
#[derive(Debug, Clone)]
pub struct User {
    /// Without a colon, which ends the name in a request.
    pub name: String,
    /// Of the password, by bcrypt.
    pub hash: SecretString,
}

/// Highest cost of a hash: some seconds for one password.
const MAX_COST: u32 = 18;

/// Users of a file: each takes a look-up, and its password a check.
const MAX_USERS: usize = 10_000;

pub(super) const KEYS: &[KeyInfo] = &[KeyInfo::new(
    "basic_auth_users.<user>",
    ValueType::Text(Form::new("hash", WANTED)),
)];

const WANTED: &str =
    "the bcrypt hash of a password, such as `htpasswd -nBC 10 \"\" | tr -d ':\\n'` prints";

pub(super) fn read(root: &Section<'_>) -> Vec<User> {
    let users = root.mapping(
        "basic_auth_users",
        &format!("a mapping of users to {WANTED}"),
        user,
    );
    if users.len() > MAX_USERS {
        let message = format!("{} users, wanted at most {MAX_USERS}", users.len());
        root.complain_of("basic_auth_users", message);
    }
    users
}

/// No message shows the value: it may be a password.
fn user(name: &str, hash: Option<&str>) -> Result<User, String> {
    if name.is_empty() || name.contains(':') {
        return Err("the name of a user must not be empty or contain `:`".to_owned());
    }
    let Some(hash) = hash else {
        return Err(format!("found no text, wanted {WANTED}"));
    };
    let cost =
        cost(hash).ok_or_else(|| format!("found something else (not shown), wanted {WANTED}"))?;
    if cost > MAX_COST {
        return Err(format!(
            "the hash has the cost {cost}, which takes minutes to check; wanted at most {MAX_COST}"
        ));
    }
    Ok(User {
        name: name.to_owned(),
        hash: hash.into(),
    })
}

/// The cost of a hash: `$2y$10$` and 53 characters of salt and hash.
fn cost(hash: &str) -> Option<u32> {
    let mut parts = hash.strip_prefix('$')?.splitn(3, '$');
    let (version, cost, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '/';
    if !matches!(version, "2a" | "2b" | "2x" | "2y")
        || rest.len() != 53
        || !rest.chars().all(is_base64)
    {
        return None;
    }
    let cost = cost.parse().ok().filter(|_| cost.len() == 2);
    cost.filter(|cost| (4..=31).contains(cost))
}
