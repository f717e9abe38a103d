//! What a test can choose for both services: everything that their contract leaves open or marks `assumed` about
//! lists, records, errors and tokens (contract sections 2.2, 3.3, 3.7, 3.9, 4.7).

use serde::{Deserialize, Serialize};

choices! {
    /// How many records a page of a list has.
    PageSize {
        /// `per_page`, at most 100; 25 if it is not sent.
        Honoured,
        /// 25, whatever `per_page` says.
        Fixed25,
        /// 50, whatever `per_page` says.
        Fixed50,
        /// 100, whatever `per_page` says.
        Fixed100,
        /// All records on one page, whatever `per_page` says.
        All,
    }
}

impl PageSize {
    /// Records on a page; `asked` is `per_page`.
    pub(crate) fn size(self, asked: Option<usize>) -> usize {
        match self {
            Self::Honoured => asked.unwrap_or(25).clamp(1, 100),
            Self::Fixed25 => 25,
            Self::Fixed50 => 50,
            Self::Fixed100 => 100,
            Self::All => usize::MAX,
        }
    }
}

choices! {
    /// In which order a list comes when the request does not say.
    Order {
        /// The newest record first: one that is added meanwhile shifts every page.
        IdDescending,
        /// The oldest record first.
        IdAscending,
        /// The latest change first: a record that is edited meanwhile jumps to the first page.
        ChangeDescending,
        /// No recognisable order, but always the same.
        Scattered,
    }
}

choices! {
    /// What stands around a list.
    ListShape {
        /// Nothing: an array.
        Bare,
        /// `{"data": […]}`
        Data,
        /// `{"results": […]}`
        Results,
        /// The plural name, such as `{"clients": […]}`.
        Plural,
        /// An array, but `null` when there is nothing.
        NullWhenEmpty,
    }
}

choices! {
    /// What stands around a record.
    RecordShape {
        /// Nothing.
        Bare,
        /// Its name, such as `{"client": {…}}`.
        Wrapped,
    }
}

choices! {
    /// What a deletion answers.
    DeleteAnswer {
        /// The JSON text `"ok"`.
        Ok,
        /// Nothing.
        Empty,
        /// `null`
        Null,
        /// The record that is no more.
        Record,
    }
}

choices! {
    /// How an error inside 200 looks.
    ErrorInside {
        /// `{"code":"error","message":…}`
        Code,
        /// `{"status":"error","message":…}`
        Status,
    }
}

choices! {
    /// The body of a refusal.
    ErrorBody {
        /// `{"code":"error","message":…}`
        Family,
        /// A page.
        Html,
        /// `null`
        Null,
    }
}

choices! {
    /// What becomes of a field that the contract does not know.
    UnknownFields {
        /// Dropped, and named in [`Request::ignored`](super::Request::ignored).
        Dropped,
        /// Stored and given back; still named in [`Request::ignored`](super::Request::ignored).
        Kept,
    }
}

/// The settings that both services have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Wire {
    /// Every page is the first one.
    pub ignores_page: bool,
    /// Records on a page.
    pub page_size: PageSize,
    /// Order of lists.
    pub order: Order,
    /// Form of lists.
    pub list_shape: ListShape,
    /// Form of records.
    pub record_shape: RecordShape,
    /// Answer to a deletion.
    pub delete_answer: DeleteAnswer,
    /// Form of errors inside 200, of the service's own and of the faults `error_inside` and `act_then_error_inside`.
    pub error_inside: ErrorInside,
    /// Form of refusals.
    pub error_body: ErrorBody,
    /// Fields without a value are left out instead of being `null`.
    pub omits_nulls: bool,
    /// Whole numbers and booleans are written as text.
    pub scalars_as_text: bool,
    /// Unknown fields of a record that is written.
    pub unknown_fields: UnknownFields,
    /// `Authorization: Bearer` is taken.
    pub bearer: bool,
    /// The token is taken from body or query whatever the method; else POST and PUT with a body must carry it
    /// there, and everything else in the query.
    pub token_anywhere: bool,
    /// There is no such account: every call gets 422.
    pub no_account: bool,
    /// Calls that are served in a minute of the simulated clock; 429 for the rest.
    pub calls_per_minute: Option<usize>,
    /// Calls that are served at once; 429 for the rest.
    pub calls_at_once: Option<usize>,
    /// `Retry-After` of a 429 that one of these limits causes.
    pub retry_after: String,
    /// Hours east of Greenwich, of all times and days.
    pub time_offset_hours: i8,
    /// Digits of the fraction in times, 0 to 9.
    pub time_fraction_digits: u8,
    /// A second client with the same tax number is refused.
    pub refuses_duplicate_tax_no: bool,
    /// Longest body that is read, in bytes; 413 beyond.
    pub body_limit: u64,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            ignores_page: false,
            page_size: PageSize::default(),
            order: Order::default(),
            list_shape: ListShape::default(),
            record_shape: RecordShape::default(),
            delete_answer: DeleteAnswer::default(),
            error_inside: ErrorInside::default(),
            error_body: ErrorBody::default(),
            omits_nulls: false,
            scalars_as_text: false,
            unknown_fields: UnknownFields::default(),
            bearer: false,
            token_anywhere: false,
            no_account: false,
            calls_per_minute: None,
            calls_at_once: None,
            retry_after: "1".into(),
            time_offset_hours: 1,
            time_fraction_digits: 3,
            refuses_duplicate_tax_no: false,
            body_limit: 32 * 1024 * 1024,
        }
    }
}
