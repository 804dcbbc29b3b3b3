//! A simulated company with every state of a job, in names that a page has to withstand, and an exporter that watches it.

use std::time::{Duration, SystemTime};

use gitlab_simulator::{
    Action, Ending, Handle, JobPlan, Moment, Options, Pace, PipelinePlan, Role, Scope, World, start,
};
use serde_json::{Value, json};
use testkit::daemon::{Daemon, Place, holds, minutes, until};

/// Secret of the caller `ops`, with which a browser answers the question for a password.
pub(super) const OPS: &str = "0123456789abcdef";

const SHOP: &str = "acme/shop";
const BILLING: &str = "acme/platform-engineering/payments-and-billing-gateway-service";

/// Names of failing jobs: markup, slashes, other scripts, a matrix, and a name without any place to break it.
const HOSTILE: &str = "<b>bold</b> & \"quoted\" <script>document.title='owned'</script>";
const MATRIX: &str =
    "integration-tests: [ubuntu-22.04, python 3.11, postgres/15, redis 7.2, chrome and firefox]";
const UNBROKEN: &str =
    "kmt_run_secagent_tests_x64_ubuntu_22_04_kernel_5_15_no_docker_with_every_feature_switched_on";
const FOREIGN: &str = "prüfung der größe – 統合テスト, اختبار";

/// Token of the bot that acts.
const BOT: &str = "glpat-bot";

/// What the exporter finds in the end.
const JOBS: u64 = 18;
const SCHEDULES: u64 = 2;

/// How long ago the scene began. It ends a little in the past.
const BEGUN: Duration = Duration::from_hours(13);

/// A GitLab and an exporter that reads it.
pub(super) struct Scene {
    pub(super) daemon: Daemon,
    gitlab: Handle,
    pipeline: u64,
    /// Kept so that it is not removed before its end.
    _place: Place,
}

impl Scene {
    /// `web` has further keys of that section, in YAML's flow style. `mode` is that of remediation.
    pub(super) async fn start(web: &str, mode: &str) -> Self {
        Self::start_with(web, mode, |_| {}).await
    }

    /// The same after further changes of the exporter's folder.
    #[expect(
        clippy::disallowed_methods,
        reason = "the ages on the pages are as long as usual"
    )]
    pub(super) async fn start_with(web: &str, mode: &str, prepare: impl FnOnce(&Place)) -> Self {
        let gitlab = start(Options {
            pace: Pace::still(Moment::from(SystemTime::now()) - BEGUN),
            ..Options::default()
        });
        let gitlab = gitlab.await.unwrap();
        let pipeline = fill(&gitlab);
        let watch = "groups: [{path: acme}], refs: [default, 'v.*'], merge_requests: together, \
                     tracks: [{name: nightly, sources: [schedule]}]";
        let place = Place::new(gitlab.url(), watch);
        for (file, secret) in [("ops-token", OPS), ("bot-token", BOT)] {
            std::fs::write(place.config().with_file_name(file), secret).unwrap();
        }
        place.reconfigure("web: {", &format!("web: {{{web} "));
        place.configure_also(&format!(
            "counting: {{absent_after: 3}}\n\
             owners: {{rules: [{{jobs: '*', projects: '{SHOP}', team: storefront}}]}}\n\
             remediation: {{mode: {mode}, token_file: bot-token, circuit: {{failures: 20}}, \
             callers: [{{name: ops, token_file: ops-token}}]}}\n"
        ));
        prepare(&place);
        let daemon = place.start().await;
        Self {
            daemon,
            gitlab,
            pipeline,
            _place: place,
        }
    }

    /// Waits until the pages at this address have what GitLab has.
    pub(super) async fn is_read(&self, address: &str) {
        let client = reqwest::Client::builder()
            .no_proxy()
            .danger_accept_invalid_certs(true)
            .build()
            .unwrap();
        for (list, wanted) in [("jobs", JOBS), ("schedules", SCHEDULES)] {
            until(&format!("{wanted} {list}"), async || {
                let asked = client.get(format!("{address}/api/v1/{list}"));
                let answer = asked.basic_auth("ops", Some(OPS)).send().await.unwrap();
                let text = answer.text().await.unwrap();
                let found: Value = serde_json::from_str(&text).unwrap_or_default();
                holds(
                    found["matching"] == wanted,
                    format!("{text}\n{}", self.daemon.log()),
                )
            })
            .await;
        }
    }

    /// Waits until the logs of the failing jobs on the pages are read.
    pub(super) async fn has_logs(&self) {
        until("the logs of the failing jobs", async || {
            let text = reqwest::get(format!("{}/api/v1/jobs?state=failing", self.origin())).await;
            let text = text.unwrap().text().await.unwrap();
            let found: Value = serde_json::from_str(&text).unwrap();
            let jobs = found["jobs"].as_array().unwrap();
            let is_read = |name: &str| {
                let mut rows = jobs.iter().filter(|job| job["job_name"] == name);
                rows.any(|job| !job["failing"]["log_excerpt"].is_null())
            };
            holds([MATRIX, HOSTILE, UNBROKEN].into_iter().all(is_read), text)
        })
        .await;
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.daemon.address())
    }

    /// A job that fails, and whose name has slashes and brackets.
    pub(super) fn job() -> String {
        page_of(MATRIX)
    }

    /// What the bot did in GitLab.
    pub(super) fn actions(&self) -> Vec<Action> {
        self.gitlab.actions()
    }

    /// Every page: a name for messages and files, the path, the status, and a button to press if there is one.
    pub(super) fn pages(&self) -> Value {
        let job = page_of;
        let pipeline = self.pipeline;
        let page = |name: &str, path: &str| json!({"name": name, "path": path, "status": 200});
        let missing = |name: &str, path: &str, status: u16| json!({"name": name, "path": path, "status": status});
        json!([
            page("jobs", "/"),
            page(
                "jobs-filtered",
                "/?state=failing&q=acme&project=acme%2Fshop"
            ),
            page("jobs-none", "/?project=acme%2Fshoq"),
            missing("jobs-refused", "/?state=broken&colour=red", 400),
            page("projects", "/projects"),
            page("schedules", "/schedules"),
            page("alerts", "/alerts"),
            page("remediation", "/remediation"),
            page("status", "/status"),
            page("pipelines", &format!("/refs/{SHOP}/-/main")),
            page("grid", &format!("/grid/{SHOP}/-/main")),
            page(
                "grid-nightly",
                &format!("/grid/{SHOP}/-/main?track=nightly")
            ),
            page("job", &job(MATRIX)),
            page("job-hostile", &job(HOSTILE)),
            page("job-unbroken", &job(UNBROKEN)),
            page("job-passing", &job("lint")),
            page("pipeline", &format!("/pipelines/{SHOP}/-/{pipeline}")),
            missing("no-job", &job("no such job"), 404),
            missing("no-page", "/no/such/page", 404),
            json!({
                "name": "form", "path": job(MATRIX), "status": 200, "press": "Retry the job"
            }),
        ])
    }
}

