//! What a test can choose about the simulated GeoSite: endpoints, shapes of answers, lives of tokens.
//!
//! Every row that the contract marks `assumed`, or where it says that several forms are met, is a setting here;
//! the first choice is the contract's default.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::feature::Feature;

/// An operation of GeoSite Telecom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /auth/generatetoken` (A1)
    Login,
    /// `POST /auth/refresh` (A2)
    Refresh,
    /// `POST /auth/token?username=&password=` (A4), off until [`Settings::legacy_auth`] is set
    LegacyLogin,
    /// `GET /{feature}/desc` (F1)
    Desc,
    /// `GET /{feature}/get?fid=` (F2)
    Get,
    /// `GET /{feature}/list` (F3)
    List,
    /// `GET /viabilidade/caixas` (V1)
    Boxes,
    /// `GET /viabilidade/facilidade` (V2)
    Facilities,
    /// `POST /rede/existe-lance-cabo` (V3)
    Cable,
    /// `POST /cliente/save` (L2, L3)
    Save,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 10] = [
        Self::Login,
        Self::Refresh,
        Self::LegacyLogin,
        Self::Desc,
        Self::Get,
        Self::List,
        Self::Boxes,
        Self::Facilities,
        Self::Cable,
        Self::Save,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::LegacyLogin => "legacy_login",
            Self::Desc => "desc",
            Self::Get => "get",
            Self::List => "list",
            Self::Boxes => "boxes",
            Self::Facilities => "facilities",
            Self::Cable => "cable",
            Self::Save => "save",
        }
    }
}

/// Where a fault strikes: an operation, of one feature or of any; in JSON `list` or `list/cto`.
///
/// ```
/// use integration_sandbox::geosite::{Endpoint, Feature, Spot};
///
/// assert_eq!("list/cto".parse::<Spot>(), Ok(Spot::from((Endpoint::List, Feature::Cto))));
/// assert_eq!(Spot::from(Endpoint::List).to_string(), "list");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Spot {
    pub(super) endpoint: Endpoint,
    pub(super) feature: Option<Feature>,
}

impl From<Endpoint> for Spot {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint, feature: None }
    }
}

impl From<(Endpoint, Feature)> for Spot {
    fn from((endpoint, feature): (Endpoint, Feature)) -> Self {
        Self { endpoint, feature: Some(feature) }
    }
}

impl From<Spot> for String {
    fn from(spot: Spot) -> Self {
        spot.to_string()
    }
}

impl TryFrom<String> for Spot {
    type Error = UnknownSpot;

    fn try_from(text: String) -> Result<Self, UnknownSpot> {
        text.parse()
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.feature {
            Some(feature) => write!(f, "{}/{}", self.endpoint.name(), feature.segment()),
            None => f.write_str(self.endpoint.name()),
        }
    }
}

impl FromStr for Spot {
    type Err = UnknownSpot;

    fn from_str(text: &str) -> Result<Self, UnknownSpot> {
        let (name, segment) = text.split_once('/').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let known = Endpoint::ALL.into_iter().find(|endpoint| endpoint.name() == name);
        let feature = segment.map(|segment| Feature::named(segment).ok_or(UnknownSpot)).transpose()?;
        known.map(|endpoint| Self { endpoint, feature }).ok_or(UnknownSpot)
    }
}

/// The text names no operation, or no feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an operation nor an operation and a feature, such as list or list/cto")]
pub struct UnknownSpot;

