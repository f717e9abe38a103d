//! Everything that the contract assumes about layer A, in one value (contract M1, 2.1, 3.3).
//!
//! **None of this is the vendor's protocol.** It is what this crate and its sandbox assume where nothing is public; change what the
//! installation at hand does differently.

use std::time::Duration;

use http::HeaderName;
use integration_core::Fault;

/// How user and password travel in `GET /login` (contract 2.1; unknown to the public).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginStyle {
    /// `Authorization: Basic`.
    BasicHeader,
    /// In two headers of these names.
    Headers {
        /// Of the user's header.
        user: String,
        /// Of the password's header.
        password: String,
    },
    /// In the address, as two parameters of these names. **Servers and proxies on the way log addresses**; this crate redacts them in
    /// everything that it prints (trap 3).
    Query {
        /// Of the user's parameter.
        user: String,
        /// Of the password's parameter.
        password: String,
    },
}

/// The names in the body of a search (contract 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct SearchBody {
    /// Of the list of conditions: `filtros`.
    pub filters: String,
    /// Of the field that a condition is about: `campo`.
    pub field: String,
    /// Of its comparison: `filtro`.
    pub comparison: String,
    /// Of its values: `valores`.
    pub values: String,
}

/// Every assumption about layer A, with the contract's defaults.
///
/// ```
/// use apiges_sync::{Assumptions, LoginStyle};
///
/// let mut assumptions = Assumptions::default();
/// assumptions.login_style = LoginStyle::Headers { user: "usuario".into(), password: "clave".into() };
/// assert_eq!(assumptions.token_life.as_secs(), 23 * 3600);
/// assert!(!assumptions.searches_are_complete);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assumptions {
    /// How user and password travel: `BasicHeader`.
    pub login_style: LoginStyle,
    /// When a token that does not tell its end is renewed: 23 hours after the login.
    pub token_life: Duration,
    /// How long before its end a token that tells it (`exp`) is renewed: 5 minutes.
    pub renewal_margin: Duration,
    /// How long a login that was refused blocks further ones: 30 seconds. Not of the contract: it saves the account from being locked.
    pub login_pause: Duration,
    /// The names in the body of a search.
    pub search_body: SearchBody,
    /// Whether an answer of a search holds everything that matches; unset, its completeness is unknown and nothing may be concluded
    /// from what is not in it (trap 25).
    pub searches_are_complete: bool,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            login_style: LoginStyle::BasicHeader,
            token_life: Duration::from_secs(23 * 3600),
            renewal_margin: Duration::from_secs(5 * 60),
            login_pause: Duration::from_secs(30),
            search_body: SearchBody {
                filters: "filtros".into(),
                field: "campo".into(),
                comparison: "filtro".into(),
                values: "valores".into(),
            },
            searches_are_complete: false,
        }
    }
}

impl Assumptions {
    /// What cannot work.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let body = &self.search_body;
        let names = [
            ("search_body.filters", &body.filters),
            ("search_body.field", &body.field),
            ("search_body.comparison", &body.comparison),
            ("search_body.values", &body.values),
        ];
        let empty = |(path, name): (&'static str, &String)| {
            name.is_empty().then(|| Fault::error("ASSUMPTION", path).with_expected("a name"))
        };
        let life = self.token_life.is_zero();
        let life = life.then(|| Fault::error("ASSUMPTION", "token_life").with_expected("more than 0"));
        names.into_iter().filter_map(empty).chain(life).chain(self.login_style.faults()).collect()
    }
}

impl LoginStyle {
    fn faults(&self) -> Vec<Fault> {
        let wrong = |path: &'static str, expected: &'static str, is_wrong: bool| {
            is_wrong.then(|| Fault::error("ASSUMPTION", path).with_expected(expected))
        };
        let header = |name: &String| name.parse::<HeaderName>().is_err();
        let faults = match self {
            Self::BasicHeader => [None, None],
            Self::Headers { user, password } => [
                wrong("login_style.user", "a header's name", header(user)),
                wrong(
                    "login_style.password",
                    "another header's name",
                    header(password) || user.eq_ignore_ascii_case(password),
                ),
            ],
            Self::Query { user, password } => [
                wrong("login_style.user", "a parameter's name", user.is_empty()),
                wrong(
                    "login_style.password",
                    "another parameter's name",
                    password.is_empty() || user == password,
                ),
            ],
        };
        faults.into_iter().flatten().collect()
    }
}
