//! Credentials for S3 from where AWS gives them away: a container's address, the machine's metadata, a web
//! identity. An rclone that checks every signature takes none but the right ones.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use ci_history::clock::{Clock as _, SystemClock};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use crate::state_on_s3::all_is_saved;
use testkit::daemon::{Place, gitlab, holds, minutes, until};
use testkit::s3_servers::{KEY, Rclone, SECRET, TestBucket};

const WATCH: &str = "projects: [acme/mobile]";

/// So soon they end that they are asked for again while a test runs.
const LIFETIME: Duration = Duration::from_secs(5);

/// What the container is known by.
const TASK: &str = "of-the-task";
/// What a session with the machine's metadata is known by.
const SESSION: &str = "of-the-session";
/// What the service account is known by.
const IDENTITY: &str = "of-the-service-account";
const ROLE: &str = "arn:aws:iam::123456789012:role/exporter";

/// Gives credentials away as AWS' services do.
struct Giver {
    url: String,
    given: Arc<Mutex<Given>>,
}

struct Given {
    secret: String,
    /// How often there were some.
    count: usize,
}

impl Giver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let given = Arc::new(Mutex::new(Given {
            secret: SECRET.to_owned(),
            count: 0,
        }));
        let shared = Arc::clone(&given);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let given = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let given = Arc::clone(&given);
                    async move { Ok::<_, Infallible>(answer(&given, request).await) }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connection);
            }
        });
        Self { url, given }
    }

    /// From now on this is the secret.
    fn give(&self, secret: &str) {
        secret.clone_into(&mut self.given.lock().unwrap().secret);
    }

    fn count(&self) -> usize {
        self.given.lock().unwrap().count
    }
}

async fn answer(given: &Mutex<Given>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap());
    let is_known = |name: &str, wanted: &str| header(name) == Some(wanted);
    let in_session = is_known("x-aws-ec2-metadata-token", SESSION);
    let wants_role = body.contains("Action=AssumeRoleWithWebIdentity")
        && body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fexporter")
        && body.contains(&format!("WebIdentityToken={IDENTITY}"));
    let text = match (&head.method, head.uri.path()) {
        (&Method::GET, "/container") if is_known("authorization", TASK) => {
            Some(as_json(given).to_string())
        }
        (&Method::PUT, "/latest/api/token") => {
            let lifetime = header("x-aws-ec2-metadata-token-ttl-seconds").unwrap();
            let answer =
                Response::builder().header("x-aws-ec2-metadata-token-ttl-seconds", lifetime);
            return answer.body(Full::from(SESSION)).unwrap();
        }
        (&Method::GET, "/latest/meta-data/iam/security-credentials/") if in_session => {
            Some("exporter".to_owned())
        }
        (&Method::GET, "/latest/meta-data/iam/security-credentials/exporter") if in_session => {
            Some(as_json(given).to_string())
        }
        (&Method::POST, "/") if wants_role => Some(as_xml(given)),
        _ => None,
    };
    let status = if text.is_some() { 200 } else { 403 };
    let answer = Response::builder().status(status);
    answer.body(Full::from(text.unwrap_or_default())).unwrap()
}

/// The secret, and the time at which it ends.
fn give_away(given: &Mutex<Given>) -> (String, String) {
    let mut given = given.lock().unwrap();
    given.count += 1;
    let end = (SystemClock.now() + LIFETIME)
        .duration_since(UNIX_EPOCH)
        .unwrap();
    let end = jiff::Timestamp::from_second(end.as_secs().cast_signed()).unwrap();
    (given.secret.clone(), end.to_string())
}

fn as_json(given: &Mutex<Given>) -> serde_json::Value {
    let (secret, end) = give_away(given);
    json!({
        "Code": "Success", "LastUpdated": "2026-01-05T08:00:00Z", "Type": "AWS-HMAC",
        "AccessKeyId": KEY, "SecretAccessKey": secret, "Token": "session", "Expiration": end,
    })
}

