//! Which fields of a client are carried between both systems, as data that the caller can change (contract 4.2).
//!
//! The rule enforced here: what identifies, counts or protects a record on one side is never carried, however the mapping is made.

use integration_core::{Error, Fault, Faults};
use serde::{Deserialize, Serialize};

/// One of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// BitFactura, the invoicing.
    BitFactura,
    /// Sugester, the CRM.
    Sugester,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::BitFactura => Self::Sugester,
            Self::Sugester => Self::BitFactura,
        }
    }
}

/// Which way a field is carried.
///
/// On a one-way field the source has authority: its value replaces a different one on the other side, an edit there is reported as
/// a conflict. Values that only the target has stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both ways, by three-way compare.
    #[default]
    Both,
    /// From BitFactura to Sugester alone.
    ToSugester,
    /// From Sugester to BitFactura alone.
    ToBitFactura,
}

impl Direction {
    /// Whether values are written to `side`.
    #[must_use]
    pub const fn writes_to(self, side: Side) -> bool {
        matches!(
            (self, side),
            (Self::Both, _) | (Self::ToSugester, Side::Sugester) | (Self::ToBitFactura, Side::BitFactura)
        )
    }
}

/// How values of a field are compared and written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Trimmed.
    #[default]
    Text,
    /// Trimmed, in lower case.
    Email,
    /// Without trailing zeros; what is no decimal, as text.
    Decimal,
    /// Yes or no in every spelling; what is neither, as text.
    YesNo,
    /// The kind of a client: `both` counts as `buyer` and is sent as such.
    ClientKind,
}

/// One carried field.
///
/// ```
/// use sugester::sync::{Direction, FieldRule, Form};
///
/// let rule = FieldRule::same("note").renamed_in_sugester("description").one_way(Direction::ToSugester);
/// assert_eq!((rule.bitfactura(), rule.sugester(), rule.form()), ("note", "description", Form::Text));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRule {
    bitfactura: String,
    sugester: String,
    #[serde(default)]
    form: Form,
    #[serde(default)]
    direction: Direction,
}

impl FieldRule {
    /// A text field of one name on both sides, carried both ways.
    pub fn same(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { bitfactura: name.clone(), sugester: name, form: Form::Text, direction: Direction::Both }
    }

    /// The same under another name in Sugester.
    #[must_use]
    pub fn renamed_in_sugester(self, name: impl Into<String>) -> Self {
        Self { sugester: name.into(), ..self }
    }

    /// The same with values of another form.
    #[must_use]
    pub fn of_form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// The same, carried this way.
    #[must_use]
    pub fn one_way(self, direction: Direction) -> Self {
        Self { direction, ..self }
    }

    /// Its wire name in BitFactura, which is its key everywhere in this module.
    #[must_use]
    pub fn bitfactura(&self) -> &str {
        &self.bitfactura
    }

    /// Its wire name in Sugester.
    #[must_use]
    pub fn sugester(&self) -> &str {
        &self.sugester
    }

    /// Its wire name on a side.
    #[must_use]
    pub fn name_in(&self, side: Side) -> &str {
        match side {
            Side::BitFactura => &self.bitfactura,
            Side::Sugester => &self.sugester,
        }
    }

    /// How its values are compared and written.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Which way it is carried.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.direction
    }
}

/// The carried fields. The default is that of contract 4.2 (assumed): 24 fields of one name, both ways.
///
/// ```
/// use sugester::sync::{FieldRule, Mapping};
///
/// let mapping = Mapping::default().without("fax").with(FieldRule::same("swift").renamed_in_sugester("string1"))?;
/// assert_eq!(mapping.fields().len(), 24);
/// assert!(Mapping::default().with(FieldRule::same("shortcut")).is_err());
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<FieldRule>", into = "Vec<FieldRule>")]
pub struct Mapping(Vec<FieldRule>);

const TEXTS: [&str; 18] = [
    "name",
    "tax_no",
    "register_number",
    "first_name",
    "last_name",
    "street",
    "street_no",
    "post_code",
    "city",
    "country",
    "phone",
    "mobile_phone",
    "www",
    "fax",
    "note",
    "bank",
    "bank_account",
    "payment_to_kind",
];

impl Default for Mapping {
    fn default() -> Self {
        let formed = [
            ("company", Form::YesNo),
            ("kind", Form::ClientKind),
            ("email", Form::Email),
            ("discount", Form::Decimal),
            ("use_delivery_address", Form::YesNo),
            ("delivery_address", Form::Text),
        ];
        let formed = formed.into_iter().map(|(name, form)| FieldRule::same(name).of_form(form));
        Self(TEXTS.into_iter().map(FieldRule::same).chain(formed).collect())
    }
}

impl Mapping {
    /// A mapping of these fields.
    ///
    /// # Errors
    ///
    /// A validation error with every fault: a name that is empty, that stands twice on one side, or that must never be carried.
    pub fn new(fields: Vec<FieldRule>) -> Result<Self, Error> {
        let mut faults = Faults::new();
        for (place, rule) in fields.iter().enumerate() {
            for side in [Side::BitFactura, Side::Sugester] {
                let earlier =
                    fields.iter().take(place).any(|other| other.name_in(side) == rule.name_in(side));
                faults.extend(
                    complaint(rule.name_in(side), earlier).map(|hint| fault(place, rule, side, hint)),
                );
            }
        }
        faults.into_result("map the fields of a client")?;
        Ok(Self(fields))
    }

