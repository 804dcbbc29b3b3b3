//! Tokens that their vendors give a form of their own.

use std::sync::LazyLock;

use super::spans::Spans;
use super::wrapped;

/// Characters behind a prefix.
#[derive(Debug, Clone, Copy)]
enum Body {
    /// Letters, digits, `_` and `-`.
    Url,
    /// As `Url`, also `.`, `=`, `+`, `/`, `%` and `~`.
    Any,
    /// Letters and digits.
    Plain,
    /// Capitals and digits.
    Upper,
    /// Hexadecimal digits and `-`.
    Hex,
}

impl Body {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Any => byte.is_ascii_alphanumeric() || b"_-.=+/%~".contains(&byte),
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit() || byte == b'-',
        }
    }
}

/// Prefixes of tokens, the least length of what follows, and its characters.
const PREFIXES: &[(&[&str], usize, Body)] = &[
    // GitLab.
    (
        &[
            "glpat-", "glptt-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glft-", "glimt-",
            "glagent-", "glsoat-", "gloas-", "glffct-", "glwt-",
        ],
        4,
        Body::Any,
    ),
    (&["GR1348941", "_gitlab_session="], 8, Body::Url),
    // GitHub.
    (
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        16,
        Body::Url,
    ),
    // Amazon.
    (
        &[
            "AKIA", "ASIA", "AROA", "AIDA", "ABIA", "ACCA", "AGPA", "ANPA",
        ],
        12,
        Body::Upper,
    ),
    (
        &["ABSK", "bedrock-api-key-", "IQoJb3JpZ2lu", "FwoGZXIvYXdz"],
        32,
        Body::Any,
    ),
    // Google.
    (&["AIza"], 20, Body::Url),
    (&["ya29.", "1//0", "GOCSPX-"], 16, Body::Any),
    // Slack, Discord, Teams, Telegram.
    (
        &[
            "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxe.", "xoxc-", "xoxd-",
            "xapp-",
        ],
        8,
        Body::Any,
    ),
    // Payments and shops.
    (
        &[
            "sk_live_",
            "rk_live_",
            "sk_test_",
            "rk_test_",
            "whsec_",
            "access_token$production$",
            "access_token$sandbox$",
            "sq0atp-",
            "sq0csp-",
            "sq0idp-",
            "EAAAE",
            "shpat_",
            "shpca_",
            "shppa_",
            "shpss_",
            "shptka_",
            "FLWSECK_TEST-",
            "FLWSECK-",
            "rzp_live_",
            "rzp_test_",
            "pk_prod_",
            "sk_prod_",
            "live_sk_",
        ],
        12,
        Body::Url,
    ),
    // Models.
    (
        &[
            "sk-ant-",
            "sk-proj-",
            "sk-svcacct-",
            "sk-admin-",
            "sk-or-v1-",
            "sk-lf-",
            "pk-lf-",
            "hf_",
            "api_org_",
            "r8_",
            "gsk_",
            "xai-",
            "pplx-",
            "nvapi-",
            "csk-",
            "fw_",
            "lsv2_pt_",
            "lsv2_sk_",
            "tgp_v1_",
            "pcsk_",
            "jina_",
            "voyage-",
            "key-live-",
            "AQ.Ab",
        ],
        16,
        Body::Any,
    ),
    (&["sk-", "sk_", "rk_"], 20, Body::Url),
    // Packages and images.
    (
        &[
            "npm_",
            "pypi-",
            "dckr_pat_",
            "dckr_oat_",
            "rubygems_",
            "AKCp",
            "cmVmd",
            "oy2",
            "cio",
            "crates_",
            "eyJhbGciOi",
        ],
        30,
        Body::Url,
    ),
    (
        &["dckr_pat_", "dckr_oat_", "pypi-AgE", "AKCp", "cmFnd"],
        16,
        Body::Url,
    ),
    // Clouds.
    (&["dop_v1_", "doo_v1_", "dor_v1_"], 32, Body::Hex),
    (&["dapi", "dose", "dkea"], 32, Body::Hex),
    (&["v1.0-"], 100, Body::Hex),
    (
        &[
            "cfat_", "cfut_", "cfk_", "fo1_", "fm1r_", "fm2_", "FlyV1", "HRKU-", "rnd_", "nfp_",
            "nfc_", "vcp_", "vca_",
        ],
        20,
        Body::Any,
    ),
    (&["LTAI"], 16, Body::Plain),
    (&["AKID"], 28, Body::Plain),
    (&["t1.9euelZ", "AQVN", "YC"], 36, Body::Url),
    (
        &[
            "rpa_", "scw_", "SCW", "hcloud_", "ovh_", "vultr_", "exo_", "EXO",
        ],
        17,
        Body::Url,
    ),
    // HashiCorp.
    (&["hvs.", "hvb.", "hvr.", "s.CAES", "b.AAAA"], 16, Body::Any),
    (&["doppler_"], 30, Body::Url),
    (
        &[
            "dp.pt.",
            "dp.st.",
            "dp.sa.",
            "dp.ct.",
            "dp.scim.",
            "dp.audit.",
        ],
        24,
        Body::Any,
    ),
    // Observability.
    (
        &[
            "glc_", "glsa_", "sntrys_", "sntryu_", "NRAK-", "NRRA-", "NRJS-", "NRII-", "NRIQ-",
            "ddp_", "dt0c01.", "dt0s01.", "hcaik_", "phc_", "phx_", "ldp_", "sgp_",
        ],
        16,
        Body::Any,
    ),
    (&["ddapp_", "ddapi_"], 20, Body::Plain),
    (&["api-", "sdk-", "mob-"], 36, Body::Hex),
    // Mail and messages.
    (&["SG."], 32, Body::Any),
    (&["key-", "pubkey-"], 32, Body::Plain),
    (&["xkeysib-", "xsmtpsib-"], 32, Body::Url),
    (&["SK", "AC"], 32, Body::Hex),
    (&["re_"], 24, Body::Url),
    // Atlassian, Linear, Notion, Figma, Asana, ..
    (
        &["ATATT3", "ATCTT3", "ATBB", "ATOA", "BBDC-"],
        20,
        Body::Any,
    ),
    (
        &[
            "lin_api_",
            "lin_oauth_",
            "secret_",
            "ntn_",
            "figd_",
            "figo_",
            "CFPAT-",
            "PMAK-",
            "PMAT-",
            "duffel_",
            "EZAK",
            "EZTK",
        ],
        24,
        Body::Url,
    ),
    // Secrets and networks.
    (&["ops_eyJ", "A3-"], 26, Body::Any),
    (&["AGE-SECRET-KEY-", "AGE-PLUGIN-"], 16, Body::Url),
    (&["tskey-", "nbp_", "PRIVATE+KEY+"], 16, Body::Any),
    (
        &["pul-", "snyk_", "sonar_", "sqp_", "squ_", "sqa_", "psk_"],
        32,
        Body::Url,
    ),
    (
        &[
            "pscale_tkn_",
            "pscale_pw_",
            "pscale_oauth_",
            "sbp_",
            "sb_secret_",
            "nrn_",
            "tfp_",
            "at_",
            "oauth2_",
        ],
        24,
        Body::Any,
    ),
    (
        &[
            "CCIPAT_", "CCIPRJ_", "bkua_", "bkct_", "bkpt_", "bkat_", "ccpat_", "zpka_", "trp_",
            "codecov_",
        ],
        16,
        Body::Any,
    ),
    (
        &[
            "EAAC", "EAAG", "EAAB", "EAAD", "EAAE", "EAAF", "EAAI", "EAAJ", "EAAL", "EAAM", "EAAN",
        ],
        60,
        Body::Plain,
    ),
    (&["LS0tLS1CRUdJTi"], 0, Body::Any),
    (&["eyJ"], 20, Body::Any),
];

