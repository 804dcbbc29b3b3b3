//! `assets`: the shipped rules, Alertmanager configuration and dashboards, with given addresses, thresholds and labels.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};

use super::common::Console;
use crate::assets::{
    Addresses, DEFAULT_FOLDER, DEFAULT_NAME, Directory, File, Kind, Objects, Options, Outcome,
    Prefix, Site, Thresholds, check_receiver, check_rule_label,
};
use crate::base::nearest::nearest;

/// Arguments of `assets`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AssetsArgs {
    /// Which files to write.
    #[arg(value_name = "WHAT")]
    pub what: What,
    /// Directory to write to. It is created if it is missing. Without it, a single file goes to standard output.
    #[arg(long = "to", value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Only this file of them, such as thresholds.yml. Can be repeated.
    #[arg(long = "file", value_name = "NAME")]
    pub files: Vec<String>,
    /// Overwrite files that were edited.
    #[arg(long, requires = "to")]
    pub force: bool,
    /// What links lead to.
    #[command(flatten)]
    pub addresses: AddressArgs,
    /// When alerts fire and which labels they have.
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Kubernetes.
    #[command(flatten)]
    pub objects: ObjectArgs,
}

const EXAMPLES: &str = "\
A file of --thresholds:
  defaults:
    consecutive_failures: {warning: 3, critical: 6}
    failure_ratio: 50%
  overrides:
    - team: research
      thresholds: {consecutive_failures: {warning: 5, critical: off}}
    - project: acme/shop
      job: backup
      thresholds: {no_success_seconds: {warning: 26h}}

Examples:
  Rules for Prometheus, with your addresses and thresholds:
    job-failure-exporter assets rules --to /etc/prometheus/job-failure-exporter \\
      --runbooks https://wiki.company.example/runbooks/ --grafana https://grafana.company.example/ \\
      --thresholds thresholds.yml

  The same for the Prometheus operator:
    job-failure-exporter assets prometheusrule --object-label release=kube-prometheus \\
      --namespace monitoring --threshold consecutive_failures.warning=5 | kubectl apply -f -

  Everything, to look at:
    job-failure-exporter assets all --to assets";

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Rule files of Prometheus.
    Rules,
    /// Alertmanager's configuration, examples of receivers, templates of messages.
    Alertmanager,
    /// Grafana's dashboards.
    Dashboards,
    /// Rules that record the past for the dashboards, after `backfill --openmetrics`.
    History,
    /// The rules for the Prometheus operator.
    #[value(name = "prometheusrule")]
    PrometheusRule,
    /// Routes, inhibition and receivers for the Prometheus operator.
    #[value(name = "alertmanagerconfig")]
    AlertmanagerConfig,
    /// A Service and a ServiceMonitor for the Prometheus operator.
    #[value(name = "servicemonitor")]
    ServiceMonitor,
    /// Dashboards for Grafana's sidecar; templates; rules for a Prometheus without operator.
    #[value(name = "configmaps")]
    ConfigMaps,
    /// All of them, each in a folder of its own.
    All,
}

/// Options of links and receivers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Addresses")]
pub struct AddressArgs {
    /// What links to runbooks begin with.
    #[arg(long, value_name = "URL", value_parser = Prefix::new)]
    pub runbooks: Option<Prefix>,
    /// What links to dashboards begin with.
    #[arg(long, value_name = "URL", value_parser = Prefix::new)]
    pub grafana: Option<Prefix>,
    /// What links to silences begin with.
    #[arg(long, value_name = "URL", value_parser = Prefix::new)]
    pub alertmanager: Option<Prefix>,
    /// Where links of dashboards find the exporter.
    #[arg(long, value_name = "URL", value_parser = Site::new)]
    pub exporter: Option<Site>,
    /// Where links of dashboards find GitLab.
    #[arg(long, value_name = "URL", value_parser = Site::new)]
    pub gitlab: Option<Site>,
    /// Address of a receiver's webhook. Can be repeated.
    #[arg(long = "receiver", value_name = "NAME=URL", value_parser = receiver)]
    pub receivers: Vec<(String, String)>,
}

/// Options of rules.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleArgs {
    /// Default of a threshold; overrides that of --thresholds. Can be repeated.
    #[arg(long = "threshold", value_name = "NAME[.SEVERITY]=VALUE", value_parser = pair)]
    pub thresholds: Vec<(String, String)>,
    /// YAML file with defaults and overrides of thresholds.
    #[arg(long = "thresholds", value_name = "FILE")]
    pub thresholds_file: Option<PathBuf>,
    /// Label that every alert gets. Can be repeated.
    #[arg(id = "rule-label", long = "rule-label", value_name = "NAME=VALUE", value_parser = rule_label)]
    pub labels: Vec<(String, String)>,
}

