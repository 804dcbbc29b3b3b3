//! Makes the files of a kind with given options.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::addresses::{Address, Addresses};
use super::embedded::{
    ALERTMANAGER, ALERTMANAGER_CONFIG, DASHBOARDS, Embedded, HISTORY, RULES, TEMPLATES, THRESHOLDS,
};
use super::file::File;
use super::kind::Kind;
use super::kubernetes::{
    Objects, alertmanager_config, config_maps, prometheus_rules, service_monitor,
};
use super::receivers;
use super::rule_labels;
use super::thresholds::Thresholds;

/// What differs from the shipped files.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Beginnings of links.
    pub addresses: Addresses,
    /// Defaults and overrides.
    pub thresholds: Thresholds,
    /// Labels of every alert.
    pub rule_labels: BTreeMap<String, String>,
    /// Addresses of webhooks, by receiver.
    pub receivers: BTreeMap<String, String>,
    /// Names and labels of Kubernetes objects.
    pub objects: Objects,
}

impl Options {
    /// The files of a kind.
    ///
    /// # Errors
    ///
    /// A receiver that does not exist. Everything else is a mistake in the shipped files.
    pub fn files(&self, kind: Kind) -> anyhow::Result<Vec<File>> {
        let objects = &self.objects;
        Ok(match kind {
            Kind::Rules => self.rules()?,
            Kind::Alertmanager => self.alertmanager()?,
            Kind::Dashboards => self.embedded(DASHBOARDS),
            Kind::History => self.embedded(HISTORY),
            Kind::PrometheusRule => vec![prometheus_rules(&self.rules()?, objects)],
            Kind::AlertmanagerConfig => {
                let all = self.alertmanager()?;
                let config = all.iter().find(|file| file.path == ALERTMANAGER_CONFIG);
                let config = config.context("no shipped configuration of Alertmanager")?;
                vec![alertmanager_config(&config.text, objects)?]
            }
            Kind::ServiceMonitor => vec![service_monitor(objects)?],
            Kind::ConfigMaps => {
                let mut templates = self.alertmanager()?;
                templates.retain(|file| file.path.starts_with(TEMPLATES));
                let dashboards = self.embedded(DASHBOARDS);
                config_maps(&dashboards, &templates, &self.rules()?, objects)
            }
        })
    }

    /// The receivers in files of these kinds that have no address yet.
    ///
    /// # Errors
    ///
    /// A receiver that does not exist.
    pub fn unset_receivers(&self, kinds: &[Kind]) -> anyhow::Result<Vec<String>> {
        if !kinds.iter().any(|kind| kind.has_receivers()) {
            return Ok(Vec::new());
        }
        let files = self.alertmanager()?;
        let config = files.iter().find(|file| file.path == ALERTMANAGER_CONFIG);
        config.map_or(Ok(Vec::new()), |file| receivers::unset(&file.text))
    }

    fn rules(&self) -> anyhow::Result<Vec<File>> {
        let mut files = self.embedded(RULES);
        for file in &mut files {
            if file.path == THRESHOLDS {
                file.text = self.thresholds.apply(&file.text).context(THRESHOLDS)?;
            }
            file.text = rule_labels::add(&file.text, &self.rule_labels)
                .with_context(|| file.path.clone())?;
        }
        Ok(files)
    }

    fn alertmanager(&self) -> anyhow::Result<Vec<File>> {
        let mut files = self.embedded(ALERTMANAGER);
        for file in &mut files {
            if file.path == ALERTMANAGER_CONFIG {
                file.text = receivers::set(&file.text, &self.receivers)?;
            }
        }
        Ok(files)
    }

    fn embedded(&self, files: &[Embedded]) -> Vec<File> {
        let made = files
            .iter()
            .map(|file| File::new(file.path, self.addresses.apply(file.text)));
        made.collect()
    }

    /// Each shipped address, and whether it occurs in the shipped files of these kinds.
    ///
    /// # Errors
    ///
    /// A mistake in the shipped files.
    pub fn addresses_in(
        kinds: &[Kind],
        addresses: &Addresses,
    ) -> anyhow::Result<Vec<(Address, bool)>> {
        let shipped = Self::default();
        let mut texts = Vec::new();
        for kind in kinds {
            texts.extend(shipped.files(*kind)?.into_iter().map(|file| file.text));
        }
        let found = addresses.all().into_iter().map(|address| {
            let occurs = texts.iter().any(|text| address.occurs_in(text));
            (address, occurs)
        });
        Ok(found.collect())
    }
}