/// Bytes that decide whether a text is a token. A bound keeps the search linear.
const LOOKED_AT: usize = 128;

/// Adds all tokens.
pub(super) fn find(text: &str, spans: &mut Spans) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'~' => find_azure(bytes, at, spans),
            b':' => find_telegram(bytes, at, spans),
            _ => {}
        }
        let token = if begins_word(bytes, at) {
            token(&bytes[at..]).or_else(|| broken(text, at))
        } else {
            None
        };
        if let Some(length) = token {
            spans.add(at..at + length);
        }
        at += token.unwrap_or(1).max(1);
    }
}

/// Whether no letter or digit stands before, other than in an escape such as `\n` or `%20`.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).map(|index| bytes[index]);
    match before(1) {
        Some(byte) if byte.is_ascii_alphanumeric() => {
            before(2) == Some(b'\\') || before(3) == Some(b'%') && byte.is_ascii_hexdigit()
        }
        _ => true,
    }
}

/// The length of the token at the beginning of a text.
fn token(text: &[u8]) -> Option<usize> {
    if let Some(rest) = text.strip_prefix(b"s.")
        && length(rest, Body::Plain, LOOKED_AT) == 24
    {
        // A token of an old Vault.
        return Some(26);
    }
    with_first(*text.first()?)
        .iter()
        .find_map(|(prefix, least, body)| {
            let rest = text.strip_prefix(prefix.as_bytes())?;
            let looked_at = &rest[..length(rest, *body, LOOKED_AT)];
            let is_token = looked_at.len() >= *least
                && (*least <= 4 || matches!(body, Body::Hex | Body::Upper) || is_random(looked_at));
            is_token.then(|| prefix.len() + length(rest, *body, usize::MAX))
        })
}

