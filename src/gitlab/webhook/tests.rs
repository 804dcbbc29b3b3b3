use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ci_history::Timestamp;
use hmac::{KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName};

use super::*;
use crate::base::live_secret::LiveSecret;

/// The example of the Standard Webhooks specification: `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`.
fn key() -> Vec<u8> {
    STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
}
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SENT: i64 = 1_614_265_330;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn signed<'a>() -> [(&'static str, &'a str); 3] {
    [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", SIGNATURE),
    ]
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn recorded(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/webhooks");
    std::fs::read(folder.join(name)).unwrap()
}

/// Reads a hook of any kind.
fn decode(body: &[u8]) -> Result<Option<Hook>, Rejected> {
    kind_of(body).map_or_else(
        || super::decode(HookKind::Job, body),
        |kind| super::decode(kind, body),
    )
}

#[test]
fn every_recorded_hook_of_gitlab_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/webhooks");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name == "README.md" {
            continue;
        }
        let body = recorded(&name);
        let hook = decode(&body).unwrap_or_else(|rejected| panic!("{name}: {rejected}"));
        let said = hook.map(|hook| {
            let project = match hook.project {
                HookProject::Id(id) => id.to_string(),
                HookProject::Path(path) => path.to_string(),
            };
            (project, hook.pipeline_id, hook.kind)
        });
        found.push((name, said));
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let found = found.iter().map(|(name, said)| {
        let said = said.as_ref();
        (
            &**name,
            said.map(|(project, id, kind)| (&**project, *id, *kind)),
        )
    });
    let found: Vec<_> = found.collect();
    assert_eq!(
        found,
        [
            ("docs_job_event.json", Some(("380", 2366, HookKind::Job))),
            (
                "docs_pipeline_event.json",
                Some(("1", 31, HookKind::Pipeline))
            ),
            (
                "gitlab4j_build_event.json",
                Some(("3115610", 2366, HookKind::Job))
            ),
            ("gitlab4j_deployment_event.json", None),
            // None of GitLab's: it says `build`.
            ("gitlab4j_job_event.json", None),
            (
                "gitlab4j_pipeline_event.json",
                Some(("1", 31, HookKind::Pipeline))
            ),
            ("gogitlab_build.json", Some(("380", 2366, HookKind::Job))),
            ("gogitlab_deployment.json", None),
            (
                "gogitlab_job.json",
                Some(("31537070", 743_121_198, HookKind::Job))
            ),
            (
                "gogitlab_pipeline.json",
                Some(("1", 31, HookKind::Pipeline))
            ),
            (
                "jenkins_pipeline_event.json",
                Some(("1", 31, HookKind::Pipeline))
            ),
            (
                "jenkins_pipeline_failure_event.json",
                Some(("gitlab-org/gitlab-test", 31, HookKind::Pipeline))
            ),
        ]
    );
}

#[test]
fn a_hook_names_its_pipeline_and_what_moved() {
    let hook = decode(&recorded("gogitlab_job.json")).unwrap().unwrap();
    assert_eq!(hook.kind, HookKind::Job);
    assert_eq!((hook.source, hook.merge_request), (None, None));
    assert_eq!(hook.status, Status::Success);
    let hook = decode(&recorded("docs_pipeline_event.json"));
    let hook = hook.unwrap().unwrap();
    assert_eq!(hook.kind, HookKind::Pipeline);
    assert_eq!(hook.status, Status::Success);
    assert_eq!(&*hook.ref_name, "master");
    assert_eq!(hook.source.as_deref(), Some("merge_request_event"));
    assert_eq!(hook.merge_request, Some(1));
}

#[test]
fn the_pipelines_id_is_that_of_the_commit_where_there_is_no_other() {
    let body = br#"{"object_kind":"build","ref":"main","build_id":7,"build_name":"a",
        "build_status":"failed","project_id":3,"commit":{"id":42}}"#;
    let hook = decode(body).unwrap().unwrap();
    assert_eq!((hook.project, hook.pipeline_id), (HookProject::Id(3), 42));
}