    /// The same with one more field; a field of the same name in BitFactura is replaced.
    ///
    /// # Errors
    ///
    /// Those of [`Mapping::new`].
    pub fn with(self, rule: FieldRule) -> Result<Self, Error> {
        let mut fields = self.without(&rule.bitfactura).0;
        fields.push(rule);
        Self::new(fields)
    }

    /// The same without the field of this name in BitFactura.
    #[must_use]
    pub fn without(mut self, bitfactura: &str) -> Self {
        self.0.retain(|rule| rule.bitfactura != bitfactura);
        self
    }

    /// The same with every field carried this way alone, as in the first full synchronisation (contract 4.4). Fields that went the
    /// other way alone are left out.
    #[must_use]
    pub fn all_one_way(mut self, direction: Direction) -> Self {
        self.0.retain(|rule| rule.direction == Direction::Both || rule.direction == direction);
        Self(self.0.into_iter().map(|rule| rule.one_way(direction)).collect())
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &[FieldRule] {
        &self.0
    }
}

impl TryFrom<Vec<FieldRule>> for Mapping {
    type Error = Error;

    fn try_from(fields: Vec<FieldRule>) -> Result<Self, Error> {
        Self::new(fields)
    }
}

impl From<Mapping> for Vec<FieldRule> {
    fn from(mapping: Mapping) -> Self {
        mapping.0
    }
}

fn fault(place: usize, rule: &FieldRule, side: Side, hint: &'static str) -> Fault {
    let side_name = if side == Side::BitFactura { "bitfactura" } else { "sugester" };
    Fault::error("MAPPING", format!("fields[{place}].{side_name}"))
        .with_actual(rule.name_in(side))
        .with_hint(hint)
}

fn complaint(name: &str, stands_earlier: bool) -> Option<&'static str> {
    match name {
        "" => Some("a field needs its wire name"),
        _ if stands_earlier => Some("a field is carried once on each side"),
        _ if is_never_carried(name) => Some("ids, tokens, times, counters and passwords are never carried"),
        _ => None,
    }
}

/// What contract 4.2 excludes, but for custom fields: a caller who names one has chosen it.
fn is_never_carried(name: &str) -> bool {
    const NEVER: [&str; 17] = [
        "id",
        "ids",
        "token",
        "api_token",
        "shortcut",
        "external_id",
        "external_ids",
        "balance",
        "position",
        "deleted",
        "paid_from",
        "paid_to",
        "paid_total",
        "last_activity",
        "panel_url",
        "skip_webhooks",
        "fuid",
    ];
    NEVER.contains(&name)
        || ["_id", "_at", "_count", "_ids"].iter().any(|end| name.ends_with(end))
        || ["password", "avatar_"].iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_that_of_the_contract() {
        let mut contract: Vec<&str> = "name, tax_no, register_number, company, kind, first_name, last_name, street, \
            street_no, post_code, city, country, email, phone, mobile_phone, www, fax, note, bank, bank_account, \
            discount, payment_to_kind, use_delivery_address, delivery_address"
            .split(',')
            .map(str::trim)
            .collect();
        let mapping = Mapping::default();
        let mut fields: Vec<&str> = mapping.fields().iter().map(FieldRule::bitfactura).collect();
        contract.sort_unstable();
        fields.sort_unstable();
        assert_eq!(fields, contract);
        assert!(Mapping::new(mapping.0).is_ok());
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let bad =
            ["id", "creator_id", "created_at", "posts_count", "password_hash", "shortcut", "balance", ""];
        let mut rules: Vec<FieldRule> =
            bad.into_iter().map(|name| FieldRule::same("x").renamed_in_sugester(name)).collect();
        rules.push(FieldRule::same("name").renamed_in_sugester("y"));
        let error = Mapping::new(rules).unwrap_err();
        // Eight names on one side, seven repetitions of `x` on the other.
        assert_eq!(error.faults().len(), 15);
        assert_eq!(error.faults()[0].path(), "fields[0].sugester");
    }

    #[test]
    fn a_mapping_is_read_from_a_settings_file() {
        let text = r#"[{"bitfactura":"note","sugester":"description","direction":"to_sugester"}]"#;
        let mapping: Mapping = serde_json::from_str(text).unwrap();
        assert_eq!(mapping.fields()[0].direction(), Direction::ToSugester);
        assert_eq!(
            serde_json::from_str::<Mapping>(&serde_json::to_string(&mapping).unwrap()).unwrap(),
            mapping
        );
        assert!(serde_json::from_str::<Mapping>(r#"[{"bitfactura":"id","sugester":"id"}]"#).is_err());
    }

    #[test]
    fn a_whole_mapping_can_go_one_way() {
        let mapping =
            Mapping::default().with(FieldRule::same("fax").one_way(Direction::ToBitFactura)).unwrap();
        let one_way = mapping.all_one_way(Direction::ToSugester);
        assert_eq!(one_way.fields().len(), 23);
        assert!(one_way.fields().iter().all(|rule| !rule.direction().writes_to(Side::BitFactura)));
    }
}
