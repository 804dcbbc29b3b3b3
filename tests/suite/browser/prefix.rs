//! The pages below a path, behind nginx: with the path, and with a proxy that removes it.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;
use testkit::client;
use testkit::daemon::{holds, until};
use tokio::process::{Child, Command};
use tokio::task::block_in_place;

use super::drive;
use super::scene::Scene;

/// nginx in a folder of its own, without rights; killed when dropped.
struct Proxy {
    port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl Proxy {
    /// Chooses a port.
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            port: free.local_addr().unwrap().port(),
            folder: tempfile::tempdir().unwrap(),
            process: None,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `locations` are a path and where it leads.
    async fn start(&mut self, locations: &[(&str, String)]) {
        let locations: Vec<_> = locations
            .iter()
            .map(|(path, to)| {
                format!("location {path} {{ proxy_pass {to}; proxy_set_header Host $http_host; }}")
            })
            .collect();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};"));
        let config = format!(
            "daemon off; pid nginx.pid; error_log stderr;\n\
             events {{}}\n\
             http {{ {} access_log off; server {{ listen 127.0.0.1:{}; {} }} }}\n",
            temporary.join(" "),
            self.port,
            locations.join("\n")
        );
        let file = self.folder.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        let process = Command::new("/usr/sbin/nginx")
            .args(["-e", "stderr", "-p"])
            .arg(self.folder.path())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        self.process =
            Some(process.unwrap_or_else(|error| {
                panic!("nginx: {error}; `make install-tools` installs it")
            }));
        until("nginx", async || {
            let answer = client().get(self.url("/nothing")).send().await;
            holds(answer.is_ok(), format!("{answer:?}"))
        })
        .await;
    }

    /// Lets nginx end its workers, too.
    async fn stop(mut self) {
        let mut process = self.process.take().unwrap();
        let id = i32::try_from(process.id().unwrap()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        process.wait().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_every_link_form_and_cookie_stays_below_the_path() {
    let mut proxy = Proxy::new();
    let whole = format!("external_url: '{}',", proxy.url("/ci/exporter"));
    let removed = format!(
        "external_url: '{}', route_prefix: /,",
        proxy.url("/removed/")
    );
    let (whole, removed) = tokio::join!(
        Scene::start(&whole, "report"),
        Scene::start(&removed, "report")
    );
    proxy
        .start(&[
            ("/ci/exporter/", whole.origin()),
            ("/removed/", format!("{}/", removed.origin())),
        ])
        .await;
    whole.is_read(&proxy.url("/ci/exporter")).await;
    removed.is_read(&removed.origin()).await;
    // The second differs in what nginx asks for, not in what the pages have.
    let all = whole.pages();
    let first = json!([all[0]]);
    for (prefix, pages) in [("/ci/exporter", all), ("/removed", first)] {
        let task = json!({
            "origin": proxy.url(""),
            "prefix": prefix,
            "job": Scene::job(),
            "pages": pages,
        });
        block_in_place(|| drive("prefix.py", task));
    }
    proxy.stop().await;
}