/// Options of Kubernetes objects.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct ObjectArgs {
    /// Name of the objects, or what their names begin with [default: job-failure-exporter].
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub name: Option<String>,
    /// Namespace of the objects [default: that of kubectl].
    #[arg(long, value_name = "NAMESPACE", value_parser = object_name)]
    pub namespace: Option<String>,
    /// Label of the objects, such as release=kube-prometheus. Can be repeated.
    #[arg(id = "object-label", long = "object-label", value_name = "KEY=VALUE", value_parser = object_label)]
    pub labels: Vec<(String, String)>,
    /// Grafana's folder for the dashboards [default: CI job failures].
    #[arg(long = "grafana-folder", value_name = "FOLDER")]
    pub folder: Option<String>,
}

/// Runs `assets`.
pub fn run(args: &AssetsArgs, console: &mut Console<'_>) -> anyhow::Result<()> {
    let kinds = args.what.kinds();
    args.refuse_what_changes_nothing(&kinds)?;
    let options = args.options()?;
    AssetsArgs::check_addresses(&kinds, &options.addresses, console)?;
    let unset = options.unset_receivers(&kinds)?;
    if !unset.is_empty() {
        let names = unset.join(", ");
        writeln!(
            console.err,
            "note: what is sent to {names} reaches nobody: set an address with --receiver NAME=URL, or edit the receivers"
        )?;
    }
    let mut made = Vec::new();
    for kind in &kinds {
        made.push((*kind, options.files(*kind)?));
    }
    if args.what == What::All {
        for (kind, files) in &mut made {
            for file in files {
                file.path = format!("{}/{}", kind.folder(), file.path);
            }
        }
    }
    args.select(&mut made)?;
    match &args.to {
        Some(directory) => {
            let directory = Directory::open(directory)?;
            let made: Vec<_> = made
                .into_iter()
                .map(|(kind, files)| (kind.name(), files))
                .collect();
            let written = directory.write(&made, args.files.is_empty(), args.force)?;
            report(&written.files, &written.obsolete, console)
        }
        None => print(&made, args.what, console),
    }
}

impl What {
    fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Rules => vec![Kind::Rules],
            Self::Alertmanager => vec![Kind::Alertmanager],
            Self::Dashboards => vec![Kind::Dashboards],
            Self::History => vec![Kind::History],
            Self::PrometheusRule => vec![Kind::PrometheusRule],
            Self::AlertmanagerConfig => vec![Kind::AlertmanagerConfig],
            Self::ServiceMonitor => vec![Kind::ServiceMonitor],
            Self::ConfigMaps => vec![Kind::ConfigMaps],
            Self::All => Kind::ALL.into(),
        }
    }
}

impl AssetsArgs {
    /// An option that the files have no use for is a mistake.
    fn refuse_what_changes_nothing(&self, kinds: &[Kind]) -> anyhow::Result<()> {
        let (rules, objects) = (&self.rules, &self.objects);
        let on_rules = Kind::has_rules as fn(Kind) -> bool;
        let on_objects = Kind::is_kubernetes as fn(Kind) -> bool;
        for (option, given, applies) in [
            ("--threshold", !rules.thresholds.is_empty(), on_rules),
            ("--thresholds", rules.thresholds_file.is_some(), on_rules),
            ("--rule-label", !rules.labels.is_empty(), on_rules),
            (
                "--receiver",
                !self.addresses.receivers.is_empty(),
                Kind::has_receivers,
            ),
            ("--name", objects.name.is_some(), on_objects),
            ("--namespace", objects.namespace.is_some(), on_objects),
            ("--object-label", !objects.labels.is_empty(), on_objects),
            ("--grafana-folder", objects.folder.is_some(), |kind| {
                kind == Kind::ConfigMaps
            }),
        ] {
            if given && !kinds.iter().any(|kind| applies(*kind)) {
                let able: Vec<_> = Kind::ALL
                    .into_iter()
                    .filter(|kind| applies(*kind))
                    .collect();
                let able: Vec<_> = able.into_iter().map(Kind::name).collect();
                bail!(
                    "{option} changes nothing in these files, only in {}",
                    able.join(", ")
                );
            }
        }
        Ok(())
    }

    fn options(&self) -> anyhow::Result<Options> {
        let (addresses, rules, objects) = (&self.addresses, &self.rules, &self.objects);
        let file = match &rules.thresholds_file {
            None => None,
            Some(path) => Some(
                fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?,
            ),
        };
        Ok(Options {
            addresses: Addresses {
                runbooks: addresses.runbooks.clone(),
                grafana: addresses.grafana.clone(),
                alertmanager: addresses.alertmanager.clone(),
                exporter: addresses.exporter.clone(),
                gitlab: addresses.gitlab.clone(),
            },
            thresholds: Thresholds::read(file.as_deref(), &rules.thresholds)??,
            rule_labels: once("--rule-label", &rules.labels)?,
            receivers: once("--receiver", &addresses.receivers)?,
            objects: Objects::new(
                objects
                    .name
                    .clone()
                    .unwrap_or_else(|| DEFAULT_NAME.to_owned()),
                objects.namespace.clone(),
                once("--object-label", &objects.labels)?,
                objects
                    .folder
                    .clone()
                    .unwrap_or_else(|| DEFAULT_FOLDER.to_owned()),
            ),
        })
    }