fn as_xml(given: &Mutex<Given>) -> String {
    let (secret, end) = give_away(given);
    let mut text = String::new();
    for (name, value) in [
        ("AccessKeyId", KEY),
        ("SecretAccessKey", &secret),
        ("SessionToken", "session"),
        ("Expiration", &end),
    ] {
        write!(text, "<{name}>{value}</{name}>").unwrap();
    }
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials>{text}</Credentials>\
         <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/exporter/1</Arn>\
         <AssumedRoleId>AROA:1</AssumedRoleId></AssumedRoleUser>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
}

/// Saves with what the giver gives, notices when that is no good any more, and when it is again.
async fn are_taken_and_taken_anew(giver: &Giver, variables: &[(&'static str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("ci-state")).unwrap();
    let rclone = Rclone::serve(folder.path());
    let gitlab = gitlab("flaky").await;
    gitlab.advance(minutes(3));
    let mut environment = vec![("AWS_REGION", "eu-central-1")];
    environment.extend(variables);
    let place = Place::on_s3(gitlab.url(), WATCH, &rclone.url, "ci-state");
    let place = place.with_environment(&environment);
    let daemon = place.start().await;
    daemon.is_ready().await;
    all_is_saved(&daemon).await;
    for (secret, words) in [
        ("not-the-secret", "the credentials are not accepted"),
        (SECRET, "saved again"),
    ] {
        giver.give(secret);
        until(words, async || {
            // Nothing is sent where nothing changes.
            gitlab.advance(Duration::from_secs(5));
            let log = daemon.log();
            holds(log.contains(words), log)
        })
        .await;
    }
    assert!(giver.count() > 2, "asked {} times", giver.count());
    let log = daemon.log();
    for secret in [SECRET, "not-the-secret", TASK, SESSION, IDENTITY] {
        assert!(!log.contains(secret), "{log}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn those_of_a_container_are_taken_and_renewed() {
    let giver = Giver::start().await;
    let address = format!("{}/container", giver.url);
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", address.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", TASK),
    ];
    are_taken_and_taken_anew(&giver, &variables).await;
}

#[tokio::test]
async fn those_of_the_machine_are_taken_and_renewed() {
    let giver = Giver::start().await;
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", giver.url.as_str())];
    are_taken_and_taken_anew(&giver, &variables).await;
}

#[tokio::test]
async fn those_of_a_web_identity_are_taken_and_renewed() {
    let giver = Giver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, IDENTITY).unwrap();
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &*file.to_string_lossy()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ENDPOINT_URL_STS", &giver.url),
    ];
    are_taken_and_taken_anew(&giver, &variables).await;
}

#[tokio::test]
async fn a_web_identity_that_is_not_there_is_told_and_taken_once_it_is() {
    let bucket = TestBucket::create().await;
    let gitlab = gitlab("flaky").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let place = Place::on_s3(gitlab.url(), WATCH, bucket.server, &bucket.name);
    let place = place.with_environment(&[
        ("AWS_REGION", "eu-central-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &file.to_string_lossy()),
        ("AWS_ROLE_ARN", ROLE),
        // moto is an STS, too.
        ("AWS_ENDPOINT_URL_STS", bucket.server),
    ]);
    let daemon = place.start().await;
    until("the reason", async || {
        let (status, text) = daemon.get("/-/ready").await;
        assert_eq!(status, 503, "{text}");
        let told = text.contains("the credentials cannot be had") && text.contains("No such file");
        holds(told, format!("{text}{}", daemon.log()))
    })
    .await;
    fs::write(&file, IDENTITY).unwrap();
    daemon.is_ready().await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_container_that_is_refused_its_credentials_says_so() {
    let giver = Giver::start().await;
    let address = format!("{}/container", giver.url);
    let place = Place::on_s3(
        "http://127.0.0.1:1",
        WATCH,
        "http://127.0.0.1:1",
        "ci-state",
    );
    let place = place.with_environment(&[
        ("AWS_REGION", "eu-central-1"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &address),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-another-task"),
    ]);
    let daemon = place.start().await;
    daemon.says("the credentials cannot be had").await;
    assert!(
        !daemon.log().contains("of-another-task"),
        "{}",
        daemon.log()
    );
    daemon.stop().await;
}
