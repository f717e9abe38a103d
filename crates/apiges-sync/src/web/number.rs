//! Numbers that may come as text, and cursors that may come as numbers (contract R4).

use serde::{Deserialize, Deserializer, de};

#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(u64),
    Text(String),
}

impl Loose {
    fn number<E: de::Error>(self) -> Result<u64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map_err(|_| E::custom("not a whole number"))
            }
            Self::Text(_) => Err(E::custom("not a whole number")),
        }
    }
}

pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Loose::deserialize(deserializer)?.number()
}

pub(crate) fn read_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<Loose>::deserialize(deserializer)?.map(Loose::number).transpose()
}

/// A cursor or id: text, whatever it was.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Loose::deserialize(deserializer)? {
        Loose::Number(number) => number.to_string(),
        Loose::Text(text) => text,
    })
}

pub(crate) fn text_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Loose>::deserialize(deserializer)?.map(|loose| match loose {
        Loose::Number(number) => number.to_string(),
        Loose::Text(text) => text,
    }))
}

#[cfg(test)]
mod tests {
    #[derive(serde::Deserialize)]
    struct Probe {
        #[serde(deserialize_with = "super::read")]
        n: u64,
    }

    #[test]
    fn a_number_may_come_as_text_and_nothing_else_may() {
        let read = |json: &str| serde_json::from_str::<Probe>(json).map(|probe| probe.n).ok();
        assert_eq!((read(r#"{"n":7}"#), read(r#"{"n":"07"}"#)), (Some(7), Some(7)));
        for bad in [r#"{"n":"+7"}"#, r#"{"n":""}"#, r#"{"n":-1}"#, r#"{"n":1.5}"#, r#"{"n":null}"#, "{}"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
