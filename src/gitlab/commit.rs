//! The commit of a failed job: its title, and who wrote it.

use ci_history::UnmaskedCommit;

use super::wire::{self, Field, Value};

/// Title and author of a job's commit. Fields of another type than expected count as missing: they are no reason to
/// reject the job.
pub(super) fn commit_of(job: &wire::Job<'_>) -> Option<UnmaskedCommit> {
    let Value::Object(commit) = &job.commit else {
        return None;
    };
    let author = text(&commit.author_name);
    let handle = handle(author, text(&commit.author_email), &job.user);
    let found = UnmaskedCommit {
        handle: handle.map(str::to_owned),
        title: text(&commit.title).to_owned(),
        author: author.to_owned(),
    };
    let says_something = !(found.title.is_empty() && found.author.is_empty());
    (says_something || found.handle.is_some()).then_some(found)
}

/// The author's handle. GitLab names the user of the job, who is the author unless the pipeline was started by a
/// schedule, a bot, or a person who merged or retried.
fn handle<'a>(
    author: &str,
    email: &'a str,
    user: &'a Value<'_, wire::User<'_>>,
) -> Option<&'a str> {
    let private = private_address_handle(email);
    let Value::Object(user) = user else {
        return private;
    };
    let username = Some(text(&user.username)).filter(|it| is_handle(it))?;
    let same = |a: &str, b: &str| !a.is_empty() && a.to_lowercase() == b.to_lowercase();
    let name = text(&user.name);
    let local_part = email.split('@').next().unwrap_or_default();
    let is_author = same(author, name)
        || same(email, text(&user.public_email))
        || same(local_part, username)
        // Nothing speaks against it.
        || author.is_empty()
        || name.is_empty();
    if is_author { Some(username) } else { private }
}

/// The handle in an address such as `42-ada@users.noreply.gitlab.com`, which GitLab gives to users who hide their own.
fn private_address_handle(email: &str) -> Option<&str> {
    let (local, host) = email.split_once('@')?;
    let (id, handle) = local.split_once('-')?;
    let is_private = host.starts_with("users.noreply.") && id.bytes().all(|b| b.is_ascii_digit());
    (is_private && !id.is_empty() && is_handle(handle)).then_some(handle)
}

/// Whether GitLab allows it as the name of a user.
fn is_handle(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "._-".contains(c);
    (1..=255).contains(&text.len()) && text.chars().all(allowed)
}

fn text<'f>(field: &'f Field<'_>) -> &'f str {
    match field {
        Value::Text(text) => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn found(commit: &Json, user: &Json) -> Option<UnmaskedCommit> {
        let job = json!({"id": 1, "commit": commit, "user": user}).to_string();
        commit_of(&serde_json::from_str(&job).unwrap())
    }

    fn handle_of(author: &str, email: &str, user: &Json) -> Option<String> {
        let commit = json!({"title": "x", "author_name": author, "author_email": email});
        found(&commit, user).unwrap().handle
    }

    #[test]
    fn the_user_of_the_job_is_the_author_if_the_name_or_an_address_says_so() {
        let ada =
            json!({"name": "Ada Lovelace", "username": "ada", "public_email": "ada@x.example"});
        let is_ada = Some("ada".to_owned());
        assert_eq!(handle_of("ada lovelace", "a@y.example", &ada), is_ada);
        assert_eq!(handle_of("A. L.", "ADA@x.example", &ada), is_ada);
        assert_eq!(handle_of("A. L.", "ada@corp.example", &ada), is_ada);
        assert_eq!(handle_of("", "", &ada), is_ada);
        assert_eq!(handle_of("Ada", "", &json!({"username": "ada"})), is_ada);
        assert_eq!(handle_of("Grace", "grace@x.example", &ada), None);
    }

    #[test]
    fn the_owner_of_a_schedule_and_a_bot_are_no_authors() {
        let bot = json!({"name": "nightly", "username": "project_7_bot_1a", "public_email": null});
        assert_eq!(handle_of("Grace", "grace@x.example", &bot), None);
        let private = "42-grace.h@users.noreply.gitlab.com";
        assert_eq!(
            handle_of("Grace", private, &bot),
            Some("grace.h".to_owned())
        );
        assert_eq!(
            handle_of("Grace", private, &Json::Null),
            Some("grace.h".to_owned())
        );
        let forged = json!({"name": "Grace", "username": "grace\" @all"});
        assert_eq!(handle_of("Grace", "", &forged), None);
    }

    #[test]
    fn odd_fields_are_missing_ones() {
        for commit in [
            json!(null),
            json!("x"),
            json!([1]),
            json!({}),
            json!({"title": 7}),
        ] {
            assert_eq!(found(&commit, &json!(7)), None);
        }
        let only_title = found(
            &json!({"title": "Fix it", "author_name": {"a": 1}}),
            &json!([]),
        );
        assert_eq!(only_title.unwrap().title, "Fix it");
    }
}
