//! The ways in which the chart is installed, as values.

/// A name and the values of each mode.
pub(super) const MODES: &[(&str, &str)] = &[
    ("default", ""),
    ("shards", "{shards: 3, config: {watch: {groups: [{path: platform}]}}}"),
    (
        "replicas on a bucket",
        "{replicas: 2, config: {watch: {projects: [7]}, store: {s3: {bucket: ci-state}}}, serviceMonitor: {enabled: true}}",
    ),
    (
        "shards with replicas on a bucket",
        "{shards: 2, replicas: 2, config: {store: {s3: {bucket: ci-state, region: eu-central-1, timeout: 3s}}},
          serviceAccount: {annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::1:role/ci'}},
          networkPolicy: {enabled: true}, podDisruptionBudget: {maxUnavailable: 50%}, serviceMonitor: {enabled: true}}",
    ),
    (
        "everything for the operator and Grafana",
        "{serviceMonitor: {enabled: true, namespace: monitoring, labels: {release: kps}, scrapeTimeout: 20s,
            relabelings: [{targetLabel: gitlab, replacement: com}]},
          prometheusRule: {enabled: true, namespace: monitoring, labels: {release: kps}},
          alertmanagerConfig: {enabled: true, templates: true, labels: {release: kps}},
          dashboards: {enabled: true, namespace: grafana, annotations: {example.com/team: ci}}}",
    ),
    (
        "changed rules, receivers and addresses",
        "{prometheusRule: {enabled: true, alertLabels: {environment: production},
            thresholds: {consecutive_failures: {warning: 5, critical: off}, failure_ratio: {critical: 0.9}, window_failures: 7},
            overrides: [{record: 'ci_team_override:consecutive_failures:threshold', expr: '9', labels: {severity: warning, team: research}}]},
          alertmanagerConfig: {enabled: true, receivers: {chat: {slackConfigs: [{channel: '#ci', apiURL: {name: slack, key: url}}]}}},
          links: {grafana: 'https://grafana.company.test/', runbooks: 'https://wiki.company.test/?page='},
          dashboards: {enabled: true}, config: {gitlab: {url: 'https://gitlab.company.test/'}}}",
    ),
    (
        "secrets",
        "{secrets: {gitlabToken: {name: gitlab-token}, webhook: {name: hook, signingKeyKey: key},
            remediationToken: {name: write-token, key: secret}, callers: {name: callers}, web: {name: web, tls: true}},
          config: {limits: {listing_bytes: 268435456, jobs_per_ref: 1000000},
            remediation: {mode: act, rules: [{name: r, match: {failure_classes: [infrastructure]}, action: recover}],
              callers: [{name: alertmanager, token_file: /run/secrets/callers/alertmanager}]}},
          probes: {httpHeaders: [{name: Authorization, value: 'Basic cHJvYmU6c2VjcmV0'}]},
          serviceMonitor: {enabled: true, basicAuth: {username: {name: scrape, key: user}, password: {name: scrape, key: password}},
            tlsConfig: {insecureSkipVerify: true}}}",
    ),
    (
        "below a path and on another port",
        "{config: {web: {external_url: 'https://ci.company.test/job-failures/', listen_address: '[::]:9000'}},
          service: {port: 80, type: LoadBalancer, annotations: {a: b}}, serviceMonitor: {enabled: true}}",
    ),
    (
        "behind a proxy that removes the path",
        "{config: {web: {external_url: 'https://ci.company.test/job-failures/', route_prefix: /}}, serviceMonitor: {enabled: true}}",
    ),
    (
        "other names and no volume",
        "{nameOverride: ci, fullnameOverride: ci-failures, commonLabels: {team: ci, app.kubernetes.io/name: ci}, persistence: {enabled: false},
          serviceAccount: {create: false}, probes: {tcp: true}, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}",
    ),
    (
        "what a cluster asks of pods",
        "{image: {digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'},
          imagePullSecrets: [{name: pull}], priorityClassName: high, nodeSelector: {disk: ssd}, tolerations: [{operator: Exists}],
          topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}],
          podLabels: {sidecar.istio.io/inject: 'false'}, podAnnotations: {a: b}, statefulSetAnnotations: {c: d},
          persistence: {storageClass: fast, annotations: {e: f}},
          extraArgs: [--web.enable-lifecycle], extraEnv: [{name: HTTPS_PROXY, value: 'http://proxy:3128'}],
          extraEnvFrom: [{secretRef: {name: aws}}], extraVolumes: [{name: ca, configMap: {name: ca}}],
          extraVolumeMounts: [{name: ca, mountPath: /etc/ca}],
          affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}},
          initContainers: [{name: wait, image: busybox}], extraContainers: [{name: proxy, image: proxy}],
          networkPolicy: {enabled: true, from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}],
            egress: [{ports: [{port: 443, protocol: TCP}]}]}}",
    ),
];
