//! The token: its kind, its scopes and its end.

use secrecy::{ExposeSecret as _, SecretString};

use super::finding::{Findings, Level};
use crate::base::DAY;
use crate::base::human::day;
use crate::gitlab::{Client, Error, TokenFacts, TokenUser};

/// A token that ends within so many days is a warning.
const DAYS_OF_NOTICE: i64 = 14;

/// Prefixes of secrets that open no API, by GitLab's token overview.
const NO_API_TOKENS: [(&str, &str); 11] = [
    (
        "glcbt-",
        "a job token (CI_JOB_TOKEN), which ends with its job",
    ),
    (
        "gldt-",
        "a deploy token, which reads repositories and registries only",
    ),
    ("glrt-", "the token of a runner"),
    ("glrtr-", "a registration token of runners"),
    ("glptt-", "a trigger token, which starts pipelines only"),
    ("glft-", "a feed token"),
    ("glimt-", "an incoming mail token"),
    ("glagent-", "the token of an agent for Kubernetes"),
    ("glsoat-", "a SCIM token"),
    ("gloas-", "the secret of an OAuth application"),
    ("glffct-", "the token of a feature flag client"),
];

/// The kind of a token, as far as GitLab lets tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a person, a service account or an administrator.
    Personal(String),
    /// Of one project.
    Project(u64),
    /// Of a group and its subgroups.
    Group(u64),
    /// Of some other bot.
    Bot(String),
}

/// What the token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To read.
    Watch,
    /// To bring jobs back.
    Act,
}

/// What GitLab tells of a token.
pub(super) struct Told {
    pub(super) user: Result<TokenUser, Error>,
    pub(super) facts: Result<TokenFacts, Error>,
}

/// What is wrong with a secret by its form alone.
pub(super) fn no_api_token(secret: &SecretString) -> Option<&'static str> {
    let secret = secret.expose_secret();
    let mut kinds = NO_API_TOKENS.iter();
    kinds
        .find(|(prefix, _)| secret.starts_with(prefix))
        .map(|(_, what)| *what)
}

impl Kind {
    pub(super) fn of(user: &TokenUser) -> Self {
        let name = &*user.username;
        let id_after = |prefix: &str| {
            let (id, rest) = name.strip_prefix(prefix)?.split_once('_')?;
            id.parse().ok().filter(|_| rest.starts_with("bot"))
        };
        if let Some(project) = id_after("project_") {
            Self::Project(project)
        } else if let Some(group) = id_after("group_") {
            Self::Group(group)
        } else if user.is_bot {
            Self::Bot(name.to_owned())
        } else {
            Self::Personal(name.to_owned())
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Personal(user) => format!("a token of the user {user}"),
            Self::Project(id) => format!("a project access token of project {id}"),
            Self::Group(id) => format!("a group access token of group {id}"),
            Self::Bot(user) => format!("a token of the bot {user}"),
        }
    }
}

/// Asks GitLab about the client's token.
pub(super) async fn ask(client: &Client) -> Told {
    Told {
        user: client.token_user().await,
        facts: client.token_facts().await,
    }
}

/// Judges what GitLab told at `now`, in Unix seconds. Returns the kind, if it is known.
pub(super) fn judge(told: &Told, purpose: Purpose, now: i64, findings: &Findings) -> Option<Kind> {
    let kind = told.user.as_ref().ok().map(Kind::of);
    match (&told.facts, &told.user) {
        (Err(error), Err(user)) if user.is_of_the_token() => {
            let error = if error.is_of_the_token() { error } else { user };
            findings.error(error.to_string());
            return None;
        }
        // Before 15.5 GitLab answers 401 or 404, although the token is good.
        (Err(_), Ok(_)) => findings.warn(
            "GitLab does not tell scopes and end of the token: it is older than 15.5, or the token is one of OAuth",
        ),
        (Err(error), Err(_)) => {
            findings.warn(format!("scopes and end of the token are not known: {error}"));
        }
        (Ok(facts), _) => {
            judge_scopes(facts, purpose, findings);
            judge_end(facts, now, findings);
        }
    }
    if let Some(kind) = &kind {
        findings.ok(kind.words());
    } else if let Err(error) = &told.user {
        findings.warn(format!("the kind of the token is not known: {error}"));
    }
    kind
}

