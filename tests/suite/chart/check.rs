//! Checks of rendered objects that several tests share: who selects whom, and what mounts lead to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{list, of_kind, text};

/// Whether an object has all labels of a selector. An empty selector would select everything.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    assert!(!wanted.is_empty(), "an empty selector");
    wanted.iter().all(|(key, value)| labels[key] == *value)
}

/// The pods of the exporter, as templates.
pub(crate) fn pods(objects: &[Value]) -> Vec<&Value> {
    let sets = of_kind(objects, "StatefulSet");
    let pods: Vec<_> = sets.iter().map(|set| &set["spec"]["template"]).collect();
    assert!(!pods.is_empty());
    pods
}

/// Every selector of the objects selects what it is meant for, and every port that is named exists.
pub(crate) fn check_selectors(objects: &[Value]) {
    let pods = pods(objects);
    let services = of_kind(objects, "Service");
    for service in &services {
        let spec = &service["spec"];
        for pod in &pods {
            assert!(
                selects(&spec["selector"], &pod["metadata"]["labels"]),
                "{service}"
            );
            let ports: Vec<_> = list(&pod["spec"]["containers"][0]["ports"])
                .iter()
                .collect();
            for port in list(&spec["ports"]) {
                let target = &port["targetPort"];
                assert!(ports.iter().any(|it| it["name"] == *target), "{service}");
            }
        }
        // The pod of `helm test` does not answer in place of the exporter.
        for other in of_kind(objects, "Pod") {
            assert!(
                !selects(&spec["selector"], &other["metadata"]["labels"]),
                "{other}"
            );
        }
    }
    let names: BTreeSet<_> = services
        .iter()
        .map(|it| text(&it["metadata"]["name"]))
        .collect();
    assert_eq!(
        names.len(),
        services.len(),
        "services of one name replace each other"
    );
    check_sets(objects, &names);
    check_monitors(objects, &services);
    for policy in of_kind(objects, "NetworkPolicy") {
        let selector = &policy["spec"]["podSelector"]["matchLabels"];
        assert!(
            pods.iter()
                .all(|pod| selects(selector, &pod["metadata"]["labels"]))
        );
        let open = &policy["spec"]["ingress"][0]["ports"][0]["port"];
        let ports = list(&pods[0]["spec"]["containers"][0]["ports"]);
        assert!(ports.iter().any(|port| port["name"] == *open), "{policy}");
    }
}

/// Each set and each budget has the pods of one shard.
fn check_sets(objects: &[Value], services: &BTreeSet<&str>) {
    for kind in ["StatefulSet", "PodDisruptionBudget"] {
        for owner in of_kind(objects, kind) {
            let selector = &owner["spec"]["selector"]["matchLabels"];
            let pods = pods(objects).into_iter();
            let own: Vec<_> = pods
                .filter(|pod| selects(selector, &pod["metadata"]["labels"]))
                .collect();
            assert_eq!(own.len(), 1, "{owner}");
            if kind == "StatefulSet" {
                assert_eq!(own[0], &owner["spec"]["template"]);
                assert!(services.contains(text(&owner["spec"]["serviceName"])));
            }
        }
    }
}

/// A monitor scrapes each pod once: exactly one Service has its labels and its port.
fn check_monitors(objects: &[Value], services: &[&Value]) {
    for monitor in of_kind(objects, "ServiceMonitor") {
        let spec = &monitor["spec"];
        let selector = &spec["selector"]["matchLabels"];
        let scraped: Vec<_> = services
            .iter()
            .filter(|it| selects(selector, &it["metadata"]["labels"]))
            .collect();
        let [service] = scraped[..] else {
            panic!("{monitor} selects {} Services", scraped.len());
        };
        let namespace = &service["metadata"]["namespace"];
        if monitor["metadata"]["namespace"] != *namespace {
            assert_eq!(spec["namespaceSelector"]["matchNames"][0], *namespace);
        }
        let ports = list(&service["spec"]["ports"]);
        for endpoint in list(&spec["endpoints"]) {
            assert!(
                ports.iter().any(|port| port["name"] == endpoint["port"]),
                "{monitor}"
            );
            assert_eq!(endpoint["honorLabels"], true);
        }
    }
}

/// Every mount has its volume, every volume is used, and the ConfigMap of the configuration exists.
pub(crate) fn check_mounts(objects: &[Value]) {
    for set in of_kind(objects, "StatefulSet") {
        let spec = &set["spec"]["template"]["spec"];
        let mut volumes: Vec<&str> = list(&spec["volumes"])
            .iter()
            .map(|it| text(&it["name"]))
            .collect();
        let claims = list(&set["spec"]["volumeClaimTemplates"]);
        volumes.extend(claims.iter().map(|it| text(&it["metadata"]["name"])));
        let mounts = list(&spec["containers"][0]["volumeMounts"]);
        let mounted: BTreeSet<_> = mounts.iter().map(|it| text(&it["name"])).collect();
        let paths: BTreeSet<_> = mounts.iter().map(|it| text(&it["mountPath"])).collect();
        assert_eq!(paths.len(), mounts.len(), "{set}");
        assert_eq!(volumes.len(), mounted.len(), "{volumes:?}");
        assert_eq!(mounted, volumes.into_iter().collect());
        for volume in list(&spec["volumes"])
            .iter()
            .filter(|it| it["name"] == "config")
        {
            let name = &volume["configMap"]["name"];
            let maps = of_kind(objects, "ConfigMap");
            assert!(
                maps.iter().any(|map| map["metadata"]["name"] == *name),
                "{name}"
            );
        }
    }
}

/// The pods meet the Pod Security Standard "restricted".
pub(crate) fn check_pod_security(pod: &Value) {
    let spec = &pod["spec"];
    assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{pod}");
    assert_ne!(spec["securityContext"]["runAsUser"], 0);
    assert_eq!(
        spec["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    assert_eq!(spec["automountServiceAccountToken"], false);
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(spec[key].is_null(), "{key}");
    }
    // Those that values add are not the chart's.
    let container = &spec["containers"][0];
    let security = &container["securityContext"];
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["capabilities"]["drop"][0], "ALL");
    assert!(
        list(&container["ports"])
            .iter()
            .all(|port| port["hostPort"].is_null())
    );
    assert!(
        list(&spec["volumes"])
            .iter()
            .all(|volume| volume["hostPath"].is_null())
    );
}
