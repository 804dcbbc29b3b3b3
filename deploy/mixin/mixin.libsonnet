// Rules and dashboards of job-failure-exporter. README.md describes `_config`. `make mixin` writes the folder `generated`.
local groups = import 'generated/groups.json';
local dashboards = import 'generated/dashboards.libsonnet';

// The addresses of the shipped files.
local shipped = {
  runbooksUrl: 'https://github.com/example/job-failure-exporter/blob/main/alert-rules/runbooks/',
  grafanaUrl: 'https://grafana.example.com/',
  alertmanagerUrl: 'https://alertmanager.example.com/',
  exporterUrl: 'http://127.0.0.1:10141',
  gitlabUrl: 'https://gitlab.com',
};

local thresholdNames = std.set([
  std.split(rule.record, ':')[1]
  for group in groups
  for rule in group.rules
  if std.startsWith(std.get(rule, 'record', ''), 'ci_default:')
]);

{
  local config = $._config,

  _config+:: shipped {
    // Defaults of thresholds: `{consecutive_failures: {warning: 4, critical: 8}, failure_ratio: {warning: 0.4}}`.
    thresholds: {},
    // Labels that every alert gets.
    ruleLabels: {},
  },

  local replaced(text, names) = std.foldl(
    function(text, name) std.strReplace(text, shipped[name], config[name]), names, text
  ),

  local threshold(rule) =
    local parts = std.split(std.get(rule, 'record', ''), ':');
    local given = if parts[0] == 'ci_default' then std.get(config.thresholds, parts[1]) else null;
    local value = if std.isObject(given) then std.get(given, std.get(rule, 'labels', {}).severity) else given;
    if value == null then rule else rule { expr: std.toString(value) },

  local alert(rule) = rule {
    [if config.ruleLabels != {} then 'labels']+: config.ruleLabels,
    annotations: {
      [name]: replaced(rule.annotations[name], ['runbooksUrl', 'grafanaUrl', 'alertmanagerUrl'])
      for name in std.objectFields(rule.annotations)
    },
  },

  local hasAlert(group) = std.length([rule for rule in group.rules if 'alert' in rule]) > 0,

  local made(wanted) =
    local unknown = std.setDiff(std.objectFields(config.thresholds), thresholdNames);
    assert unknown == [] : 'no thresholds: %s; there are: %s' % [unknown, thresholdNames];
    [
      group { rules: [if 'alert' in rule then alert(rule) else threshold(rule) for rule in group.rules] }
      for group in groups
      if hasAlert(group) == wanted
    ],

  // Groups with alerts. Some have recording rules that these alerts read, in their order.
  prometheusAlerts+:: { groups+: made(true) },

  // Groups that only record.
  prometheusRules+:: { groups+: made(false) },

  grafanaDashboards+:: {
    [name]: std.parseJson(replaced(dashboards[name], ['exporterUrl', 'gitlabUrl']))
    for name in std.objectFields(dashboards)
  },
}
