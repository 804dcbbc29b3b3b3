//! Projects of a group that come and go while its pages are read.

use std::sync::Arc;

use gitlab_simulator::{Fault, Options as Simulated, start};
use job_failure_exporter::gitlab::{Client, Options};

use super::client;
use super::scripted::{Reply, Server, ok, reply};

fn projects(ids: impl IntoIterator<Item = u64>) -> Reply {
    let record = |id: u64| format!(r#"{{"id":{id},"path_with_namespace":"acme/p{id}"}}"#);
    let records: Vec<String> = ids.into_iter().map(record).collect();
    ok(&format!("[{}]", records.join(",")))
}

async fn listed(server: &Server) -> Vec<u64> {
    let listing = client(server).group_projects("acme", false).await.unwrap();
    let mut ids: Vec<u64> = listing.items.iter().map(|project| project.id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn the_next_page_begins_after_the_last_project_whatever_left_before() {
    let server = Server::start([
        projects(1..=100).with("X-Next-Page", "2"),
        projects(101..=200).with("X-Next-Page", "2"),
        projects(201..=230),
    ])
    .await;
    assert_eq!(listed(&server).await, (1..=230).collect::<Vec<_>>());
    let paths = server.paths();
    assert!(paths[1].contains("id_after=100"), "{}", paths[1]);
    assert!(paths[2].contains("id_after=200"), "{}", paths[2]);
    assert!(paths[2].contains("sort=asc") && !paths[2].contains("&page="));
}

#[tokio::test]
async fn a_full_page_without_headers_and_an_empty_one_after_it_are_the_whole_list() {
    let server = Server::start([projects(1..=100), projects([])]).await;
    assert_eq!(listed(&server).await.len(), 100);
    assert_eq!(server.paths().len(), 2);
}

#[tokio::test]
async fn where_the_id_is_ignored_or_refused_the_list_is_read_until_it_is_stable() {
    let first = || projects(1..=100).with("X-Next-Page", "2");
    let moved = || projects((1..=49).chain(51..=101)).with("X-Next-Page", "2");
    for answer_to_id in [first(), reply(400, "{}"), reply(405, "{}")] {
        let server = Server::start([
            first(),
            answer_to_id,
            // 50 leaves between these two, and hides 101.
            first(),
            projects(102..=110),
            moved(),
            projects(102..=110),
            moved(),
            projects(102..=110),
        ])
        .await;
        let wanted: Vec<u64> = (1..=110).filter(|id| *id != 50).collect();
        assert_eq!(listed(&server).await, wanted);
        assert_eq!(server.paths().len(), 8);
    }
}

#[tokio::test]
async fn a_list_that_never_holds_still_yields_whatever_was_seen() {
    let first = |left: u64| {
        let ids = (1..=101).filter(move |id| *id != left);
        projects(ids).with("X-Next-Page", "2")
    };
    let server = Server::start([first(101), reply(400, "{}")]).await;
    for left in [101, 50, 60, 70] {
        server.then([first(left), projects([102])]);
    }
    assert_eq!(listed(&server).await, (1..=102).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_group_of_several_pages_is_complete_also_behind_a_proxy_that_strips_headers() {
    let gitlab = start(Simulated::default()).await.unwrap();
    gitlab.with(|world| {
        for n in 0..230 {
            world.create_project(&format!("acme/p{n}"));
        }
    });
    let options = Options::new(gitlab.url().parse().unwrap(), Some(gitlab.token().into()));
    let client = Client::new(options, Arc::new(())).unwrap();
    for fault in [None, Some(Fault::StrippedPaging)] {
        gitlab.faults(|faults| faults.outage = fault);
        let listing = client.group_projects("acme", true).await.unwrap();
        assert_eq!(listing.items.len(), 230, "{fault:?}");
    }
}
