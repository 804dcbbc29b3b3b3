//! In every mode, Services and monitors select the pods, mounts lead somewhere, and probes ask what is served.

use serde_json::{Value, json};

use super::check::{check_mounts, check_pod_security, check_selectors, pods};
use super::modes::MODES;
use super::{helm, list, of_kind, render, text};
use crate::assets::assets;
use crate::tools::at_root;

#[test]
fn selectors_select_ports_exist_mounts_lead_somewhere_and_pods_are_restricted_in_every_mode() {
    for (_, values) in MODES {
        let objects = render(values);
        check_selectors(&objects);
        check_mounts(&objects);
        for pod in pods(&objects).into_iter().chain(of_kind(&objects, "Pod")) {
            check_pod_security(pod);
        }
        for object in &objects {
            let name = text(&object["metadata"]["name"]);
            assert!(name.len() <= 63, "{name}");
        }
    }
}

#[test]
fn a_long_release_name_leaves_room_for_the_suffixes() {
    let long = "a".repeat(53);
    let values = "{shards: 1000, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}";
    let objects = super::objects(&helm(&["template", &long], values).done());
    check_selectors(&objects);
    for set in of_kind(&objects, "StatefulSet") {
        // Kubernetes adds a hash of ten digits for the label of a revision.
        let name = text(&set["metadata"]["name"]);
        assert!(name.len() <= 52, "{name}");
    }
}

#[test]
fn each_shard_has_its_number_and_each_replica_its_place() {
    let values = "{shards: 3, replicas: 2, config: {store: {s3: {bucket: b}}}}";
    let objects = render(values);
    let sets = of_kind(&objects, "StatefulSet");
    let flags: Vec<_> = sets
        .iter()
        .map(|set| {
            let pod = &set["spec"]["template"]["spec"];
            assert_eq!(set["spec"]["replicas"], 2);
            assert!(set["spec"]["volumeClaimTemplates"].is_null());
            let spread = &pod["topologySpreadConstraints"][0];
            assert_eq!(
                spread["labelSelector"]["matchLabels"],
                set["spec"]["selector"]["matchLabels"]
            );
            let args = list(&pod["containers"][0]["args"]).iter().map(text);
            args.filter(|arg| arg.starts_with("--shard"))
                .collect::<Vec<_>>()
                .concat()
        })
        .collect();
    assert_eq!(flags, ["--shard=1/3", "--shard=2/3", "--shard=3/3"]);
    assert_eq!(of_kind(&objects, "PodDisruptionBudget").len(), 3);
    // The first shard keeps the volume of a single exporter.
    let single = render("");
    assert_eq!(
        of_kind(&single, "StatefulSet")[0]["metadata"]["name"],
        sets[0]["metadata"]["name"]
    );
    assert!(of_kind(&single, "PodDisruptionBudget").is_empty());
}

/// Scheme and path of a probe.
fn asks(pod: &Value, probe: &str) -> (String, String) {
    let probe = &pod["spec"]["containers"][0][probe]["httpGet"];
    (
        text(&probe["scheme"]).to_owned(),
        text(&probe["path"]).to_owned(),
    )
}

#[test]
fn probes_and_scrapes_follow_the_path_the_port_and_the_tls_of_the_configuration() {
    for (mode, prefix, scheme, port) in [
        ("replicas on a bucket", "", "http", 10141),
        (
            "below a path and on another port",
            "/job-failures",
            "http",
            9000,
        ),
        ("behind a proxy that removes the path", "", "http", 10141),
        ("secrets", "", "https", 10141),
    ] {
        let values = MODES.iter().find(|(name, _)| *name == mode).unwrap().1;
        let objects = render(values);
        let pod = pods(&objects)[0];
        assert_eq!(
            pod["spec"]["containers"][0]["ports"][0]["containerPort"],
            port
        );
        for (probe, path) in [
            ("startupProbe", "/-/healthy"),
            ("livenessProbe", "/-/healthy"),
            ("readinessProbe", "/-/ready"),
        ] {
            let wanted = (scheme.to_uppercase(), format!("{prefix}{path}"));
            assert_eq!(asks(pod, probe), wanted, "{mode}");
        }
        let startup = &pod["spec"]["containers"][0]["startupProbe"];
        let seconds = |key: &str| startup[key].as_u64().unwrap();
        assert!(seconds("periodSeconds") * seconds("failureThreshold") >= 600);
        let monitor = of_kind(&objects, "ServiceMonitor")[0];
        let endpoint = &monitor["spec"]["endpoints"][0];
        assert_eq!(endpoint["path"], format!("{prefix}/metrics"), "{mode}");
        assert_eq!(endpoint["scheme"], scheme);
        let test = of_kind(&objects, "Pod")[0];
        let script = text(&test["spec"]["containers"][0]["args"][0]);
        assert!(script.contains(&format!("{scheme}://")), "{script}");
        assert!(script.contains(&format!("{prefix}/metrics")), "{script}");
    }
}

#[test]
fn the_monitor_scrapes_as_the_shipped_configuration_of_prometheus_says() {
    let objects = render("{serviceMonitor: {enabled: true}}");
    let made = of_kind(&objects, "ServiceMonitor")[0];
    let shipped = super::objects(&assets(&["servicemonitor"]).done());
    let shipped = of_kind(&shipped, "ServiceMonitor")[0];
    for key in ["sampleLimit", "labelValueLengthLimit"] {
        assert_eq!(made["spec"][key], shipped["spec"][key], "{key}");
    }
    for (key, value) in shipped["spec"]["endpoints"][0].as_object().unwrap() {
        assert_eq!(made["spec"]["endpoints"][0][key], *value, "{key}");
    }
    // Objects of `assets` beside the chart: the pods are selected, and scraped once.
    let shipped = super::objects(&assets(&["servicemonitor"]).done());
    let labels = &pods(&objects)[0]["metadata"]["labels"];
    let selector = &of_kind(&shipped, "Service")[0]["spec"]["selector"];
    assert!(super::check::selects(selector, labels));
    let services = of_kind(&objects, "Service").into_iter();
    let selector = &of_kind(&shipped, "ServiceMonitor")[0]["spec"]["selector"]["matchLabels"];
    let scraped = services.filter(|it| super::check::selects(selector, &it["metadata"]["labels"]));
    assert_eq!(scraped.count(), 1);
}

#[test]
fn a_changed_configuration_replaces_the_pods_and_other_values_do_not() {
    let annotations = |values: &str| {
        let objects = render(values);
        pods(&objects)[0]["metadata"]["annotations"].clone()
    };
    let first = annotations("");
    assert_eq!(annotations("{service: {port: 80}}"), first);
    assert_ne!(annotations("{config: {retention: 60d}}"), first);
    assert_ne!(first, json!({}));
}

#[test]
fn the_values_of_the_documentation_make_objects_that_fit_each_other() {
    let page = std::fs::read_to_string(at_root("docs/kubernetes.md")).unwrap();
    let blocks: Vec<_> = page.split("```yaml values\n").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let objects = render(block.split("```").next().unwrap());
        check_selectors(&objects);
        check_mounts(&objects);
        assert_eq!(of_kind(&objects, "ServiceMonitor").len(), 1);
    }
}