/// The page of a job of the shop.
fn page_of(job: &str) -> String {
    let job = percent_encoding::utf8_percent_encode(job, percent_encoding::NON_ALPHANUMERIC);
    format!("/jobs/{SHOP}/-/main/-/{job}")
}

/// Returns the id of a failed pipeline.
fn fill(gitlab: &Handle) -> u64 {
    let (shop, billing) = gitlab.with(|world| {
        world.create_group("acme");
        let shop = world.create_project(SHOP);
        let bot = world.add_bot(shop, Role::Maintainer);
        world.add_token(BOT, bot, &[Scope::Api]);
        world.create_project("acme/empty");
        (shop, world.create_project(BILLING))
    });
    let push = |project: u64, plan: PipelinePlan, title: &str| {
        let id = gitlab.with(|world: &mut World| {
            let id = world.push_pipeline(project, plan);
            world.set_title(id, title);
            id
        });
        gitlab.advance(minutes(30));
        id
    };
    gitlab.with(|world| {
        let nightly =
            |name: &str| PipelinePlan::new([JobPlan::fails(name), JobPlan::passes("report")]);
        world.create_schedule(
            shop,
            "Nightly <i>end-to-end</i> tests against staging",
            minutes(60),
            nightly("e2e/checkout"),
        );
        let off = world.create_schedule(
            shop,
            "Weekly licence check",
            minutes(100),
            nightly("licences"),
        );
        world.edit_schedule(off, |schedule| schedule.active = false);
    });
    let mut last = 0;
    for round in 0..12 {
        let title =
            format!("Round {round}: make the <b>checkout</b> faster & cheaper, see #12{round}");
        last = push(shop, PipelinePlan::new(of_shop(round)), &title);
        push(billing, PipelinePlan::new(of_billing(round)), &title);
    }
    let review = PipelinePlan::new([JobPlan::fails("lint"), JobPlan::passes("unit")]);
    push(
        shop,
        review
            .on("refs/merge-requests/4711/head")
            .from_source("merge_request_event"),
        "Review",
    );
    let mut tagged = PipelinePlan::new([JobPlan::fails_with(
        "publish/packages",
        "runner_system_failure",
    )])
    .on("v1.2.3");
    tagged.tag = true;
    push(shop, tagged, "Release");
    last
}

fn of_shop(round: u64) -> Vec<JobPlan> {
    let from = |name: &str, first: u64| {
        let ending = if round < first {
            Ending::Passes
        } else {
            Ending::fails()
        };
        JobPlan::new(name, [ending])
    };
    let mut jobs = vec![
        JobPlan::passes("lint").in_stage("check"),
        from(MATRIX, 4),
        from(HOSTILE, 8),
        from(UNBROKEN, 2),
        from(FOREIGN, 8),
        JobPlan::new("flaky browser tests", [Ending::fails(), Ending::Passes]).retried(1),
        JobPlan::fails("allowed to fail").allowed_to_fail(),
        JobPlan::fails_with("deploy/eu west 1", "stuck_or_timeout_failure")
            .in_stage("deploy to production")
            .needing([]),
    ];
    if round < 6 {
        jobs.push(JobPlan::fails("gone since the rewrite"));
    }
    jobs
}

fn of_billing(round: u64) -> Vec<JobPlan> {
    let last = round == 11;
    let then = |ending: Ending| [if last { ending } else { Ending::Passes }];
    let child = PipelinePlan::new([JobPlan::fails("contract tests")]);
    vec![
        JobPlan::new("hangs since noon", then(Ending::Runs)),
        JobPlan::new("waits for a runner", then(Ending::Waits)),
        JobPlan::triggers("downstream: ledger", child),
    ]
}
