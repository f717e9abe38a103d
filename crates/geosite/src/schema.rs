//! What columns a feature has (contract 3.2, F1): read from `desc`, kept for an hour, matched without case.
//!
//! The rule enforced here: a name goes out exactly as `desc` has it and only if it is there once; what is missing is reported, and
//! never asked for.

use serde_json::Value;

use crate::error::{Problem, Route, keys_of};
use crate::feature::Feature;
use crate::wire::same;

/// A column of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// The name that calls use.
    pub name: String,
    /// The text for people; the name if there is none.
    pub alias: String,
}

/// The columns of one feature in one installation.
///
/// ```no_run
/// # async fn run(client: geosite::Client) -> Result<(), geosite::Error> {
/// use geosite::Feature;
///
/// let schema = client.schema(Feature::Cto).await?;
/// let chosen = schema.select(["fid", "nome", "bairro"]);
/// println!("asks for {:?}, which has no {:?}", chosen.columns, chosen.missing);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    feature: Feature,
    columns: Vec<Column>,
}

/// What of the wanted columns there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// As `desc` spells them, each once, in the order wanted.
    pub columns: Vec<String>,
    /// As they were wanted.
    pub missing: Vec<String>,
    /// Those that `desc` has more than once when case does not count.
    pub ambiguous: Vec<String>,
}

impl Schema {
    /// Reads the answer of F1.
    pub(crate) fn read(feature: Feature, value: &Value, route: &Route) -> Result<Self, Problem> {
        let list = value.get("columns").and_then(Value::as_array);
        let list = list.ok_or_else(|| route.shape(keys_of(value), "there is no list at `columns`"))?;
        let columns: Option<Vec<Column>> = list.iter().map(column).collect();
        match columns {
            None => Err(route.shape(keys_of(value), "a column is neither a text nor an object with `name`")),
            Some(columns) if columns.is_empty() => {
                Err(route.shape(keys_of(value), "the list at `columns` is empty"))
            }
            Some(columns) => Ok(Self { feature, columns }),
        }
    }

    /// Whose columns these are.
    #[must_use]
    pub const fn feature(&self) -> Feature {
        self.feature
    }

    /// All of them, in the service's order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(move |column| same(&column.name, name.trim()))
    }

    /// Whether there is such a column, without case.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// What of these columns there is.
    pub fn select<N: AsRef<str>>(&self, wanted: impl IntoIterator<Item = N>) -> Selection {
        let mut selection = Selection::default();
        for name in wanted {
            let name = name.as_ref();
            let found: Vec<&Column> = self.named(name).collect();
            let list = match found.as_slice() {
                [] => &mut selection.missing,
                [column] if selection.columns.contains(&column.name) => continue,
                [column] => {
                    selection.columns.push(column.name.clone());
                    continue;
                }
                _ => &mut selection.ambiguous,
            };
            list.push(name.to_owned());
        }
        selection
    }

    /// The one column of this name as `desc` spells it.
    pub(crate) fn resolve(&self, name: &str, route: &str) -> Result<&str, Problem> {
        let mut found = self.named(name);
        let (first, second) = (found.next(), found.next());
        match (first, second) {
            (Some(column), None) => Ok(&column.name),
            (None, _) => {
                Err(Problem::ColumnUnknown { route: route.to_owned(), columns: vec![name.to_owned()] })
            }
            _ => Err(Problem::AmbiguousColumn { route: route.to_owned(), column: name.to_owned() }),
        }
    }

    /// Columns that may hold the time of the last change, judged by their names. Only a proposal: a human sets the one.
    #[must_use]
    pub fn change_candidates(&self) -> Vec<&str> {
        let likely = |text: &str| {
            let text = crate::feature::fold(text);
            ["alterac", "atualiza", "modific", "change", "update"].iter().any(|word| text.contains(word))
        };
        let is_likely = |column: &&Column| likely(&column.name) || likely(&column.alias);
        self.columns.iter().filter(is_likely).map(|column| column.name.as_str()).collect()
    }
}

/// An object with `name`, or the name itself.
fn column(value: &Value) -> Option<Column> {
    let name = value.as_str().or_else(|| value.get("name")?.as_str())?.trim();
    if name.is_empty() || name.contains(',') || name.chars().any(char::is_control) {
        return None;
    }
    let alias = value.get("alias").and_then(Value::as_str).unwrap_or(name);
    Some(Column { name: name.to_owned(), alias: alias.to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Schema, Problem> {
        Schema::read(Feature::Cto, value, &Route { operation: "describe", text: "GET /cto/desc".into() })
    }

    #[test]
    fn columns_are_objects_or_texts() {
        let schema = read(&json!({"columns": [{"name": "fid", "alias": "Número", "x": 1}, "NOME"]})).unwrap();
        assert_eq!(schema.columns()[0], Column { name: "fid".into(), alias: "Número".into() });
        assert_eq!(schema.columns()[1], Column { name: "NOME".into(), alias: "NOME".into() });
    }

    #[test]
    fn what_is_no_description_is_an_error() {
        for value in [
            json!([]),
            json!({}),
            json!({"columns": []}),
            json!({"columns": {}}),
            json!({"columns": [1]}),
            json!({"columns": [{"alias": "x"}]}),
            json!({"columns": ["a,b"]}),
            json!({"columns": [""]}),
            json!({"records": ["fid"]}),
        ] {
            assert!(matches!(read(&value), Err(Problem::UnexpectedShape { .. })), "{value}");
        }
    }

    #[test]
    fn names_are_matched_without_case_and_missing_ones_told() {
        let schema = read(&json!({"columns": ["FID", "Nome", "obs", "OBS", "CÓDIGO"]})).unwrap();
        let chosen = schema.select(["fid", "nome", "fid", "bairro", "obs", "código"]);
        assert_eq!(chosen.columns, ["FID", "Nome", "CÓDIGO"]);
        assert_eq!((chosen.missing, chosen.ambiguous), (vec!["bairro".to_owned()], vec!["obs".to_owned()]));
        assert!(matches!(schema.resolve("obs", "r"), Err(Problem::AmbiguousColumn { .. })));
        assert!(matches!(schema.resolve("x", "r"), Err(Problem::ColumnUnknown { .. })));
        assert_eq!(schema.resolve("fid", "r"), Ok("FID"));
    }

    #[test]
    fn candidates_for_the_last_change_are_proposed() {
        let schema =
            read(&json!({"columns": ["fid", {"name": "dt2", "alias": "Última alteração"}, "updated_at"]}));
        assert_eq!(schema.unwrap().change_candidates(), ["dt2", "updated_at"]);
    }
}
