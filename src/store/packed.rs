//! Compressed documents: gzip, and a checksum of it at the end, as every document has one.
//!
//! Earlier versions of the program find the right checksum and no JSON: they say that another version wrote the document, and
//! neither move nor overwrite it.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::checksum::{add_checksum, without_checksum};
use super::files::LONGEST;
use super::json::DocumentError;
use crate::base::compress::Compress;

/// Longer documents are compressed, in bytes.
const LARGE: usize = 64 << 10;

/// How many times as long as the compressed text the text may be. Documents come to 10 to 40 times.
const MOST_TIMES: usize = 250;

const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Names repeat all over a document, so a quick level is nearly as good as the best.
const LEVEL: Compression = Compression::new(2);

/// Compresses a large document. One that would not be read again stays as it is.
pub(super) fn pack(text: Vec<u8>, compress: Compress) -> Vec<u8> {
    if compress == Compress::Never || text.len() <= LARGE {
        return text;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), LEVEL);
    let packed = encoder.write_all(&text).and_then(|()| encoder.finish());
    match packed {
        Ok(packed) if text.len() <= MOST_TIMES * packed.len() => add_checksum(packed),
        _ => text,
    }
}

/// Whether these are the bytes of a compressed document.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The text of a document, compressed or not.
///
/// # Errors
///
/// If it was cut or changed, or is longer than a document ever is.
pub(super) fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, DocumentError> {
    if !is_packed(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    let Some(packed) = without_checksum(bytes) else {
        return Err(unreadable("its checksum is missing or another one"));
    };
    let most = packed.len().saturating_mul(MOST_TIMES).min(LONGEST);
    let mut text = Vec::with_capacity(most.min(8 * packed.len()));
    let mut decoder = GzDecoder::new(packed).take(most as u64 + 1);
    let read = decoder.read_to_end(&mut text);
    if text.len() > most {
        return Err(unreadable(&format!(
            "its text is longer than {most} bytes, which no document of this length is"
        )));
    }
    read.map_err(|error| unreadable(&error.to_string()))?;
    if !decoder.into_inner().into_inner().is_empty() {
        return Err(unreadable("something stands behind its text"));
    }
    Ok(Cow::Owned(text))
}

fn unreadable(why: &str) -> DocumentError {
    DocumentError::Malformed {
        path: ".".to_owned(),
        message: format!("it is compressed and was cut or changed: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(7);
        let words = std::iter::repeat_with(|| format!("\"job {}\":1,", random.u16(..)));
        words.flat_map(String::into_bytes).take(length).collect()
    }

    #[test]
    fn only_large_documents_are_compressed_and_all_come_back() {
        for (length, compress, is_compressed) in [
            (LARGE, Compress::Auto, false),
            (LARGE + 1, Compress::Auto, true),
            (LARGE + 1, Compress::Never, false),
        ] {
            let packed = pack(text(length), compress);
            assert_eq!(is_packed(&packed), is_compressed);
            assert_eq!(unpack(&packed).unwrap(), text(length));
        }
    }

    #[test]
    fn a_cut_or_changed_one_is_told_wherever_it_was_changed() {
        let packed = pack(text(2 * LARGE), Compress::Auto);
        for at in [3, 20, packed.len() / 2, packed.len() - 30, packed.len() - 4] {
            let mut changed = packed.clone();
            changed[at] ^= 1;
            assert!(unpack(&changed).is_err(), "changed at {at}");
            assert!(unpack(&packed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn one_that_grows_without_bound_is_refused_before_it_has_grown() {
        let mut encoder = GzEncoder::new(Vec::new(), LEVEL);
        for _ in 0..64 {
            encoder.write_all(&vec![b' '; LARGE]).unwrap();
        }
        let bomb = add_checksum(encoder.finish().unwrap());
        let error = unpack(&bomb).unwrap_err().to_string();
        assert!(error.contains("is longer than"), "{error}");
        let zeros = vec![b' '; 64 * LARGE];
        assert_eq!(
            pack(zeros.clone(), Compress::Auto),
            zeros,
            "not written either"
        );
    }

    #[test]
    fn nothing_may_stand_behind_the_text() {
        let packed = pack(text(2 * LARGE), Compress::Auto);
        let mut longer = without_checksum(&packed).unwrap().to_vec();
        longer.extend_from_slice(&longer.clone());
        let error = unpack(&add_checksum(longer)).unwrap_err().to_string();
        assert!(error.contains("stands behind"), "{error}");
    }
}