/// The length of the beginning of a token that goes on in the next line.
fn broken(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let prefixes = with_first(*rest.first()?).iter();
    prefixes
        .filter(|(prefix, ..)| prefix.len() >= 4 && prefix.ends_with(['-', '_', '.']))
        .find_map(|(prefix, _, body)| {
            let rest = rest.strip_prefix(prefix.as_bytes())?;
            let end = prefix.len() + length(rest, *body, LOOKED_AT);
            wrapped::continuation(text, at + end).map(|_| end)
        })
}

type Prefix = (&'static str, usize, Body);

/// The prefixes with this first character.
fn with_first(first: u8) -> &'static [Prefix] {
    static BY_FIRST: LazyLock<Vec<Vec<Prefix>>> = LazyLock::new(|| {
        let mut by_first = vec![Vec::new(); 256];
        for (prefixes, least, body) in PREFIXES {
            for prefix in *prefixes {
                by_first[usize::from(prefix.as_bytes()[0])].push((*prefix, *least, *body));
            }
        }
        by_first
    });
    &BY_FIRST[usize::from(first)]
}

/// Whether the characters change between digits, capitals and small letters, as in no name.
fn is_random(body: &[u8]) -> bool {
    let kind = |byte: &u8| {
        [
            byte.is_ascii_digit(),
            byte.is_ascii_uppercase(),
            byte.is_ascii_lowercase(),
        ]
        .iter()
        .position(|is| *is)
    };
    let changes = body
        .windows(2)
        .filter(|pair| match (kind(&pair[0]), kind(&pair[1])) {
            (Some(a), Some(b)) => a != b,
            _ => false,
        });
    changes.count() * 10 >= body.len()
}

fn length(bytes: &[u8], body: Body, most: usize) -> usize {
    let end = bytes.iter().take(most).position(|byte| !body.has(*byte));
    end.unwrap_or(bytes.len().min(most))
}

/// Client secrets of Azure: three characters, a digit, `Q~`, and 31 to 34 characters.
fn find_azure(bytes: &[u8], tilde: usize, spans: &mut Spans) {
    let start = tilde.saturating_sub(5);
    if !matches!(&bytes[start..tilde], [.., digit, b'Q'] if digit.is_ascii_digit()) {
        return;
    }
    let length = length(&bytes[tilde + 1..], Body::Any, LOOKED_AT);
    if length >= 28 {
        spans.add(start..tilde + 1 + length);
    }
}

/// Tokens of Telegram's bots: 8 to 10 digits, `:`, and 35 characters.
fn find_telegram(bytes: &[u8], colon: usize, spans: &mut Spans) {
    let head = bytes[..colon].iter().rev().take(11);
    let digits = head.take_while(|byte| byte.is_ascii_digit()).count();
    if !(8..=10).contains(&digits) {
        return;
    }
    let length = length(&bytes[colon + 1..], Body::Url, LOOKED_AT);
    if (34..=36).contains(&length) {
        spans.add(colon - digits..colon + 1 + length);
    }
}
