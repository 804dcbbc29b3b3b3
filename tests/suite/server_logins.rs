//! The logins that Prometheus and Alertmanager want of the exporter.

use std::fs;
use std::sync::Arc;

use testkit::daemon::{Place, gitlab, holds, until};

use crate::alert_servers::{Answers, filled, server};

/// Basic authentication of `ci` with the passwords `first` and `second`.
const FIRST: &str = "Basic Y2k6Zmlyc3Q=";
const SECOND: &str = "Basic Y2k6c2Vjb25k";

/// What the last request for a path showed.
fn shown(answers: &Answers, path: &str) -> [String; 2] {
    let logins = answers.logins.lock().unwrap();
    logins.get(path).cloned().unwrap_or_default()
}

#[tokio::test]
async fn servers_that_want_a_login_get_it_from_files_that_may_be_replaced() {
    let answers = Arc::new(filled());
    let url = format!("http://{}", server(answers.clone()).await);
    let gitlab = gitlab("demo").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let beside = |name: &str| place.config().with_file_name(name);
    fs::write(beside("password"), "first\n").unwrap();
    fs::write(beside("token"), "t0ken\n").unwrap();
    place.configure_also(&format!(
        "prometheus: {{url: '{url}', user: ci, password_file: password, tenant: platform}}\n\
         alertmanager: {{url: '{url}', token_file: token}}\n"
    ));
    let daemon = place.start().await;
    daemon.is_ready().await;
    let (_, body) = daemon.get("/api/v1/alerts").await;
    assert!(body.contains("\"error\":null"), "{body}");
    assert_eq!(shown(&answers, "/api/v1/rules"), [FIRST, "platform"]);
    assert_eq!(shown(&answers, "/api/v2/alerts"), ["Bearer t0ken", ""]);

    fs::write(beside("password"), "second\n").unwrap();
    until("the password of the replaced file", async || {
        daemon.get("/api/v1/alerts").await;
        let [shown, _] = shown(&answers, "/api/v1/rules");
        holds(shown == SECOND, shown)
    })
    .await;
    for page in ["/status", "/api/v1/status"] {
        let (_, body) = daemon.get(page).await;
        for secret in ["first", "second", "t0ken"] {
            assert!(!body.contains(&format!("{secret}\n")), "{page}: {secret}");
            assert!(!body.contains(&format!("\"{secret}\"")), "{page}: {secret}");
        }
    }
    daemon.stop().await;

    // `explain` shows the same. The login is for this address alone.
    let documents = place.documents();
    let project = documents[0].1["project"]["path"].as_str().unwrap();
    let jobs = documents[0].1["jobs"].as_object().unwrap();
    let job = ["explain", project, jobs.keys().next().unwrap()];
    let explained = place.run(&job).await.done();
    assert_eq!(
        shown(&answers, "/api/v1/rules"),
        [SECOND, "platform"],
        "{explained}"
    );
    let other = [&job[..], &["--prometheus.url", &url]].concat();
    place.run(&other).await.done();
    assert_eq!(shown(&answers, "/api/v1/rules"), ["", ""]);

    // Without the file the figures are shown as ever.
    fs::remove_file(beside("password")).unwrap();
    let explained = place.run(&job).await;
    assert!(explained.out.contains(project), "{explained:?}");
    assert!(
        explained.err.contains("asked without a login"),
        "{explained:?}"
    );
}
