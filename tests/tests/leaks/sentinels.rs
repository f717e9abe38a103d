//! The one set of sentinels of the leak tests: what must be printed, traced and stored nowhere.

/// In each of them, and in nothing else.
pub const MARK: &str = "S3NT1NEL";

pub const TOKEN: &str = "S3NT1NEL-token-0123456789abcdef";
pub const PASSWORD: &str = "S3NT1NEL-password/0123456789+abcd";
/// For `sugester`, whose tokens end in the account.
pub const ACCOUNT_TOKEN: &str = "S3NT1NEL-account-0123456789/acme";
pub const CALLBACK_URL: &str = "http://127.0.0.1:1/cb/S3NT1NEL-callback-0123456789abcdef";
pub const CALLBACK_KEY: &str = "S3NT1NEL-callback-key-0123456789";
/// 64 hex digits, which can hold no mark.
pub const HEX_KEY: &str = "5e0a71ce15e0a71ce15e0a71ce15e0a71ce15e0a71ce15e0a71ce15e0a71ce1f";
pub const PAIR_TAG: &str = "7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c3e7a6c";

/// Everything that lets somebody in. Escaped forms have the mark as well.
pub const CREDENTIALS: [&str; 3] = [MARK, HEX_KEY, PAIR_TAG];

/// What is known of people, and what they keep to themselves.
/// Who logs in.
pub const USER: &str = "pers0nal-user@example.com";
pub const PERSON: &str = "Pers0nal Ejemplo";
pub const EMAIL: &str = "pers0nal@example.com";
pub const PHONE: &str = "pers0nal-584121234567";
pub const REFERENCE: &str = "pers0nal-referencia";
pub const CLAVE: &str = "pers0nal-clave";
pub const WORDS: &str = "pers0nal words of a message";

/// In each of the personal ones, in one of two spellings.
pub const PERSONAL: [&str; 2] = ["Pers0nal", "pers0nal"];