macro_rules! choices {
    ($(#[$about:meta])* $name:ident { $(#[$first_about:meta])* $first:ident, $($(#[$variant_about:meta])* $variant:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name {
            $(#[$first_about])*
            #[default]
            $first,
            $($(#[$variant_about])* $variant,)*
        }

        impl $name {
            /// Every choice; the first is the default.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant,)*];
        }
    };
}

choices! {
    /// How numbers are written (rule R5).
    Numbers {
        /// As JSON numbers.
        Number,
        /// As text.
        Text,
    }
}

choices! {
    /// How a value that is not there is written (rule R5).
    Absent {
        /// As `null`.
        Null,
        /// As `""`.
        EmptyText,
        /// The column is missing in that row.
        LeftOut,
    }
}

choices! {
    /// How `success` is written (rule R3).
    Success {
        /// `"true"`
        Text,
        /// `true`
        Bool,
        /// `1`
        Number,
        /// Not at all where the call succeeded.
        LeftOut,
    }
}

choices! {
    /// What stands around the record of F2 (rule R7).
    RecordShape {
        /// The record itself.
        Bare,
        /// `{"record":{…}}`
        Record,
        /// `{"records":[{…}]}`
        Records,
    }
}

choices! {
    /// What stands around the boxes of V1 (rule R4).
    BoxesShape {
        /// `{"success":"true","caixas":[…]}`
        Caixas,
        /// The array itself, as an older answer had it.
        Bare,
    }
}

choices! {
    /// What stands around the features of V2 (rule R4).
    FacilitiesShape {
        /// The array itself.
        Bare,
        /// Under `facilidades`.
        Facilidades,
        /// Under `records`.
        Records,
        /// Under `caixas`.
        Caixas,
    }
}

choices! {
    /// How F1 names a column.
    DescShape {
        /// `{"name":…,"alias":…}`
        Objects,
        /// The name as a text.
        Texts,
    }
}

choices! {
    /// How an unknown `fid` is answered.
    NotFound {
        /// 404 `{"success":"false"}`
        Status404,
        /// 200 `{"success":"false"}`
        Success,
    }
}

choices! {
    /// Which figures about ports a box of V1 carries (section 3.4, trap 13).
    PortFigures {
        /// All of the table, `qtdDisponivel` by its newer name.
        All,
        /// `qtdTotalDisponivel` instead of `qtdDisponivel`.
        OldAlias,
        /// Both names with the same number.
        Both,
        /// Both names; the older one says one more.
        BothDifferent,
        /// Only those of the splitters, and of them not the free ones.
        SplitterTotalAndOccupied,
        /// None.
        Unknown,
        /// `qtdDisponivel` below zero.
        Negative,
    }
}

choices! {
    /// What V1 and V2 say about an address that is not in the table.
    UnknownAddress {
        /// An empty list.
        Empty,
        /// `{"success":"false","mensagem":…}` with 200.
        Refused,
    }
}

/// Choices in force. Lives count from the moment of the answer, by the simulator's clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Life of a token in seconds.
    pub token_life: u64,
    /// Life of a refresh token in seconds.
    pub refresh_life: u64,
    /// Whether A2 answers a new refresh token; without it the old one goes on.
    pub renews_refresh_token: bool,
    /// Whether A4 and its `Bearer` tokens are served, beside A1 to A3.
    pub legacy_auth: bool,
    /// Seconds that the `Date` header is ahead of the simulator's clock; negative is behind.
    pub date_offset: i64,
    /// How `dataAlteracao` is written and what date-times in filters look like.
    pub change_literal_format: String,
    /// Zone of those date-times, in minutes ahead of UTC.
    pub change_zone_minutes: i32,
    /// Most rows that a page holds, whatever `limit` says.
    pub list_cap: Option<usize>,
    /// Longest query string in bytes, above which 414 is answered.
    pub query_limit: usize,
    /// Whether the parameter `start` is understood; otherwise it is ignored.
    pub start_supported: bool,
    /// Whether `fid > …` in a filter is refused with 400, so that only `start` can page.
    pub refuses_keyset: bool,
    /// Whether `caixaEmenda` holds the boxes of every type.
    pub every_box_in_splice: bool,
    /// How numbers in rows are written.
    pub numbers: Numbers,
    /// How `total` is written.
    pub total: Numbers,
    /// How a value that is not there is written.
    pub absent: Absent,
    /// How `success` is written.
    pub success: Success,
    /// Shape of F1's columns.
    pub desc: DescShape,
    /// Shape of F2.
    pub record: RecordShape,
    /// Answer for an unknown `fid`.
    pub not_found: NotFound,
    /// Shape of V1.
    pub boxes: BoxesShape,
    /// Shape of V2.
    pub facilities: FacilitiesShape,
    /// Figures about ports in V1.
    pub ports: PortFigures,
    /// Answer for an unknown address.
    pub unknown_address: UnknownAddress,
    /// Features that V1 counts as boxes.
    pub feasibility_features: Vec<Feature>,
    /// Whether a saved customer's document is checked.
    pub checks_documents: bool,
    /// Largest body in bytes that is read.
    pub body_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_life: 30 * 60,
            refresh_life: 30 * 24 * 60 * 60,
            renews_refresh_token: true,
            legacy_auth: false,
            date_offset: 0,
            change_literal_format: "yyyy-MM-dd HH:mm:ss".to_owned(),
            change_zone_minutes: -180,
            list_cap: None,
            query_limit: 6_000,
            start_supported: true,
            refuses_keyset: false,
            every_box_in_splice: false,
            numbers: Numbers::Number,
            total: Numbers::Number,
            absent: Absent::Null,
            success: Success::Text,
            desc: DescShape::Objects,
            record: RecordShape::Bare,
            not_found: NotFound::Status404,
            boxes: BoxesShape::Caixas,
            facilities: FacilitiesShape::Bare,
            ports: PortFigures::All,
            unknown_address: UnknownAddress::Empty,
            feasibility_features: vec![Feature::Cto, Feature::TerminadorOptico],
            checks_documents: true,
            body_limit: 1024 * 1024,
        }
    }
}
