//! What a test can choose about the simulated case-management program: operations, ways to log in, shapes of answers.
//!
//! Every row of layer A that the contract marks `assumed` is a setting here; the first choice is its default.

use serde::{Deserialize, Serialize};

/// A group of routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// `GET /login`
    Login,
    /// `GET /contactos/{id}`
    Contact,
    /// `GET /contactos/{id}/…`
    ContactPart,
    /// `POST /contactos/search`
    SearchContacts,
    /// Every other POST and PUT below `/contactos`
    SaveContact,
    /// `GET /expedientes/{id}`
    File,
    /// `GET /expedientes/{id}/…`, graphics and annotations excepted
    FilePart,
    /// `GET /expedientes/{id}/graficos`
    Graphics,
    /// `GET /expedientes/{id}/anotaciones`
    Annotations,
    /// `POST /expedientes/search`
    SearchFiles,
    /// `POST /expedientes/actos/search` and `/expedientes/tareas/search`
    SearchParts,
    /// Every other POST and PUT below `/expedientes`
    SaveFile,
    /// The catalogues of section 3.3
    Catalogue,
    /// Everything below `/facturas/recibidas`
    Invoice,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 14] = [
        Self::Login,
        Self::Contact,
        Self::ContactPart,
        Self::SearchContacts,
        Self::SaveContact,
        Self::File,
        Self::FilePart,
        Self::Graphics,
        Self::Annotations,
        Self::SearchFiles,
        Self::SearchParts,
        Self::SaveFile,
        Self::Catalogue,
        Self::Invoice,
    ];
}

choices! {
    /// How the credentials travel in `GET /login` (section 2.1).
    LoginStyle {
        /// `Authorization: Basic …`
        BasicHeader,
        /// Headers, by default `user` and `password`.
        Headers,
        /// Parameters of the URL, by default `user` and `password`.
        Query,
    }
}

choices! {
    /// Where the token sits in the answer of `GET /login` (section 2.1).
    TokenPlace {
        /// `data.token`
        Token,
        /// `data` itself is the token.
        Data,
        /// `data.accessToken`
        AccessToken,
        /// `data.access_token`
        AccessTokenSnake,
        /// `data.token` that begins with `Bearer `.
        BearerToken,
        /// `data.jwt`, which no reading of the contract accepts.
        Elsewhere,
    }
}

choices! {
    /// What `data` of a POST that creates something is.
    IdShape {
        /// The number.
        Number,
        /// `{"id":…}`
        Object,
        /// The number as text.
        Text,
    }
}

/// Choices in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// How the credentials travel.
    pub login_style: LoginStyle,
    /// Name of the user's header or parameter.
    pub user_name: String,
    /// Name of the password's header or parameter.
    pub password_name: String,
    /// Where the token sits.
    pub token_place: TokenPlace,
    /// Life of a token in seconds, by the simulator's clock.
    pub token_life: u64,
    /// Whether the token says when it ends (`exp`).
    pub token_says_end: bool,
    /// Whether errors are HTTP 200 around an inner status.
    pub inner_errors: bool,
    /// What a creation answers.
    pub created_id: IdShape,
    /// Most rows that a search answers, silently: paging is unknown.
    pub search_cap: Option<usize>,
    /// Name of the hidden flag of a document; an assumption of the contract (B2).
    pub hidden_field: String,
    /// Whether documents carry their bytes, base64 in `contenido`.
    pub document_contents: bool,
    /// Whether `numero…` fields and ids are written as text, which R4 allows.
    pub ids_as_text: bool,
    /// Seconds that the `Date` header is ahead of the simulator's clock; negative is behind.
    pub date_offset: i64,
    /// Largest body in bytes that is read.
    pub body_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            login_style: LoginStyle::BasicHeader,
            user_name: "user".to_owned(),
            password_name: "password".to_owned(),
            token_place: TokenPlace::Token,
            token_life: 24 * 60 * 60,
            token_says_end: true,
            inner_errors: false,
            created_id: IdShape::Number,
            search_cap: None,
            hidden_field: "oculto".to_owned(),
            document_contents: false,
            ids_as_text: false,
            date_offset: 0,
            body_limit: 32 * 1024 * 1024,
        }
    }
}
