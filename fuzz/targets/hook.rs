//! Bodies of webhooks: what is taken names a pipeline, and a refusal is short.

#![no_main]

use libfuzzer_sys::fuzz_target;

use fuzz::linear;
use job_failure_exporter::gitlab::webhook::{HookKind, HookProject, decode, kind_of};

fuzz_target!(|body: &[u8]| {
    let Some(kind) = linear(body.len(), || kind_of(body)) else {
        return;
    };
    match linear(body.len(), || decode(kind, body)) {
        Ok(None) => assert_eq!(kind, HookKind::Other),
        Ok(Some(hook)) => {
            assert_eq!(hook.kind, kind);
            assert!(hook.pipeline_id > 0 && !hook.ref_name.is_empty());
            match hook.project {
                HookProject::Id(id) => assert!(id > 0),
                HookProject::Path(path) => assert!(!path.is_empty()),
            }
        }
        Err(rejected) => {
            let text = rejected.to_string();
            assert!(text.len() < 2000, "{} bytes", text.len());
        }
    }
});
