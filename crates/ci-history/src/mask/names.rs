//! Names of secrets: of variables, fields, flags and headers.

/// How surely the value of a name is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Telling {
    /// Only a value that looks like one.
    Weakly,
    /// Any value but numbers and switches.
    Surely,
    /// Any value, which may have blanks and be a number.
    Password,
}

/// Words of passwords, also within longer words.
const PASSWORDS: &[&str] = &[
    "passw",
    "passphrase",
    "passcode",
    "secretphrase",
    "mnemonic",
    "seedphrase",
    "kennwort",
];

/// Parts of joined words that tell a secret.
const JOINED: &[&str] = &[
    "secret",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "authkey",
    "accountkey",
    "appkey",
    "applicationkey",
    "masterkey",
    "encryptionkey",
    "signingkey",
    "authtoken",
    "sharedkey",
    "licensekey",
    "deploykey",
    "storagekey",
    "connectionstring",
    "jsessionid",
    "phpsessid",
];

/// Whole words that tell a secret.
const WORDS: &[&str] = &[
    "token",
    "tokens",
    "cred",
    "creds",
    "auth",
    "jwt",
    "bearer",
    "authorization",
    "cookie",
    "cookies",
    "otp",
    "totp",
    "pat",
    "pin",
    "pass",
    "pwd",
    "pw",
    "passkey",
    "psk",
    "apitoken",
    "usertoken",
];

/// Words before `key` that make it a secret.
const SECRET_KEYS: &[&str] = &[
    "access",
    "account",
    "admin",
    "aes",
    "age",
    "api",
    "app",
    "application",
    "auth",
    "backup",
    "bot",
    "client",
    "consumer",
    "crypto",
    "deploy",
    "decryption",
    "ecdsa",
    "ed25519",
    "encryption",
    "fernet",
    "function",
    "gpg",
    "hmac",
    "host",
    "ingest",
    "integration",
    "jwt",
    "license",
    "master",
    "pgp",
    "private",
    "priv",
    "project",
    "rsa",
    "seed",
    "security",
    "sas",
    "server",
    "service",
    "session",
    "shared",
    "sign",
    "signing",
    "ssh",
    "ssl",
    "storage",
    "subscription",
    "tls",
    "unseal",
    "user",
    "webhook",
    "wireguard",
    "write",
    "wg",
];

/// Words whose value is a secret if it looks like one.
const HINTS: &[&str] = &[
    "key",
    "keys",
    "login",
    "session",
    "sessionid",
    "sid",
    "csrf",
    "xsrf",
    "nonce",
    "signature",
    "sig",
    "dsn",
    "hook",
    "webhook",
    "license",
    "licence",
    "salt",
    "seed",
    "code",
    "connection",
    "conn",
    "basic",
    "identity",
    "invite",
    "grant",
    "refresh",
    "verifier",
    "challenge",
];

/// Last words of names that tell about a secret without being it.
const ABOUT: &[&str] = &[
    "age",
    "arn",
    "algorithm",
    "attempts",
    "class",
    "count",
    "created",
    "dir",
    "directory",
    "enabled",
    "endpoint",
    "error",
    "errors",
    "exists",
    "expiration",
    "expires",
    "expiry",
    "field",
    "file",
    "filename",
    "format",
    "hint",
    "id",
    "in",
    "index",
    "info",
    "issuer",
    "kind",
    "length",
    "level",
    "lifetime",
    "limit",
    "manager",
    "max",
    "min",
    "mode",
    "mount",
    "name",
    "names",
    "namespace",
    "out",
    "path",
    "policy",
    "prefix",
    "prompt",
    "provider",
    "ref",
    "required",
    "reset",
    "scope",
    "scopes",
    "size",
    "source",
    "status",
    "stdin",
    "store",
    "ttl",
    "type",
    "updated",
    "uri",
    "url",
    "usage",
    "used",
    "validity",
    "version",
];

/// Last parts of the names of files.
const FILES: &[&str] = &[
    "c",
    "cc",
    "cfg",
    "conf",
    "cpp",
    "cs",
    "css",
    "dart",
    "ex",
    "exs",
    "go",
    "h",
    "hpp",
    "html",
    "ini",
    "java",
    "js",
    "json",
    "jsx",
    "kt",
    "kts",
    "lock",
    "log",
    "lua",
    "m",
    "md",
    "mjs",
    "php",
    "pl",
    "properties",
    "proto",
    "ps1",
    "py",
    "rb",
    "rs",
    "scala",
    "sh",
    "spec",
    "sql",
    "swift",
    "tf",
    "toml",
    "ts",
    "tsx",
    "txt",
    "vue",
    "xml",
    "yaml",
    "yml",
];

/// What the name tells about its value; `None` if nothing.
pub(super) fn telling(name: &str) -> Option<Telling> {
    // Names are short; what is longer is no name.
    let name = &name[name.ceil_char_boundary(name.len().saturating_sub(120))..];
    let words = words(name);
    let last = words.last()?;
    let joined = words.concat();
    let is_about = words.len() > 1 && ABOUT.contains(&last.as_str());
    if PASSWORDS.iter().any(|part| joined.contains(part)) {
        return Some(if is_about {
            Telling::Weakly
        } else {
            Telling::Password
        });
    }
    if JOINED.iter().any(|part| joined.contains(part)) || has_secret_word(&words) {
        return Some(if is_about {
            Telling::Weakly
        } else {
            Telling::Surely
        });
    }
    if name.starts_with("BUNDLE_") && name.contains("__") {
        return Some(Telling::Surely);
    }
    let is_hint = words.iter().any(|word| HINTS.contains(&word.as_str()));
    is_hint.then_some(Telling::Weakly)
}

/// Whether the name is one of a file, such as `secrets.rs`.
pub(super) fn is_file(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, ending)| FILES.contains(&ending))
}

fn has_secret_word(words: &[String]) -> bool {
    let is_secret_key = |pair: &[String]| {
        matches!(pair[1].as_str(), "key" | "keys") && SECRET_KEYS.contains(&pair[0].as_str())
    };
    words
        .iter()
        .any(|word| WORDS.contains(&word.as_str()) || word.ends_with("token"))
        || words.windows(2).any(is_secret_key)
}

/// The words of a name in small letters: `DB_PW`, `db-pw`, `dbPw` and `DBPw` give `db` and `pw`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let bytes = name.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + 1);
        let begins = byte.is_ascii_uppercase()
            && (before.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                || before.is_some_and(|b| b.is_ascii_uppercase())
                    && after.is_some_and(u8::is_ascii_lowercase));
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_their_values() {
        for (name, wanted) in [
            ("DB_PW", Some(Telling::Surely)),
            ("dbPassword", Some(Telling::Password)),
            ("Djavax.net.ssl.keyStorePassword", Some(Telling::Password)),
            ("MNEMONIC", Some(Telling::Password)),
            ("SecretAccessKey", Some(Telling::Surely)),
            ("applicationKey", Some(Telling::Surely)),
            ("npmAuthToken", Some(Telling::Surely)),
            ("X-Vault-Token", Some(Telling::Surely)),
            ("secretName", Some(Telling::Weakly)),
            ("password-file", Some(Telling::Weakly)),
            ("cache-key", Some(Telling::Weakly)),
            ("BUNDLE_GEMS__ACME__COM", Some(Telling::Surely)),
            ("tokenizer", None),
            ("compass", None),
            ("authors", None),
            ("bypass", None),
            ("passed", None),
            ("", None),
        ] {
            assert_eq!(telling(name), wanted, "{name}");
        }
        assert!(is_file("secrets.rs") && !is_file("sonar.token"));
    }
}
