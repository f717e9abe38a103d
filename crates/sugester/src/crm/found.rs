//! Finding a record by its id in another system, and creating it at most once by that id (contract 4.9, 5 and trap 12).
//!
//! The rules enforced here: no filter is documented, so everything is read and compared; exactly one is taken, or it is reported; what
//! could not be asked is never "not there"; a creation whose answer is lost is looked up and not repeated.

use integration_core::body::page::Pages;
use integration_core::{Error, ErrorKind, Outcome};

use crate::bitfactura::Keyed;
use crate::value::{AppKey, ExternalIds, Linked};
use crate::wire::Record;

/// A record that may be linked to one of another system.
pub(super) trait Linkable: Record {
    const LINKED: Linked;

    fn external_ids(&self) -> &ExternalIds;
}

/// The one record of the list that is linked to `id`.
///
/// # Errors
/// What reading met; [`ErrorKind::Conflict`] if several claim the id, or if the one that does claims others too.
pub(super) async fn linked<T: Linkable>(
    mut pages: Pages<T>,
    operation: &'static str,
    app: &AppKey,
    id: &str,
) -> Result<Option<T>, Error> {
    let mut claimants = Vec::new();
    while let Some(page) = pages.next_page().await? {
        claimants
            .extend(page.items.into_iter().filter(|record| ids(record, app).iter().any(|own| own == id)));
    }
    match claimants.pop() {
        None => Ok(None),
        Some(only) if claimants.is_empty() && ids(&only, app).len() == 1 => Ok(Some(only)),
        Some(last) => {
            claimants.push(last);
            Err(ambiguous(&claimants, operation, app, id))
        }
    }
}

fn ids<T: Linkable>(record: &T, app: &AppKey) -> Vec<String> {
    record.external_ids().ids(app, T::LINKED)
}

fn ambiguous<T: Record>(claimants: &[T], operation: &'static str, app: &AppKey, id: &str) -> Error {
    let shown: Vec<_> = claimants.iter().take(10).map(|record| record.id().to_string()).collect();
    let what = match claimants.len() {
        1 => "1 record claims it beside other ids".to_owned(),
        count => format!("{count} records claim it"),
    };
    Error::new(ErrorKind::Conflict, operation)
        .with_outcome(Outcome::ReadOnly)
        .with_message(format!("external_ids {app} = {id}: {what}: {}", shown.join(", ")))
        .with_hint("decide which record is meant and correct the others; nothing was chosen")
}

/// Creates what is not there yet: looks, creates, and looks again where the answer does not tell.
///
/// # Errors
/// What looking or creating met; with an unknown outcome if the answer was lost and the record was not found.
pub(super) async fn keyed<T, F: Future<Output = Result<Option<T>, Error>>>(
    look: impl Fn() -> F,
    create: impl Future<Output = Result<T, Error>>,
) -> Result<Keyed<T>, Error> {
    if let Some(found) = look().await? {
        return Ok(Keyed::Found(found));
    }
    match create.await {
        Err(lost) if lost.is_outcome_unknown() => resolved(look().await, lost).map(Keyed::Found),
        answered => answered.map(Keyed::Created),
    }
}

fn resolved<T>(looked: Result<Option<T>, Error>, lost: Error) -> Result<T, Error> {
    match looked {
        Ok(Some(found)) => Ok(found),
        Ok(None) => {
            Err(lost.with_hint("no record has this id yet: wait, then call this again, which looks first"))
        }
        Err(several) if several.kind() == ErrorKind::Conflict => Err(several.with_outcome(Outcome::Unknown)),
        Err(_) => Err(lost.with_hint("looking for it failed too: call this again, which looks first")),
    }
}