#[test]
fn what_cannot_be_used_is_rejected_and_jobs_are_not_looked_at() {
    for body in [
        "",
        "nonsense",
        "[]",
        r#"{"object_kind":"build"}"#,
        r#"{"object_kind":"build","build_id":1,"project_id":0,"pipeline_id":3}"#,
        r#"{"object_kind":"build","build_id":1,"project_id":1,"pipeline_id":3,"ref":"x"}"#,
        r#"{"object_kind":"pipeline","project":{"id":1}}"#,
        r#"{"object_kind":"pipeline","object_attributes":{"id":1,"ref":"x","status":"a"}}"#,
    ] {
        assert!(decode(body.as_bytes()).is_err(), "{body}");
    }
    let body = r#"{"object_kind":"pipeline","project":{"id":1},"merge_request":null,
        "object_attributes":{"id":2,"ref":"x","status":"failed"},
        "builds":[{"id":3},"odd",{"id":4,"name":"b","status":"success"}]}"#;
    let hook = decode(body.as_bytes()).unwrap().unwrap();
    assert_eq!((hook.pipeline_id, hook.merge_request), (2, None));
    assert_eq!(decode(br#"{"object_kind":"push"}"#), Ok(None));
    assert_eq!(decode(br#"{"event_name":"project_create"}"#), Ok(None));
}

/// Checks one credential; its number is 0.
fn credential(token: Option<&str>, key: Option<&[u8]>) -> Credential {
    Credential {
        token: token.map(|token| Arc::new(LiveSecret::fixed(token.into()))),
        key: key.map(|key| Arc::new(LiveSecret::fixed(key.to_vec().into()))),
    }
}

fn verifier(token: Option<&str>, key: Option<&[u8]>) -> Verifier {
    Verifier::new(vec![credential(token, key)])
}

#[test]
fn only_the_right_token_opens() {
    let verifier = verifier(Some("secret"), None);
    let check = |pairs: &[(&'static str, &str)]| verifier.check(&headers(pairs), b"", at(1));
    assert_eq!(check(&[("x-gitlab-token", "secret")]), Ok(0));
    for wrong in ["", "secre", "secrets", "Secret"] {
        assert_eq!(check(&[("x-gitlab-token", wrong)]), Err(Refusal::Token));
    }
    assert_eq!(check(&[]), Err(Refusal::Token));
}

#[test]
fn a_signature_holds_for_its_id_its_time_and_its_body() {
    let fresh = || verifier(None, Some(&key()));
    assert_eq!(
        fresh().check(&headers(&signed()), BODY, at(SENT + 300)),
        Ok(0)
    );
    let mut two = signed();
    let both = format!("v1,AAAA v2,x {SIGNATURE}");
    two[2].1 = &both;
    assert_eq!(fresh().check(&headers(&two), BODY, at(SENT)), Ok(0));
    for (place, value) in [(0, "other"), (1, "1614265331"), (2, "v1,AAAA"), (2, "x")] {
        let mut forged = signed();
        forged[place].1 = value;
        let refused = fresh().check(&headers(&forged), BODY, at(SENT));
        assert_eq!(refused, Err(Refusal::Signature), "{value}");
    }
    let other_body = fresh().check(&headers(&signed()), b"{}", at(SENT));
    assert_eq!(other_body, Err(Refusal::Signature));
    let unsigned = fresh().check(&headers(&[]), BODY, at(SENT));
    assert_eq!(unsigned, Err(Refusal::Signature));
}

#[test]
fn a_signed_hook_is_taken_once_and_not_after_five_minutes() {
    let verifier = verifier(None, Some(&key()));
    let check = |now| verifier.check(&headers(&signed()), BODY, at(now));
    assert_eq!(check(SENT + 301), Err(Refusal::Stale));
    assert_eq!(check(SENT - 301), Err(Refusal::Stale));
    assert_eq!(check(SENT), Ok(0));
    assert_eq!(check(SENT + 1), Err(Refusal::Replayed));
}

#[test]
fn where_both_are_configured_both_are_wanted() {
    let verifier = verifier(Some("secret"), Some(&key()));
    let refused = verifier.check(&headers(&signed()), BODY, at(SENT));
    assert_eq!(refused, Err(Refusal::Token));
    let mut all = signed().to_vec();
    all.push(("x-gitlab-token", "secret"));
    assert_eq!(verifier.check(&headers(&all), BODY, at(SENT)), Ok(0));
}

#[test]
fn each_credential_opens_by_itself_and_is_named() {
    let key = key();
    let both = Verifier::new(vec![
        credential(Some("of all"), None),
        credential(Some("of one"), None),
        credential(None, Some(&key)),
    ]);
    let check = |pairs: &[(&'static str, &str)]| both.check(&headers(pairs), BODY, at(SENT));
    assert_eq!(check(&[("x-gitlab-token", "of all")]), Ok(0));
    assert_eq!(check(&[("x-gitlab-token", "of one")]), Ok(1));
    assert_eq!(check(&signed()), Ok(2));
    assert_eq!(check(&signed()), Err(Refusal::Replayed));
    assert!(check(&[("x-gitlab-token", "of none")]).is_err());
    assert!(both.check_head(&headers(&[])).is_err());
}

#[test]
fn a_long_id_is_recognised_by_its_hash() {
    let key = key();
    let verifier = verifier(None, Some(&key));
    let id = "x".repeat(28_000);
    let mut signed = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    signed.update(format!("{id}.{SENT}.").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(signed.finalize().into_bytes()));
    let sent = SENT.to_string();
    let pairs = [
        ("webhook-id", &*id),
        ("webhook-timestamp", &*sent),
        ("webhook-signature", &*signature),
    ];
    let check = || verifier.check(&headers(&pairs), b"", at(SENT));
    assert_eq!((check(), check()), (Ok(0), Err(Refusal::Replayed)));
}
