//! A contact's grant as it travels, and what is asked and answered about it (contract 3.6, W10-W17).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::contact::ContactRef;
use super::id::{PreviewId, Sha256};
use super::number;
use crate::grant::PairTag;
use crate::language::Lang;
use integration_core::open_enum;

open_enum! {
    /// The state of a grant at the portal; drafts are local and revoked grants are gone (N2).
    GrantState {
        /// Its viewer sees what it opens.
        Active = "active",
        /// Its viewer sees nothing; the data stays.
        Suspended = "suspended",
    }
}

open_enum! {
    /// A box of the grant: ticked, its field is shown (S4, N3). A box that this crate does not know shows nothing.
    FieldBox {
        /// Referencia 1.
        Referencia1 = "referencia1",
        /// Referencia 2.
        Referencia2 = "referencia2",
        /// Referencia 3.
        Referencia3 = "referencia3",
        /// Clave: the key of the case file.
        Clave = "clave",
    }
}

open_enum! {
    /// What becomes of a file that is closed (step 3 of 4.3). Whatever is not `keep` withdraws.
    ClosedCases {
        /// It is withdrawn.
        Withdraw = "withdraw",
        /// It stays visible.
        Keep = "keep",
    }
}

/// Whose files a grant opens. Another scope than these is an error of the answer: nobody could say what it opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Scope {
    /// Those of the contact itself.
    #[default]
    Own,
    /// Those of every member that the group has now (N5).
    Group {
        /// The group, as the firm names it.
        group: String,
    },
}

/// A grant's part in a union: tag of the pair, and the preview that was confirmed (N6, N7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminPair {
    /// What the pair comes to; neither code nor key can be had from it.
    pub pair_tag: PairTag,
    /// The preview in which the members of the union were shown.
    pub preview_id: PreviewId,
}

/// A contact's grant as the portal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Whose it is.
    pub contact: ContactRef,
    /// The contact's numeric id: its identity, where the code is an alias.
    #[serde(deserialize_with = "number::read")]
    pub contact_id: u64,
    /// Whether it opens anything at all.
    pub state: GrantState,
    /// Its version; the first is 1. 0 in a grant that was never stored.
    #[serde(deserialize_with = "number::read")]
    pub version: u64,
    /// Whose files it opens.
    pub scope: Scope,
    /// The ticked boxes.
    pub show: BTreeSet<FieldBox>,
    /// The modalities that it does not open.
    pub excluded_modalities: BTreeSet<String>,
    /// The union that it belongs to.
    pub admin: Option<AdminPair>,
    /// What becomes of closed files.
    pub closed_cases: ClosedCases,
    /// The language of descriptions in its views.
    pub lang: Lang,
}

/// Answer of W10.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantPage {
    /// The grants of this page.
    pub items: Vec<Grant>,
    /// Where the next page begins; nothing at the end.
    #[serde(deserialize_with = "number::text_option")]
    pub next: Option<String>,
}

/// Body of W13.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantVersion {
    /// The version that is changed.
    #[serde(deserialize_with = "number::read")]
    pub version: u64,
}

/// Answer of W14.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// How many files were withdrawn.
    #[serde(deserialize_with = "number::read")]
    pub withdrawn: u64,
}

/// Body of W15.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rename {
    /// The code from now on.
    pub new_code: String,
    /// The contact, by identity.
    #[serde(deserialize_with = "number::read")]
    pub contact_id: u64,
}

/// Body of W16.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnionRequest {
    /// The pair's tag.
    pub pair_tag: PairTag,
    /// Who would join.
    pub joining: ContactRef,
}

/// Answer of W16: who would be in the union. Its members are to be shown before the pair takes effect (N7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnionPreview {
    /// All members.
    pub members: Vec<ContactRef>,
    /// What confirms that they were shown.
    pub preview_id: PreviewId,
}

/// Answer of W17: what the portal holds for a grant (4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantDigest {
    /// How many files.
    #[serde(deserialize_with = "number::read")]
    pub count: u64,
    /// Their digest.
    pub digest: Sha256,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wire() -> serde_json::Value {
        json!({
            "contact": {"kind": "C", "code": "4879"}, "contactId": 1, "state": "active", "version": 3,
            "scope": {"type": "group", "group": "G7"}, "show": ["referencia1", "clave"], "excludedModalities": ["P"],
            "admin": {"pairTag": "d1d222df28b35898a4e0a641e40aa83e24301221ffeab969c95df4f48fa88ec2", "previewId": "p-1"},
            "closedCases": "withdraw", "lang": "es"
        })
    }

    #[test]
    fn reads_and_writes_the_contracts_form() {
        let grant: Grant = serde_json::from_value(wire()).unwrap();
        assert_eq!(serde_json::to_value(&grant).unwrap(), wire());
        let mut own = wire();
        own["scope"] = json!({"type": "own"});
        own["admin"] = json!(null);
        let grant: Grant = serde_json::from_value(own.clone()).unwrap();
        assert_eq!((grant.scope.clone(), grant.admin.clone()), (Scope::Own, None));
        assert_eq!(serde_json::to_value(&grant).unwrap(), own);
    }

    #[test]
    fn tolerates_what_is_new_and_refuses_a_scope_that_it_cannot_judge() {
        let mut read = wire();
        read["nuevo"] = json!(1);
        read["version"] = json!("3");
        read["show"] = json!(["clave", "otra"]);
        read["state"] = json!("paused");
        let grant: Grant = serde_json::from_value(read.clone()).unwrap();
        assert_eq!((grant.version, grant.state.as_str()), (3, "paused"));
        assert!(grant.show.contains(&FieldBox::from_wire("otra")));
        read["scope"] = json!({"type": "everything"});
        assert!(serde_json::from_value::<Grant>(read).is_err());
    }

    #[test]
    fn the_last_page_has_no_next() {
        let read = |next| {
            serde_json::from_value::<GrantPage>(json!({"items": [], "next": next})).map(|page| page.next)
        };
        assert_eq!(read(json!(null)).unwrap(), None);
        assert_eq!(
            (read(json!("a")).unwrap(), read(json!(5)).unwrap()),
            (Some("a".into()), Some("5".into()))
        );
    }
}
