//! Masks possible secrets in logs. In doubt it masks too much.
//!
//! Each file finds secrets by another sign: `own` knows the exporter's own, `vendors` the forms of well-known
//! tokens, `names`, `assignments` and `values` telling names, `flags` and `tools` command lines, `pairs` tables and fields
//! beside their names, `patterns` fixed frames, `entropy` random texts, `encoded` disguises and `wrapped` what goes
//! on in the next line.

mod assignments;
mod encoded;
mod entropy;
mod flags;
mod names;
mod own;
mod pairs;
mod patterns;
mod shell;
mod spans;
mod tools;
mod values;
mod vendors;
mod wrapped;

pub(crate) use spans::MASKED;
use spans::Spans;

/// How often an encoded text is decoded within a decoded one.
const DEPTH: usize = 2;

/// Masks secrets, also given ones.
#[derive(Clone, Default)]
pub struct Masker {
    own: Vec<String>,
}

impl Masker {
    /// Masks also these texts, wherever they appear.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let own = secrets.into_iter().flat_map(own::forms).collect();
        Self { own }
    }

    /// The text with all possible secrets masked.
    pub fn masked(&self, text: &str) -> String {
        self.spans(text, DEPTH).replace(text)
    }

    fn spans(&self, text: &str, depth: usize) -> Spans {
        let mut spans = Spans::default();
        own::find(text, &self.own, &mut spans);
        vendors::find(text, &mut spans);
        patterns::find(text, &mut spans);
        assignments::find(text, &mut spans);
        flags::find(text, &mut spans);
        pairs::find(text, &mut spans);
        wrapped::find_random(text, &mut spans);
        if let Some(depth) = depth.checked_sub(1) {
            let has_secret = |decoded: &str| !self.spans(decoded, depth).is_empty();
            encoded::find(text, &has_secret, &mut spans);
        }
        wrapped::find(text, &mut spans);
        spans
    }
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masker({} own)", self.own.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        Masker::default().masked(text)
    }

    #[test]
    fn secrets_are_masked_and_their_names_stay() {
        for (line, wanted) in [
            (
                "token glpat-aB3_d-EfGhIjKlMnOpQr ends",
                "token [masked] ends",
            ),
            ("glrt-t1_aB3dEfGhIjKlMnOp", "[masked]"),
            ("id AKIAIOSFODNN7EXAMPLE!", "id [masked]!"),
            (
                "> Authorization: Basic dXNlcjpwYXNz",
                "> Authorization: [masked]",
            ),
            (
                "curl -H 'Authorization: Bearer abc.def'",
                "curl -H 'Authorization: [masked]",
            ),
            ("PRIVATE-TOKEN: s3cr3t-value", "PRIVATE-TOKEN:[masked]"),
            ("sent bearer eyJhbGciOi.J9.x", "sent bearer [masked]"),
            ("password=hunter2 next", "password=[masked] next"),
            (
                "DB_PASSWORD = 'two words' next",
                "DB_PASSWORD = [masked] next",
            ),
            ("Password: correct horse battery", "Password: [masked]"),
            (
                r#"{"client_secret": "a\"b c", "id": 1}"#,
                r#"{"client_secret": [masked], "id": 1}"#,
            ),
            (r#""auth": "dXNlcjpwYXNz""#, r#""auth": [masked]"#),
            (
                "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG",
                "AWS_SECRET_ACCESS_KEY=[masked]",
            ),
            (
                "mysql --password hunter2 -h db",
                "mysql --password [masked] -h db",
            ),
            (
                "curl -u user:hunter2 https://x",
                "curl -u [masked] https://x",
            ),
            (
                "clone https://ci:hunt/er@2@git.example/a.git",
                "clone https://[masked]git.example/a.git",
            ),
            (
                "clone https://hunter2@git.example/a.git",
                "clone https://[masked]git.example/a.git",
            ),
            (
                "GET /a?X-Amz-Signature=abc&b=1",
                "GET /a?X-Amz-Signature=[masked]&b=1",
            ),
            ("ghp_0123456789abcdefABCDEF0123", "[masked]"),
            (
                "redis://:hunter2@cache:6379/0",
                "redis://[masked]cache:6379/0",
            ),
            (
                "POST https://hooks.slack.com/services/T0/B0/hunter2 failed",
                "POST https://hooks.slack.com/services/[masked] failed",
            ),
            ("DB_PASS=hunter2 next", "DB_PASS=[masked] next"),
            (
                "AccountName=x;AccountKey=aGk+/==;EndpointSuffix=y",
                "AccountName=x;AccountKey=[masked]",
            ),
            (
                "<password>hunter2</password>",
                "<password>[masked]</password>",
            ),
            (
                "machine git.example login ci password hunter2",
                "machine git.example login ci password [masked]",
            ),
            (
                "docker login -u ci -p hunter2 registry.example",
                "docker login -u ci -p [masked] registry.example",
            ),
            (
                "mysql -uroot -phunter2 shop",
                "mysql -uroot -p[masked] shop",
            ),
            ("sshpass -p hunter2 ssh x", "sshpass -p [masked] ssh x"),
            (
                "tls.key: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==",
                "tls.key: [masked]",
            ),
            (
                r#"body {\"password\":\"hunter2\"}"#,
                r#"body {\"password\":[masked]}"#,
            ),
        ] {
            assert_eq!(masked(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_private_key_is_masked_whole_or_cut() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----";
        assert_eq!(masked(&format!("a\n{key}\nb")), "a\n[masked]\nb");
        let (head, tail) = key.split_at(40);
        assert_eq!(masked(&format!("a\n{head}")), "a\n[masked]");
        assert_eq!(masked(&format!("{tail}\nb")), "[masked]\nb");
    }

    #[test]
    fn a_block_under_the_name_of_a_secret_is_masked_whole() {
        assert_eq!(
            masked("a: 1\n  password: |-\n    hunter2\n    more\nb: 2"),
            "a: 1\n  password: |-[masked]\nb: 2"
        );
    }

    #[test]
    fn ordinary_text_stays() {
        for line in [
            "ERROR: Job failed: exit code 1",
            "assertion `left == right` failed: 3 tests of group::app",
            "fatal: unable to access 'https://gitlab.example/a.git/': error: 502",
            "at src/auth/login.rs:12:5",
            "commit 0123456789abcdef0123456789abcdef01234567 of main",
            "npm ERR! 404 Not Found - GET https://registry.npmjs.org/left-pad",
            "tests: pass=12 fail=1",
            "mkdir -p /builds && ssh -p 2222 host",
            "Login succeeded",
            "Compiling token-stream v1.0.0",
            "cache key: main-7f3a",
        ] {
            assert_eq!(masked(line), line);
        }
    }
}
