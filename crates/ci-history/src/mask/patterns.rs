//! Secrets within a fixed frame: keys, headers, addresses, elements of XML, statements of SQL, sentences.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

use super::entropy;
use super::spans::Spans;

/// Patterns. What follows the first group is masked.
const PATTERNS: &[&str] = &[
    // Private keys and other blocks, whole or cut at either end.
    r"()-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|SECRET KEY|MESSAGE)[A-Z ]*-----(?s:.*?)(?:-----END [A-Z0-9 ]*-----|\z)",
    r"(?i)(----\s?BEGIN SSH2 ENCRYPTED PRIVATE KEY\s?----)(?s:.*?)(?:----\s?END|\z)",
    r"(Private-Lines: \d+)(?:\n[0-9A-Za-z+/=]+)+",
    r"(?m)(^Private-MAC: )\S+",
    // YAML block scalars.
    r"(?im)([\w.-]*(?:passw|passphrase|secret|token|credential|key)[\w.-]*[\x22']?\s*:\s*[|>][-+0-9]*[ \t]*)(?:\n[ \t]+.*)+",
    // Headers, to the end of the line.
    r"(?im)(\b(?:proxy-)?authorization\b\W{1,4}).+$",
    r"(?im)(\b(?:private-token|job-token|deploy-token|x-[a-z0-9-]*(?:token|key)|(?:set-)?cookie2?)\b[\x22']?\s*[:=]).+$",
    r"(?i)(\bbearer[\s:=]+)(?P<bearer>[^\s\x22']{4,})",
    r"(?i)(\b(?:basic|digest|negotiate|apikey|token)[ :=]+)[0-9a-z+/_-]{20,}=*",
    // User and password in a URL.
    r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@:\x22'<>]*:[^\s\x22'<>]*@",
    r"(?i)(\b[a-z][a-z0-9+.-]*://)[^\s/@\x22'<>]+@",
    r"(?i)([?&;][a-z0-9_.-]*(?:sig|signature|credential|key|code|auth|token|pass|password|secret|pwd|hmac|jwt|session|sid|ticket|state)=)[^\s&;\x22'<>]+",
    r"(?i)(\b(?:jdbc:oracle:\w+:|(?:sqlplus|expdp|impdp)\s+(?:-\w\s+)*)\w+/)[^\s@]+@",
    r"(?i)(\b(?:thin|oci):\w+/)[^\s@]+",
    // Secret URLs.
    r"(?i)(\bhooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/)[^\s\x22'<>]+",
    r"(?i)(\bdiscord(?:app)?\.com/api/(?:v\d+/)?webhooks/)[^\s\x22'<>]+",
    r"(?i)(\b(?:webhook\.office|logic\.azure|powerplatform|chat\.googleapis|outlook\.office)\.com/)[^\s\x22'<>]+",
    r"(?i)(\bapi\.telegram\.org/(?:file/)?bot)[^\s/\x22'<>]+",
    r"(?i)(://[^\s\x22'<>]*/(?:web)?hooks?/)[^\s\x22'<>?/]*[0-9][^\s\x22'<>?]*",
    r"(?i)(\b(?:hc-ping\.com|events\.pagerduty\.com/integration|mattermost[^/\s]*/hooks|api\.opsgenie\.com/v\d/[^\s?]*apiKey|ntfy\.sh|hooks\.zapier\.com/hooks/catch|maker\.ifttt\.com/trigger/[^/\s]+/with/key)/)[^\s\x22'<>]+",
    // XML: an element; an attribute, or a value beside a name.
    r"(?i)(<[\w:.-]*(?:passw|passphrase|secret|token|credential|(?:api|access|private|signing|encryption)[-_]?key)[\w:.-]*(?:\s[^>\n]*)?>)[^<\s\[`.,;:>)\x22'?][^<\n]*",
    // netrc, SQL, hashes of passwords.
    r"(?i)(\blogin\s+\S+\s+(?:account\s+\S+\s+)?password\s+)\S+",
    r"(?i)(\b(?:identified\s+(?:with\s+\S+\s+)?(?:by|as)(?:\s+password)?|with\s+(?:encrypted\s+)?password|set\s+password(?:\s+for\s+\S+)?)\s*=?\s*(?:password\s*)?\(?\s*N?)(?:'[^'\n]*'?|\x22[^\x22\n]*\x22?|\S+)",
    r"(?i)(\b(?:encrypted\s+)?password\s+)'[^'\n]*'?",
    r"(\b(?:SECRET|TOKEN|PASSPHRASE)\s+)'[^'\n]{4,}'",
    r"()\$(?:2[abxy]|apr1|argon2id?|argon2i|[156y]|scrypt|pbkdf2[\w-]*|gy)\$[0-9A-Za-z./$,=+-]{16,}",
    r"()\{S?SHA(?:256|512)?\}[0-9A-Za-z+/=]{16,}",
    // Lines of `.pgpass`, of configurations of servers, of a client of Redis.
    r"(?m)(^(?:[\w.-]+|\*):(?:[0-9]{4,5}|\*):(?:[\w-]+|\*):[\w.-]+:)[^\s:]+$",
    r"(?i)(\b(?:requirepass|masterauth|bindpw|rootpw)[ \t]+[\x22']?)(?P<said>[^\s\x22']+)",
    r"(?m)(^(?:\S+> |\+ )?AUTH[ \t]+(?:\w+[ \t]+)?)(?P<said>[^\s]*[a-z][^\s]*)$",
    // A name whose value is on the next line.
    r"(?m)(^(?:export )?[A-Z0-9_]*(?:PASSWORD|PASSWD|SECRET|TOKEN)=[ \t]*\n)(?P<said>[^\s=:/]{6,})$",
    // Basic command-line user and password, whatever the tool.
    r"(\s(?:-u|--user)(?:=|\s*)[\x22']?)[^\s:\x22']+:(?P<login>[^\s\x22']+)",
    // Sentences.
    r"(?im)(\b(?:password|passphrase|passcode|secret|token|api[ -]?key|access key|secret key|pin|code)\b[\w ,'\x22()]{0,40}?\b(?:is|was|are|to|as)\b\s*(?:now|set to|changed to)?\s*[:=]?\s*[\x22'`]?)(?P<said>[^\s\x22'`]+)",
    r"(?im)(\b(?:password|passphrase|passcode|pin|token|secret|(?:api|access|secret) key)\b(?: \w+){0,3} (?:for|of|to)\b[^\n]{1,120}?[^:\n]: ?)(?P<prompted>[^\s/][^\n]*)$",
    r"(?i)(\b(?:one[- ]time|verification|recovery|backup|authentication|2fa|mfa|otp) (?:pass)?(?:code|pin|word)s?(?: is)?: ?)(?P<said>\S+)",
    r"(?im)(\b(?:password|passphrase|token|secret|key)\b[^\n:]{0,60}:[ \t]*\n\s*)(?P<below>\S{8,})[ \t]*$",
    // Commands with a form of their own.
    r"(\bbundle config (?:set )?(?:--\w+ )*[\w-]+(?:\.[\w-]+)+ )[^\s-]\S*",
    r"(\bgh (?:secret|variable) set [^\n]*?(?:--body[= ]|-b ?)[\x22']?)[^\s\x22']+",
    r"(<<< ?[\x22']?)(?P<here>[^\s\x22'$][^\s\x22']*)",
    r"(?im)(\b(?:credentials?|logged in|log in|login|connect(?:ing)?|auth(?:enticat)?\w*)\b[\w ]{0,30}?\b(?:with|as|using):? )(?P<pair>[\w.@-]+[:/][^\s\x22',;)]+)",
];