    /// Refuses an address that occurs nowhere, and tells of links that lead to the shipped ones.
    fn check_addresses(
        kinds: &[Kind],
        addresses: &Addresses,
        console: &mut Console<'_>,
    ) -> anyhow::Result<()> {
        for (address, occurs) in Options::addresses_in(kinds, addresses)? {
            let option = address.option;
            match (address.is_given(), occurs) {
                (true, false) => {
                    bail!("{option} changes nothing in these files: none of them has such a link")
                }
                (false, true) => writeln!(
                    console.err,
                    "note: links lead to {}; set your address with {option}",
                    address.shipped()
                )?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Leaves the files that --file names.
    fn select(&self, made: &mut [(Kind, Vec<File>)]) -> anyhow::Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        let paths: Vec<_> = paths(made).map(str::to_owned).collect();
        let known: Vec<_> = paths.iter().map(String::as_str).collect();
        for name in &self.files {
            if !known.contains(&name.as_str()) {
                let hint = nearest(name, &known).map(|near| format!("did you mean {near}?"));
                let hint = hint.unwrap_or_else(|| format!("there are {}", known.join(", ")));
                bail!("--file {name}: no file has this name; {hint}");
            }
        }
        for (_, files) in made {
            files.retain(|file| self.files.contains(&file.path));
        }
        Ok(())
    }
}

fn paths(made: &[(Kind, Vec<File>)]) -> impl Iterator<Item = &str> {
    let files = made.iter().flat_map(|(_, files)| files);
    files.map(|file| file.path.as_str())
}

fn print(made: &[(Kind, Vec<File>)], what: What, console: &mut Console<'_>) -> anyhow::Result<()> {
    let files: Vec<_> = made.iter().flat_map(|(_, files)| files).collect();
    let [file] = &files[..] else {
        let what = what
            .to_possible_value()
            .map(|value| value.get_name().to_owned());
        let names: Vec<_> = paths(made).map(|path| format!("\n  {path}")).collect();
        return Err(anyhow!(
            "`{}` are {} files; give --to DIR, or one of them as --file:{}",
            what.unwrap_or_default(),
            files.len(),
            names.concat()
        ));
    };
    console.out.write_all(file.text.as_bytes())?;
    console.out.flush()?;
    Ok(())
}

/// Tells what was done with each file.
pub(super) fn report(
    files: &[(PathBuf, Outcome)],
    obsolete: &[PathBuf],
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let mut unchanged = 0;
    for (path, outcome) in files {
        let done = match outcome {
            Outcome::New => "wrote",
            Outcome::Updated => "updated",
            Outcome::Overwritten => "overwrote the edited",
            Outcome::Unchanged => {
                unchanged += 1;
                continue;
            }
        };
        writeln!(console.out, "{done} {}", path.display())?;
    }
    if unchanged > 0 {
        let files = if unchanged == 1 {
            "file is"
        } else {
            "files are"
        };
        writeln!(console.out, "{unchanged} {files} unchanged")?;
    }
    for path in obsolete {
        writeln!(
            console.err,
            "warning: {} is from an earlier version and no longer part of these files; delete it",
            path.display()
        )?;
    }
    console.out.flush()?;
    Ok(())
}

/// Pairs as a map; a name that is given twice is a mistake.
fn once(option: &str, pairs: &[(String, String)]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut map = BTreeMap::new();
    for (name, value) in pairs {
        if map.insert(name.clone(), value.clone()).is_some() {
            bail!("{option} {name} is given twice; keep one of them");
        }
    }
    Ok(map)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("wanted a name, `=` and a value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn receiver(text: &str) -> Result<(String, String), String> {
    let (name, address) = pair(text)?;
    check_receiver(&address)?;
    Ok((name, address))
}

fn rule_label(text: &str) -> Result<(String, String), String> {
    let (name, value) = pair(text)?;
    check_rule_label(&name, &value)?;
    Ok((name, value))
}

fn object_label(text: &str) -> Result<(String, String), String> {
    let (key, value) = pair(text)?;
    Objects::check_label(&key, &value)?;
    Ok((key, value))
}

fn object_name(text: &str) -> Result<String, String> {
    Objects::check_name(text)?;
    Ok(text.to_owned())
}
