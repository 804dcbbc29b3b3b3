//! Where timelines are saved: documents, and the places that hold them.

mod directory;
mod document;
mod layout;
mod shapes;

pub use directory::{Directory, Loaded, OpenError, ReadError, SaveError, SetAside};
pub use document::{DocumentError, Saved, decode, decode_v2, encode, encode_v2};