static RULES: LazyLock<Vec<Regex>> =
    LazyLock::new(|| PATTERNS.iter().map(|text| compiled(text)).collect());

/// Compiles a constant pattern. ASCII suffices, and makes it small.
#[expect(
    clippy::expect_used,
    reason = "constant patterns, compiled by the tests"
)]
fn compiled(text: &str) -> Regex {
    let mut builder = RegexBuilder::new(text);
    builder.unicode(false).build().expect("a valid pattern")
}

/// Adds what the patterns find.
pub(super) fn find(text: &str, spans: &mut Spans) {
    find_end_of_key(text, spans);
    for rule in RULES.iter() {
        for found in rule.captures_iter(text.as_bytes()) {
            let (Some(whole), Some(frame)) = (found.get(0), found.get(1)) else {
                continue;
            };
            let said = |name| {
                found
                    .name(name)
                    .map(|word| String::from_utf8_lossy(word.as_bytes()))
            };
            let is_prose = said("said").is_some_and(|word| !is_value(&word))
                || said("prompted").is_some_and(|word| is_message(&word))
                || said("login").is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
                || said("bearer").is_some_and(|word| word.starts_with("realm="))
                // Maven's `<<< FAILURE!`
                || said("here").is_some_and(|word| word.ends_with('!'))
                || said("below").is_some_and(|word| !entropy::is_likely(&word))
                || said("pair").is_some_and(|word| !is_pair(&word));
            if !is_prose {
                spans.add(frame.end()..whole.end());
            }
        }
    }
}

/// Adds the end of a private key whose beginning the log has no more.
fn find_end_of_key(text: &str, spans: &mut Spans) {
    let Some((key, rest)) = text.split_once("-----END ") else {
        return;
    };
    let kind = rest.split("-----").next().unwrap_or_default();
    if !key.contains("-----BEGIN ") && kind.contains("PRIVATE KEY") {
        let end = key.len() + "-----END -----".len() + kind.len();
        spans.add(0..end.min(text.len()));
    }
}

/// Whether the word after "the password is" is a password, and no word of a message.
fn is_value(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',', ';', '!', '?', ')', ':']);
    let is_letters = word
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'\'' | b'_' | b'.'));
    let is_capital = word.len() > 1 && word.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit()) && word.len() < 4;
    let is_path = word.starts_with(['/', '<', '$', '%', '{']) || word.contains("://");
    word.len() >= 3 && !(is_letters && !is_capital || is_number || is_path)
}

/// Whether a prompt is followed by the words of a message, and by no secret.
fn is_message(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.len() > 4 || words.iter().all(|word| !is_value(word)) && words.len() > 1
}

/// Whether `user:password` is one, and no host with its port.
fn is_pair(text: &str) -> bool {
    let secret = text.split_once([':', '/']).map_or("", |(_, secret)| secret);
    entropy::is_piece(secret)
        || is_value(secret)
            && secret
                .bytes()
                .any(|byte| !byte.is_ascii_digit() && byte != b'.')
}
