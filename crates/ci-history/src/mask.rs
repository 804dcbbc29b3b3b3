//! Masks possible secrets in logs. In doubt it masks too much.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::pattern::pattern;

/// Replacement of a secret.
const MASKED: &str = "${1}[masked]";

/// Patterns in order of application. The first group stays, the rest of the match is masked.
const PATTERNS: &[&str] = &[
    // Private keys, whole or cut at either end.
    r"()-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    r"()\A(?s:.*)-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
    // Private keys in base64 (Kubernetes) and of PuTTY.
    r"()\bLS0tLS1CRUdJTi[0-9A-Za-z+/_-]+=*",
    r"(Private-Lines: \d+)(?:\n[0-9A-Za-z+/=]+)+",
    // YAML block scalars.
    r"(?im)([\w.-]*(?:passw|passphrase|secret|token|credential|key)[\w.-]*[\x22']?\s*:\s*[|>][-+0-9]*[ \t]*)(?:\n[ \t]+.*)+",
    // Headers, to the end of the line.
    r"(?im)(\b(?:proxy-)?authorization\b\W{1,4}).+$",
    r"(?im)(\b(?:private-token|job-token|deploy-token|x-[a-z0-9-]*(?:token|key)|(?:set-)?cookie)\b[\x22']?\s*[:=]).+$",
    r"(?i)(\bbearer[\s:=]+)[^\s\x22']{4,}",
    // User and password in a URL.
    r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@:\x22'<>]*:[^\s\x22'<>]*@",
    r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@\x22'<>]+@",
    r"(?i)([?&][a-z0-9_.-]*(?:sig|signature|credential|key|code|auth)=)[^\s&\x22'<>]+",
    // Secret URLs.
    r"(?i)(\bhooks\.slack\.com/(?:services|workflows|triggers)/)[^\s\x22'<>]+",
    r"(?i)(\bdiscord(?:app)?\.com/api/webhooks/)[^\s\x22'<>]+",
    r"(?i)(\bwebhook\.office\.com/)[^\s\x22'<>]+",
    r"(?i)(\bapi\.telegram\.org/bot)[^\s/\x22'<>]+",
    // Tokens with a known format: GitLab, AWS, GitHub, Slack, Google, JWT, npm, Docker, PyPI, Vault, Stripe, ..
    r"()\b(?:glpat|glptt|gldt|glrtr?|glcbt|glft|glimt|glagent|glsoat|gloas|glffct|glwt)-[0-9A-Za-z_.=-]{4,}",
    r"()\bGR1348941[0-9A-Za-z_-]+",
    r"()\b(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[0-9A-Z]{8,}",
    r"()\b(?:gh[pousr]_[0-9A-Za-z]{16,}|github_pat_[0-9A-Za-z_]{16,})",
    r"()\bxox[a-z]-[0-9A-Za-z-]{8,}",
    r"()\bAIza[0-9A-Za-z_-]{20,}",
    r"()\beyJ[0-9A-Za-z_-]{6,}\.[0-9A-Za-z_.-]+",
    r"()\b(?:npm_[0-9A-Za-z]{20,}|dckr_[a-z]+_[0-9A-Za-z_-]{16,}|pypi-[0-9A-Za-z_-]{16,}|hv[sbr]\.[0-9A-Za-z_-]{16,}|[sr]k[_-](?:live|test|proj|ant)?[_-]?[0-9A-Za-z_-]{16,})",
    r"()\b(?:ya29\.[0-9A-Za-z_-]{16,}|GOCSPX-[0-9A-Za-z_-]{16,}|SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,})",
    r"()\b(?:dop_v1_[0-9a-f]{32,}|dapi[0-9a-f]{32}|sq[upa]_[0-9a-f]{32,}|shp[a-z]{2}_[0-9A-Fa-f]{24,}|AKCp[0-9A-Za-z]{16,}|AGE-SECRET-KEY-1[0-9A-Z]{16,})",
    r"()\b(?:hf|rubygems|lin_api|glsa|pul|sntrys|dp\.pt)_[0-9A-Za-z_]{24,}",
    // Named values: a quoted text, `password: ..` to the end of the line, or one word.
    r"(?i)([\w.-]*(?:passw|passphrase|pwd|secret|token|credential|(?:api|access|account|app|deploy|encryption|fernet|gpg|hmac|jwt|license|master|private|shared|signing|ssh|storage|subscription|aes)[_-]?key|_auth\b|\bauth\b)[\w.-]*\\?[\x22']?\]?\s*(?:=>|:=|[=:])\s*\\?)(?:\x22(?:\\.|[^\x22\\\n])*\x22?|'[^'\n]*'?)",
    r"(?im)([\w.-]*(?:passw|passphrase|secret)[\w.-]*\s*:\s+)[^\s\[].*$",
    r"(?i)([\w.-]*(?:passw|passphrase|pwd|secret|token|credential|(?:api|access|account|app|deploy|encryption|fernet|gpg|hmac|jwt|license|master|private|shared|signing|ssh|storage|subscription|aes)[_-]?key|_auth\b|\bauth\b)[\w.-]*\s*(?:=>|:=|[=:])\s*)[^\s\x22'\[][^\s\x22']*",
    // `PASS` alone. Numbers stay: they count passed tests.
    r"(?i)(\b(?:[\w.-]*[_.-])?pass\s*(?:=|:=|=>)\s*)(?:\x22[^\x22\n]*\x22?|'[^'\n]*'?|\d*[^\s\d\x22'\[][^\s\x22']*)",
    r"(?i)(<[\w:.-]*(?:passw|passphrase|secret|token|credential|api-?key)[\w:.-]*(?:\s[^>\n]*)?>)[^<\s\[][^<\n]*",
    r"(?i)(\blogin\s+\S+\s+password\s+)\S+",
    // Command-line flags.
    r"(?i)(\s--?(?:password|passwd|pass|passphrase|token|secret|api-?key|[a-z-]+-(?:password|token|secret|key))(?:=|\s+))[\x22']?[^\s\x22'\[-][^\s\x22']*[\x22']?",
    r"(\s(?:-u|--user)(?:=|\s*)[\x22']?)[^\s:\x22']+:[^\s\x22']+",
    r"(?i)(\blogin\b[^\n]*?\s-p(?:=|\s*)[\x22']?)[^\s\x22'\[-][^\s\x22']*",
    r"(?i)(\bsshpass\s+-p\s*[\x22']?)[^\s\x22'\[][^\s\x22']*",
    r"(?i)(\b(?:mysql\w*|mariadb[\w-]*)\b[^\n]*?\s-p)[^\s\x22'\[][^\s\x22']*",
    r"(?i)(\bidentified by\s+)\S+",
];

static RULES: LazyLock<Vec<Regex>> =
    LazyLock::new(|| PATTERNS.iter().map(|text| pattern(text)).collect());

/// The text with all possible secrets masked.
pub(super) fn masked(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    for rule in RULES.iter() {
        if let Cow::Owned(masked) = rule.replace_all(&text, MASKED) {
            text = Cow::Owned(masked);
        }
    }
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
                r#"body {\"password\":\[masked]"#,
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
            "a: 1\n  password: [masked]\nb: 2"
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
