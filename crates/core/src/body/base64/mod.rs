//! Files in JSON, in base64, that are never held in memory: [`Base64File`] encodes one while a request goes out,
//! [`FieldToWriter`] decodes one while an answer arrives, [`Decoder`] decodes text in pieces of any size.

mod decode;
mod field;
mod file;
mod sieve;

use base64::engine::general_purpose::GeneralPurposeConfig;

pub use decode::{Decoder, NotBase64, decode};
pub use field::{FieldToWriter, Taken};
pub use file::{Base64File, Sha256};

#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
type Standard = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
type Standard = base64::engine::GeneralPurpose;

/// The standard alphabet, by the widest instructions that this machine has.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
fn standard(config: GeneralPurposeConfig) -> Standard {
    Standard::standard(config)
}

/// The standard alphabet.
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
fn standard(config: GeneralPurposeConfig) -> Standard {
    Standard::new(&base64::alphabet::STANDARD, config)
}
