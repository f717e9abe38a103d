//! Reading a record again: the proof of a hint (contract 4.6).

use std::fmt::Debug;

use integration_core::{BoxFuture, Error};

use crate::bitfactura::{Client, ClientRecord, Invoice};

/// Reads records by id. [`bitfactura::Client`](crate::bitfactura::Client) does.
pub trait Reread: Debug + Send + Sync {
    /// The client as it is now; nothing if the service says that there is none.
    ///
    /// # Errors
    /// Whatever kept the service from being asked: that is not "none".
    fn client(&self, id: u64) -> BoxFuture<'_, Result<Option<ClientRecord>, Error>>;

    /// The invoice as it is now; nothing if the service says that there is none.
    ///
    /// # Errors
    /// As [`client`](Self::client).
    fn invoice(&self, id: u64) -> BoxFuture<'_, Result<Option<Invoice>, Error>>;
}

impl Reread for Client {
    fn client(&self, id: u64) -> BoxFuture<'_, Result<Option<ClientRecord>, Error>> {
        Box::pin(async move { found(self.client(id).await) })
    }

    fn invoice(&self, id: u64) -> BoxFuture<'_, Result<Option<Invoice>, Error>> {
        Box::pin(async move { found(self.invoice(id).await) })
    }
}

fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(record) => Ok(Some(record)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
