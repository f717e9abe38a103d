//! Whether the account answers (contract 3.3).

use integration_core::Error;
use integration_core::body::fields::Unreadable;
use integration_core::call::Operation;
use serde_json::value::RawValue;

use crate::client::Client;
use crate::desk::Ask;

pub(super) const CHECK: Operation = Operation::get("check the connection to Sugester", "/clients.json");

/// Any JSON would be too weak: a front door may answer in the service's place.
fn is_list(answer: &RawValue) -> Result<(), Unreadable> {
    if answer.get().starts_with('[') { Ok(()) } else { Err(Unreadable::new("clients", "a list")) }
}

impl Client {
    /// Asks for one client, which must answer with a list: address, account and token are right, and the service is there. Nothing is
    /// changed.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.3).
    ///
    /// # Errors
    /// As every call: [`ErrorKind::Authentication`](crate::ErrorKind::Authentication) for a refused token,
    /// [`ErrorKind::UnexpectedAnswer`](crate::ErrorKind::UnexpectedAnswer) for anything but a list.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// match crm.check_connection().await {
    ///     Ok(()) => println!("address, account and token are right"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn check_connection(&self) -> Result<(), Error> {
        let ask = Ask::new(CHECK).query("page", 1).query("per_page", 1);
        self.desk.ask(ask, |answer| is_list(&answer)).await
    }
}
