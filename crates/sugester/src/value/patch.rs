//! A field of an update: absent, `null` and a value are three things (issue 5; `PUT` is partial in both systems).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What an update does to one field.
///
/// Give every such field `#[serde(default, skip_serializing_if = "Patch::is_keep")]`.
///
/// ```
/// use serde::Serialize;
/// use sugester::value::Patch;
///
/// #[derive(Default, Serialize)]
/// struct Update {
///     #[serde(skip_serializing_if = "Patch::is_keep")]
///     name: Patch<String>,
///     #[serde(skip_serializing_if = "Patch::is_keep")]
///     note: Patch<String>,
///     #[serde(skip_serializing_if = "Patch::is_keep")]
///     phone: Patch<String>,
/// }
///
/// let update = Update { name: Patch::Set("Acme".into()), note: Patch::Clear, ..Update::default() };
/// assert_eq!(serde_json::to_string(&update)?, r#"{"name":"Acme","note":null}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Patch<T> {
    /// Not sent: the record keeps what it has.
    #[default]
    Keep,
    /// Sent as `null`: the record loses what it has.
    Clear,
    /// Sent with this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Whether nothing is sent.
    #[must_use]
    pub const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }

    /// The value to set, if there is one.
    #[must_use]
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }

    /// The same with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(change(value)),
        }
    }

    /// The field after the update, when it held `before`.
    pub fn apply(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// Sets.
impl<T> From<T> for Patch<T> {
    fn from(value: T) -> Self {
        Self::Set(value)
    }
}

/// Sets.
impl From<&str> for Patch<String> {
    fn from(text: &str) -> Self {
        Self::Set(text.to_owned())
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    /// `null` for [`Patch::Clear`], and for [`Patch::Keep`] where a struct forgot to skip it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Update {
        #[serde(default, skip_serializing_if = "Patch::is_keep")]
        name: Patch<String>,
    }

    #[test]
    fn three_states_survive_the_wire() {
        for (patch, json) in [
            (Patch::Keep, "{}"),
            (Patch::Clear, r#"{"name":null}"#),
            (Patch::Set("a".to_owned()), r#"{"name":"a"}"#),
        ] {
            let update = Update { name: patch };
            assert_eq!(serde_json::to_string(&update).unwrap(), json);
            assert_eq!(serde_json::from_str::<Update>(json).unwrap(), update);
        }
    }

    #[test]
    fn a_patch_keeps_clears_or_sets() {
        assert_eq!(Patch::Keep.apply(Some(1)), Some(1));
        assert_eq!(Patch::Clear.apply(Some(1)), None);
        assert_eq!(Patch::Set(2).apply(None), Some(2));
        assert_eq!(Patch::from(2).map(|n| n + 1), Patch::Set(3));
    }
}