fn judge_scopes(facts: &TokenFacts, purpose: Purpose, findings: &Findings) {
    let scopes = facts.scopes.join(", ");
    let writes = facts.scopes.iter().any(|scope| scope == "api");
    let is_granular = facts.scopes.iter().any(|scope| scope == "granular");
    let (level, message) = match purpose {
        _ if is_granular => (
            Level::Warning,
            "a fine-grained token: GitLab does not tell what it may do. It has to read projects, pipelines, jobs, \
             schedules and repositories"
                .to_owned(),
        ),
        Purpose::Act if writes => (Level::Ok, format!("its scopes suffice: {scopes}")),
        Purpose::Act => (
            Level::Error,
            format!("its scopes are {scopes}; bringing jobs back needs `api`"),
        ),
        Purpose::Watch if writes => (
            Level::Warning,
            format!("its scopes are {scopes}; `read_api` is enough, and a token that cannot write does less harm if it leaks"),
        ),
        Purpose::Watch if facts.reads_the_api() => {
            (Level::Ok, format!("its scopes suffice: {scopes}"))
        }
        Purpose::Watch => (
            Level::Error,
            format!("its scopes are {scopes}; wanted `read_api`: make a new one, the scopes of a token cannot be changed"),
        ),
    };
    findings.add(level, Vec::new(), message);
}

fn judge_end(facts: &TokenFacts, now: i64, findings: &Findings) {
    let Some(end) = facts.expires_at else {
        findings.ok("it never ends");
        return;
    };
    let (end, left) = (day(end.unix()), (end.unix() - now).div_euclid(DAY));
    if left < 0 {
        findings.error(format!("it ended on {end}; make a new one"));
    } else if left < DAYS_OF_NOTICE {
        findings.warn(format!("it ends on {end}, in {left} days; renew it"));
    } else {
        findings.ok(format!("it ends on {end}, in {left} days"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ci_history::Timestamp;

    use super::super::finding::Part;
    use super::*;

    fn user(name: &str, is_bot: bool) -> TokenUser {
        TokenUser {
            id: 4,
            username: Arc::from(name),
            is_bot,
        }
    }

    const NOW: i64 = 100 * DAY;

    /// The findings of a token with these scopes that ends in so many days.
    fn judged(scopes: &[&str], days: i64, purpose: Purpose) -> String {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let told = Told {
            user: Ok(user("ann", false)),
            facts: Ok(TokenFacts {
                scopes,
                expires_at: Timestamp::from_unix(NOW + days * DAY),
            }),
        };
        let findings = Findings::about(Part::Token);
        judge(&told, purpose, NOW, &findings);
        let mut text = Vec::new();
        for finding in findings.list() {
            finding.write(&mut text).unwrap();
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_kind_is_told_by_the_name_of_the_bot() {
        for (name, is_bot, kind) in [
            ("project_7_bot_0f", true, Kind::Project(7)),
            ("project_7_bot", true, Kind::Project(7)),
            ("group_42_bot_9c", true, Kind::Group(42)),
            ("project_x_bot", true, Kind::Bot("project_x_bot".into())),
            ("support-bot", true, Kind::Bot("support-bot".into())),
            ("ann", false, Kind::Personal("ann".into())),
        ] {
            assert_eq!(Kind::of(&user(name, is_bot)), kind);
        }
    }

    #[test]
    fn secrets_that_open_no_api_are_known_by_their_prefix() {
        let what = |secret: &str| no_api_token(&SecretString::from(secret.to_owned()));
        assert!(what("glcbt-64_x").unwrap().contains("CI_JOB_TOKEN"));
        assert!(what("gldt-x").unwrap().contains("deploy"));
        assert_eq!(what("glpat-x"), None);
        assert_eq!(what("0123456789abcdef0123"), None);
    }

    #[test]
    fn scopes_are_held_against_what_the_token_is_for() {
        let said = judged(&["read_user"], 90, Purpose::Watch);
        assert!(
            said.contains("error") && said.contains("`read_api`"),
            "{said}"
        );
        let said = judged(&["read_api"], 90, Purpose::Watch);
        assert!(
            !said.contains("error") && !said.contains("warning"),
            "{said}"
        );
        assert!(judged(&["api"], 90, Purpose::Watch).contains("warning"));
        assert!(judged(&["read_api"], 90, Purpose::Act).contains("needs `api`"));
        let said = judged(&["granular"], 90, Purpose::Watch);
        assert!(
            said.contains("fine-grained") && !said.contains("error"),
            "{said}"
        );
    }

    #[test]
    fn the_end_is_a_warning_two_weeks_before_it() {
        let level = |days| {
            let said = judged(&["read_api"], days, Purpose::Watch);
            said.lines().nth(1).unwrap()[..8].trim().to_owned()
        };
        assert_eq!(
            [level(-1), level(0), level(13), level(14)],
            ["error", "warning", "warning", "ok"]
        );
    }
}
