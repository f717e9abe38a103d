//! What can go wrong with the sandbox itself, as opposed to the faults it plays.

use std::io;
use std::net::SocketAddr;

/// The sandbox could not do what it was told.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use integration_sandbox::{Error, Sandbox};
///
/// let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let port = taken.local_addr()?.port();
/// let error = Sandbox::builder().fiscal_port(port).start().await.unwrap_err();
/// assert!(matches!(error, Error::Bind { address, .. } if address.port() == port));
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A port could not be bound; most often another program, or another sandbox, has it.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// A port could not be closed or opened again.
    #[error("cannot change the state of the port: {0}")]
    Socket(#[source] io::Error),
    /// The [`Sandbox`](crate::Sandbox) that this handle belongs to was dropped.
    #[error("the sandbox has stopped: keep the `Sandbox` value alive as long as its handles are used")]
    Stopped,
}
