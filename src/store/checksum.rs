//! The checksum at the end of every document.

const CHECKSUM: &[u8] = b",\"checksum\":\"";
const END: &[u8] = b"\"}";

/// Hexadecimal digits of a checksum.
const DIGITS: usize = 8;

/// Adds the checksum to the text of a document before it, or to a compressed document.
pub(super) fn add_checksum(mut text: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&text);
    text.extend_from_slice(CHECKSUM);
    text.extend_from_slice(format!("{checksum:0DIGITS$x}").as_bytes());
    text.extend_from_slice(END);
    text.push(b'\n');
    text
}

/// What stands before the checksum; `None` if it is none or another one.
pub(super) fn without_checksum(text: &[u8]) -> Option<&[u8]> {
    let (body, found) = split(text)?;
    (found == crc32fast::hash(body)).then_some(body)
}

/// The checksum that a document names, right or wrong.
pub(super) fn named_checksum(text: &[u8]) -> Option<u32> {
    split(text).map(|(_, found)| found)
}

fn split(text: &[u8]) -> Option<(&[u8], u32)> {
    let text = text.trim_ascii_end();
    let at = text
        .len()
        .checked_sub(CHECKSUM.len() + DIGITS + END.len())?;
    let (body, end) = text.split_at_checked(at)?;
    let digits = end
        .strip_prefix(CHECKSUM)
        .and_then(|end| end.strip_suffix(END));
    let found = digits
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u32::from_str_radix(digits, 16).ok());
    Some((body, found?))
}
