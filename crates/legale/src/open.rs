//! Open enums: what the contract lists has a name, everything else is kept as it came and handed on unchanged (contract 3.8).
//! A value that was only ever read is not sent back by accident: sending one that is not listed takes the word `unchecked`.

use std::fmt;

/// A value that the contract does not list.
#[derive(Clone)]
pub struct Unlisted {
    text: String,
    sendable: bool,
}

impl Unlisted {
    pub(crate) fn read(text: &str) -> Self {
        Self { text: text.to_owned(), sendable: false }
    }

    pub(crate) fn unchecked(text: String) -> Self {
        Self { text, sendable: true }
    }

    /// The value as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the caller asked for it by `unchecked`; a value read from an answer may not be sent.
    #[must_use]
    pub fn is_sendable(&self) -> bool {
        self.sendable
    }
}

impl fmt::Debug for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

// Where it came from is no part of what it is.
impl PartialEq for Unlisted {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Unlisted {}

impl std::hash::Hash for Unlisted {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// An enum over wire texts with a last variant for everything else.
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $wire:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A value that the contract does not list, kept unchanged.
            Other($crate::open::Unlisted),
        }

        impl $name {
            /// Every listed value.
            pub const LISTED: &'static [Self] = &[$(Self::$variant,)+];

            /// The value of an answer; unknown ones are kept.
            #[must_use]
            pub fn from_wire(text: &str) -> Self {
                match text {
                    $($wire => Self::$variant,)+
                    other => Self::Other($crate::open::Unlisted::read(other)),
                }
            }

            /// A value to send although the contract does not list it: no rule of this crate protects such a call.
            pub fn unchecked(text: impl Into<String>) -> Self {
                let text = text.into();
                match Self::from_wire(&text) {
                    Self::Other(_) => Self::Other($crate::open::Unlisted::unchecked(text)),
                    listed => listed,
                }
            }

            /// The text on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)+
                    Self::Other(unlisted) => unlisted.as_str(),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use open_enum;
