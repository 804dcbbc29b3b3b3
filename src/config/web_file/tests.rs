use std::fs;

use super::*;

const HASH: &str = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze";

fn check(text: &str) -> Result<WebFile, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yml");
    fs::write(&path, text).unwrap();
    let checked = WebFile::check(&path).map(|(file, _)| file);
    let shown = format!("{}:", path.display());
    checked.map_err(|problems| problems.to_string().replace(&shown, ""))
}

#[test]
fn files_of_the_forms_that_the_toolkit_documents_are_taken() {
    for text in [
        "",
        "# nothing\n",
        "tls_server_config:\n  cert_file: \"server.crt\"\n  key_file: \"server.key\"\n",
        "tls_server_config :\n  cert_file : \"server.crt\"\n  key_file : \"server.key\"\n  client_auth_type : \"VerifyClientCertIfGiven\"\n  client_ca_file : \"tls-ca-chain.pem\"\n",
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: client.pem\n  client_allowed_sans:\n    - \"bad\"\n    - \"127.0.0.1\"\n",
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_auth_type: RequireAnyClientCert\n",
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  min_version: TLS12\n  max_version: TLS13\n  cipher_suites:\n    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n    - TLS_AES_128_GCM_SHA256\n  prefer_server_cipher_suites: false\n  curve_preferences:\n    - CurveP256\n    - X25519\n",
        "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_ca_file: ''\n  client_auth_type:\nhttp_server_config:\n  http2: false\n",
        "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=63072000\n    X-Content-Type-Options: nosniff\n    X-Frame-Options: deny\n    X-XSS-Protection: 1; mode=block\n    Content-Security-Policy: frame-ancestors 'none'\n",
        "basic_auth_users:\n",
        "rate_limit:\n  interval: 1s\n  burst: 10\n",
        "rate_limit:\n  interval: 0\n",
    ] {
        check(text).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    }
}

#[test]
fn values_are_read() {
    let file = check(&format!(
        "basic_auth_users:\n  alice: {HASH}\n  x-bob: {HASH}\nhttp_server_config: {{headers: {{X-XSS-Protection: 0, X-Frame-Options: ''}}}}\n"
    ))
    .unwrap();
    let names: Vec<_> = file.users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["alice", "x-bob"]);
    assert!(file.tls.is_none() && file.http2 && file.rate_limit.is_none());
    let headers: Vec<_> = file
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(headers, [("x-xss-protection", "0")]);
}

#[test]
fn each_problem_has_its_line_and_says_what_is_wanted() {
    let tls = "tls_server_config:\n  cert_file: a\n  key_file: b\n";
    for (text, expected) in [
        ("junk: 1", "1: junk: unknown key; valid here: tls_server_config, http_server_config, rate_limit, basic_auth_users".to_owned()),
        ("tls_server_config:\n  cert_fil: a", "2: tls_server_config.cert_fil: unknown key; did you mean `cert_file`?".to_owned()),
        ("tls_server_config:\n  cert_file: ''\n  key_file: b", "1: tls_server_config: without a certificate; give cert_file or cert".to_owned()),
        ("tls_server_config:\n  cert_file: a", "1: tls_server_config: without the key of the certificate".to_owned()),
        (&format!("{tls}  cert: x"), "4: tls_server_config.cert: found `x` (it has no certificate".to_owned()),
        (&format!("{tls}  client_ca_file: c"), "1: tls_server_config: authorities of clients are given, but no client_auth_type".to_owned()),
        (&format!("{tls}  client_auth_type: RequireAndVerifyClientCert"), "4: tls_server_config.client_auth_type: certificates of clients cannot be verified without their authority".to_owned()),
        (&format!("{tls}  client_auth_type: RequireAndVerifyClientCerts"), "did you mean `RequireAndVerifyClientCert`?".to_owned()),
        (&format!("{tls}  client_allowed_sans: [a]"), "4: tls_server_config.client_allowed_sans: has no effect unless".to_owned()),
        (&format!("{tls}  min_version: TLS10"), "wanted `TLS12` or `TLS13`".to_owned()),
        (&format!("{tls}  max_version: TLS11"), "4: tls_server_config.max_version: found `TLS11`".to_owned()),
        (&format!("{tls}  min_version: TLS13\n  max_version: TLS12"), "4: tls_server_config.min_version: found `TLS13`, newer than max_version".to_owned()),
        (&format!("{tls}  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]"), "4: tls_server_config.cipher_suites[0]: found `TLS_RSA_WITH_AES_128_CBC_SHA`".to_owned()),
        (&format!("{tls}  max_version: TLS12\n  cipher_suites: [TLS_AES_128_GCM_SHA256]"), "5: tls_server_config.cipher_suites: all of these are of TLS 1.3".to_owned()),
        (&format!("{tls}  curve_preferences: [CurveP521]"), "wanted one of `CurveP256`, `CurveP384`, `X25519`, `X25519MLKEM768`".to_owned()),
        ("http_server_config:\n  headers:\n    X-Custom: a", "3: http_server_config.headers.X-Custom: unknown key".to_owned()),
        ("http_server_config:\n  headers:\n    x-frame-options: deny", "3: http_server_config.headers.x-frame-options: unknown key".to_owned()),
        ("http_server_config:\n  headers:\n    X-Frame-Options: DENY", "wanted `deny` or `sameorigin`".to_owned()),
        ("http_server_config:\n  headers:\n    X-Content-Type-Options: sniff", "wanted `nosniff`".to_owned()),
        ("http_server_config: {http2: 'yes'}", "wanted `true` or `false`".to_owned()),
        ("basic_auth_users: [alice]", "1: basic_auth_users: found a list, wanted a mapping of users".to_owned()),
        ("basic_auth_users:\n  a:b: x", "2: basic_auth_users.a:b: the name of a user must not be empty or contain `:`".to_owned()),
        (&format!("basic_auth_users:\n  a: {HASH}\n  a: {HASH}"), "3: basic_auth_users.a: given twice".to_owned()),
        (&format!("basic_auth_users:\n  a: {}", HASH.replace("$10$", "$31$")), "2: basic_auth_users.a: the hash has the cost 31".to_owned()),
        ("rate_limit: {interval: 1s}", "1: rate_limit: no request would ever be answered".to_owned()),
        ("rate_limit: {interval: 1}", "1: rate_limit.interval: found the number 1".to_owned()),
    ] {
        let problems = check(text).unwrap_err();
        assert!(problems.contains(&expected), "{text}\n{problems}\n{expected}");
    }
}

#[test]
fn what_may_be_a_password_is_not_shown() {
    for given in [
        "hunter2",
        "$2y$10$short",
        "123456",
        "$9z$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze",
        "''",
    ] {
        let problems = check(&format!("basic_auth_users:\n  alice: {given}\n")).unwrap_err();
        assert!(
            problems.contains("2: basic_auth_users.alice: ") && problems.contains("htpasswd"),
            "{problems}"
        );
        assert!(!problems.contains(given) || given == "''", "{problems}");
    }
}
