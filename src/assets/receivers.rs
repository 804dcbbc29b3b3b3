//! Addresses of webhook receivers in Alertmanager's configuration.

use std::collections::BTreeMap;

use anyhow::bail;
use url::Url;

use super::yaml_text::{Edits, Node, quoted};
use crate::base::nearest::nearest;

/// What the shipped addresses begin with.
const SHIPPED: &str = "http://127.0.0.1:10142/";

/// Checks the address of a webhook.
///
/// # Errors
///
/// What is wrong with it, in words.
pub fn check(address: &str) -> Result<(), String> {
    let wanted = "wanted an address such as https://hooks.company.example/ci";
    match Url::parse(address) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        Ok(_) => Err(format!("neither http:// nor https://; {wanted}")),
        Err(error) => Err(format!("{error}; {wanted}")),
    }
}

/// The configuration with these addresses, by receiver.
pub(super) fn set(text: &str, addresses: &BTreeMap<String, String>) -> anyhow::Result<String> {
    let root = Node::parse(text)?;
    let receivers = root.items("receivers");
    let mut edits = Edits::default();
    for (name, address) in addresses {
        let is_it = |receiver: &&Node| receiver.get("name").and_then(Node::text) == Some(name);
        let Some(receiver) = receivers.iter().find(is_it) else {
            let names = receivers
                .iter()
                .filter_map(|receiver| receiver.get("name")?.text());
            let names: Vec<_> = names.collect();
            let hint = nearest(name, &names).map(|near| format!("did you mean `{near}`?"));
            let hint = hint.unwrap_or_else(|| format!("known are {}", names.join(", ")));
            bail!("--receiver {name}=..: no receiver is called `{name}`; {hint}");
        };
        let hooks = receiver.items("webhook_configs");
        let Some(url) = hooks.first().and_then(|hook| hook.get("url")) else {
            bail!(
                "--receiver {name}=..: this receiver has no webhook; edit its receiver in the written file"
            );
        };
        edits.replace(url, quoted(address));
    }
    Ok(edits.apply(text))
}

/// The receivers with the shipped address of a webhook: it leads to a program of the demo, and elsewhere to nobody.
pub(super) fn unset(text: &str) -> anyhow::Result<Vec<String>> {
    let root = Node::parse(text)?;
    let is_shipped = |receiver: &&Node| {
        let hooks = receiver.items("webhook_configs");
        let mut urls = hooks.iter().filter_map(|hook| hook.get("url")?.text());
        urls.any(|url| url.starts_with(SHIPPED))
    };
    let receivers = root.items("receivers");
    let unset = receivers.iter().filter(is_shipped);
    let names = unset.filter_map(|receiver| receiver.get("name")?.text().map(str::to_owned));
    Ok(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "receivers: # all
  - name: 'null'
  - name: chat
    webhook_configs:
      - url: http://127.0.0.1:1/chat # here
        send_resolved: true
";

    fn given(name: &str) -> BTreeMap<String, String> {
        [(name.to_owned(), "https://x/?a=1#b".to_owned())].into()
    }

    #[test]
    fn the_address_of_a_webhook_is_replaced_and_nothing_else() {
        let expected = CONFIG.replace("http://127.0.0.1:1/chat", "\"https://x/?a=1#b\"");
        assert_eq!(set(CONFIG, &given("chat")).unwrap(), expected);
    }

    #[test]
    fn receivers_with_the_shipped_address_are_told() {
        let text = CONFIG.replace("127.0.0.1:1/", "127.0.0.1:10142/");
        assert_eq!(unset(&text).unwrap(), ["chat"]);
        let text = set(&text, &given("chat")).unwrap();
        assert_eq!(unset(&text).unwrap(), [""; 0]);
    }

    #[test]
    fn an_unknown_receiver_one_without_a_webhook_and_a_bad_address_are_refused() {
        let said = set(CONFIG, &given("chatt")).unwrap_err().to_string();
        assert!(said.ends_with("did you mean `chat`?"), "{said}");
        let said = set(CONFIG, &given("pager")).unwrap_err().to_string();
        assert!(said.ends_with("known are null, chat"), "{said}");
        let said = set(CONFIG, &given("null")).unwrap_err().to_string();
        assert!(said.contains("has no webhook"), "{said}");
        assert!(check("hooks.example").is_err());
        assert!(check("file:///etc").is_err());
        check("https://hooks.example/x").unwrap();
    }
}
