//! The columns of each feature, which differ from installation to installation (contract sections 3.3 and 3.9).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::feature::Feature;

/// Where the values of a column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The element's number.
    Fid,
    /// Such as `CTO-000042`.
    Code,
    /// What people call it.
    Name,
    /// Degrees.
    Latitude,
    /// Degrees.
    Longitude,
    /// `POINT (lon lat)`
    Geometry,
    /// When it was last changed.
    Changed,
    /// Street and number.
    Street,
    /// Of a splitter: `Atendimento` or `Distribuição`.
    Role,
    /// Of a splitter: the `fid` of its box.
    Box,
    /// Of a splitter: how many ports it has.
    Ports,
    /// Of a box: 1 to 5.
    BoxType,
    /// Of a box or a cable: fibres or ports.
    Capacity,
    /// Of a customer: CPF or CNPJ.
    Document,
    /// Of a customer: the contract.
    Contract,
    /// Of a customer: the `fid` of his splitter.
    Splitter,
    /// Of a customer: the port, from 1.
    Port,
}

/// What kind of literal a column is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Time,
    /// As the values happen to be.
    Any,
}

/// Identifies the values of a column, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) enum Key {
    Known(Source),
    /// The n-th column that a test added.
    Added(u32),
}

/// A name or a number, so that it can be a key in JSON.
impl From<Key> for String {
    fn from(key: Key) -> Self {
        match key {
            Key::Known(source) => crate::crm::desk::name_of(&source),
            Key::Added(number) => number.to_string(),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        match text.parse() {
            Ok(number) => Ok(Self::Added(number)),
            Err(_) => serde_json::from_value(Value::String(text)).map(Self::Known),
        }
    }
}

impl Key {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Added(_) => Kind::Any,
            Self::Known(Source::Changed) => Kind::Time,
            Self::Known(
                Source::Code
                | Source::Name
                | Source::Street
                | Source::Geometry
                | Source::Role
                | Source::Document,
            ) => Kind::Text,
            Self::Known(_) => Kind::Number,
        }
    }
}

/// A column to be added to a feature by [`GeoSite::add_column`](super::GeoSite::add_column).
///
/// ```
/// use integration_sandbox::geosite::{Column, Source};
///
/// let constant = Column::new("statusProjeto").alias("Status").value("Implantado");
/// let street = Column::new("LOGRADOURO").source(Source::Street);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub(super) name: String,
    #[serde(default)]
    pub(super) alias: Option<String>,
    #[serde(default)]
    pub(super) source: Option<Source>,
    #[serde(default)]
    pub(super) value: Value,
}

impl Column {
    /// A column that is null in every row until elements are edited.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), alias: None, source: None, value: Value::Null }
    }

    /// The human text in `desc`; the name if there is none.
    #[must_use]
    pub fn alias(mut self, alias: impl Into<String>) -> Self {
        self.alias = Some(alias.into());
        self
    }

    /// Takes the values that another column may show too.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// The same value in every row that was not edited.
    #[must_use]
    pub fn value(mut self, value: impl Into<Value>) -> Self {
        self.value = value.into();
        self
    }
}

/// A column as a feature has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) key: Key,
    /// Of an added column.
    pub(super) value: Value,
}

/// The columns of one feature.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Schema {
    pub(super) columns: Vec<Described>,
    added: u32,
}

impl Schema {
    /// The columns of section 3.9.
    pub(super) fn of(feature: Feature) -> Self {
        use Source::*;
        let mut columns = vec![
            ("fid", "Identificador", Fid),
            ("codigo", "Código", Code),
            ("nome", "Nome", Name),
            ("latitude", "Latitude", Latitude),
            ("longitude", "Longitude", Longitude),
            ("dataAlteracao", "Data de alteração", Changed),
        ];
        let more: &[(&str, &str, Source)] = match feature {
            Feature::Splitter => &[
                ("tipo", "Tipo", Role),
                ("fidCaixaEmenda", "Caixa", Box),
                ("qtdPortas", "Quantidade de portas", Ports),
            ],
            Feature::Cliente => &[
                ("documento", "CPF/CNPJ", Document),
                ("contrato", "Contrato", Contract),
                ("fidSplitter", "Splitter", Splitter),
                ("porta", "Porta", Port),
            ],
            _ if feature.is_box() => &[
                ("fidTipoCaixaEmenda", "Tipo de caixa", BoxType),
                ("capacidade", "Capacidade", Capacity),
                ("geometry", "Geometria", Geometry),
            ],
            _ => &[],
        };
        columns.extend_from_slice(more);
        let described = |(name, alias, source): (&str, &str, Source)| Described {
            name: name.to_owned(),
            alias: alias.to_owned(),
            key: Key::Known(source),
            value: Value::Null,
        };
        Self { columns: columns.into_iter().map(described).collect(), added: 0 }
    }

    /// Names are matched without case.
    pub(super) fn find(&self, name: &str) -> Option<&Described> {
        let lower = name.to_lowercase();
        self.columns.iter().find(|column| column.name.to_lowercase() == lower)
    }

    /// `false` if there is no such column.
    pub(super) fn rename(&mut self, name: &str, to: &str) -> bool {
        let lower = name.to_lowercase();
        let found = self.columns.iter_mut().find(|column| column.name.to_lowercase() == lower);
        found.map(|column| column.name = to.to_owned()).is_some()
    }

    /// `false` if there is no such column.
    pub(super) fn drop(&mut self, name: &str) -> bool {
        let (before, lower) = (self.columns.len(), name.to_lowercase());
        self.columns.retain(|column| column.name.to_lowercase() != lower);
        self.columns.len() < before
    }

    /// Two columns of one name, or of names that differ in case only, are allowed: installations have them.
    pub(super) fn add(&mut self, column: Column) {
        let key = column.source.map_or(Key::Added(self.added), Key::Known);
        self.added += 1;
        let alias = column.alias.unwrap_or_else(|| column.name.clone());
        self.columns.push(Described { alias, name: column.name, key, value: column.value });
    }
}
