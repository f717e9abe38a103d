//! Open enums: what a contract lists has a name, everything else is kept as it came.
//!
//! The rule enforced here (promise 3 of the design): no value of a service is lost or taken for another because a client is older
//! than it. Clients write their enums with [`open_enum!`](crate::open_enum); how they go back to the service is one of two promises:
//!
//! | form | a value that is not listed |
//! |---|---|
//! | `Name { … }` | goes back as it came; made from any text by `From` and `serde` |
//! | `guarded Name { … }` | is known from an answer only; to send one takes the word `unchecked`, and the client asks [`Unlisted::is_sendable`] |

use std::fmt;
use std::hash::{Hash, Hasher};

/// What [`open_enum!`](crate::open_enum) writes into other crates.
#[doc(hidden)]
pub use serde as __serde;

/// A value that the contract does not list. Only the enum it stands in makes one, so that no listed value hides in it.
///
/// ```
/// integration_core::open_enum! {
///     /// A colour.
///     Colour {
///         /// Red.
///         Red = "red",
///     }
/// }
///
/// let Colour::Other(unlisted) = Colour::from("blue") else { return };
/// assert_eq!(unlisted.as_str(), "blue");
/// ```
#[derive(Clone)]
pub struct Unlisted {
    text: String,
    sendable: bool,
}

impl Unlisted {
    #[doc(hidden)]
    #[must_use]
    pub fn __new(text: String, sendable: bool) -> Self {
        Self { text, sendable }
    }

    /// The value as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it may be sent. In a guarded enum only what was made by `unchecked` may: a value read from an answer may not.
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

impl fmt::Display for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// Where it came from is no part of what it is.
impl PartialEq for Unlisted {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Unlisted {}

impl Hash for Unlisted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for Unlisted {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Unlisted {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

/// A public enum over wire texts with a last variant, `Other`, for everything else; for clients of one service each.
///
/// Either form has `LISTED`, `from_wire`, `as_str`, `is_listed`, `Display`, order and hash by the text of what is not listed.
/// Texts are compared as they are, so that each listed value has one spelling.
///
/// ```
/// integration_core::open_enum! {
///     /// The state of an order.
///     OrderState {
///         /// Open.
///         Open = "open",
///         /// Closed.
///         Closed = "closed",
///     }
/// }
///
/// assert_eq!(OrderState::from("open"), OrderState::Open);
/// let later: OrderState = serde_json::from_str("\"from_the_future\"")?;
/// assert_eq!(serde_json::to_string(&later)?, "\"from_the_future\"");
///
/// integration_core::open_enum! {
///     /// How a signer proves who they are.
///     guarded Proof {
///         /// By a mail.
///         Mail = "mail",
///     }
/// }
///
/// let Proof::Other(read) = Proof::from_wire("oath") else { panic!("not listed") };
/// let Proof::Other(given) = Proof::unchecked("oath") else { panic!("not listed") };
/// assert_eq!((read.is_sendable(), given.is_sendable()), (false, true));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[macro_export]
macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $wire:literal,)+ }) => {
        $crate::open_enum! { @enum true; $(#[$meta])* $name { $($(#[$doc])* $variant = $wire,)+ } }

        impl ::std::convert::From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::from_wire(text)
            }
        }

        impl ::std::convert::From<::std::string::String> for $name {
            fn from(text: ::std::string::String) -> Self {
                Self::from_wire(&text)
            }
        }

        impl $crate::body::open::__serde::Serialize for $name {
            fn serialize<S: $crate::body::open::__serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::body::open::__serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::body::open::__serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                <::std::string::String as $crate::body::open::__serde::Deserialize>::deserialize(deserializer)
                    .map(Self::from)
            }
        }
    };
    ($(#[$meta:meta])* guarded $name:ident { $($(#[$doc:meta])* $variant:ident = $wire:literal,)+ }) => {
        $crate::open_enum! { @enum false; $(#[$meta])* $name { $($(#[$doc])* $variant = $wire,)+ } }

        impl $name {
            /// A value to send although the contract does not list it: no rule of this crate protects such a call.
            pub fn unchecked(text: impl ::std::convert::Into<::std::string::String>) -> Self {
                let text = text.into();
                match Self::from_wire(&text) {
                    Self::Other(_) => Self::Other($crate::body::open::Unlisted::__new(text, true)),
                    listed => listed,
                }
            }
        }
    };
    (@enum $sendable:literal; $(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident = $wire:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A value that the contract does not list, kept unchanged.
            Other($crate::body::open::Unlisted),
        }

        impl $name {
            /// Every listed value.
            pub const LISTED: &'static [Self] = &[$(Self::$variant,)+];

            /// The value of an answer; unknown ones are kept.
            #[must_use]
            pub fn from_wire(text: &str) -> Self {
                match text {
                    $($wire => Self::$variant,)+
                    other => Self::Other($crate::body::open::Unlisted::__new(other.to_owned(), $sendable)),
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

            /// Whether the contract lists it.
            #[must_use]
            pub const fn is_listed(&self) -> bool {
                !matches!(self, Self::Other(_))
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

#[cfg(test)]
// The macro writes public enums, and these are nobody's.
#[allow(unreachable_pub, dead_code)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    open_enum! {
        /// Goes back.
        Free {
            /// One.
            One = "one",
            /// Two.
            Two = "two-2",
        }
    }

    open_enum! {
        /// Takes a word to be sent.
        guarded Guarded {
            /// One.
            One = "one",
        }
    }

    fn is_sendable(value: &Guarded) -> Option<bool> {
        match value {
            Guarded::One => None,
            Guarded::Other(unlisted) => Some(unlisted.is_sendable()),
        }
    }

    #[test]
    fn listed_values_have_one_spelling() {
        assert_eq!(Free::LISTED, [Free::One, Free::Two]);
        assert_eq!((Free::from("two-2"), Free::from("two-2".to_owned())), (Free::Two, Free::Two));
        assert!(Free::Two.is_listed() && !Free::from("Two-2").is_listed());
    }

    #[test]
    fn what_was_read_is_guarded_and_what_was_asked_for_is_not() {
        assert_eq!(is_sendable(&Guarded::from_wire("x")), Some(false));
        assert_eq!(is_sendable(&Guarded::unchecked("x")), Some(true));
        assert_eq!(is_sendable(&Guarded::unchecked("one")), None);
        assert!(matches!(Free::from("x"), Free::Other(unlisted) if unlisted.is_sendable()));
    }

    #[test]
    fn where_a_value_came_from_is_no_part_of_it() {
        let both = [Guarded::from_wire("x"), Guarded::unchecked("x")];
        assert_eq!(both[0], both[1]);
        assert_eq!(both[0].cmp(&both[1]), std::cmp::Ordering::Equal);
        assert_eq!(both.iter().collect::<HashSet<_>>().len(), 1);
        assert_eq!(format!("{:?} {}", both[0], both[1]), "Other(\"x\") x");
    }

    proptest! {
        #[test]
        fn any_text_goes_back_as_it_came(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            let read: Free = serde_json::from_str(&quoted).unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), quoted);
            prop_assert_eq!(Guarded::from_wire(&text).to_string(), text);
        }
    }
}
