//! What certificates are checked by, the same for every built-in transport: the platform's verifier, and ring.

use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::Error;

/// The configurations for TLS that clients share, each made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    far: OnceLock<ClientConfig>,
    near: OnceLock<ClientConfig>,
}

impl Trust {
    /// The configuration for this machine and its network (`near`), or for what lies beyond.
    pub(crate) fn tls(&self, near: bool) -> Result<ClientConfig, Error> {
        let cell = if near { &self.near } else { &self.far };
        if let Some(config) = cell.get() {
            return Ok(config.clone());
        }
        let config = tls(near)?;
        Ok(cell.get_or_init(|| config).clone())
    }
}

/// The crypto provider is named here, so that a program that links two of them, or none, does not panic.
fn tls(near: bool) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| tls_setup("no usable TLS versions", cause))?;
    if near {
        // A machine without root certificates must still reach its own sandbox.
        let platform = builder.clone().with_platform_verifier();
        return Ok(match platform {
            Ok(verified) => verified.with_no_client_auth(),
            Err(_) => builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
        });
    }
    let verified = builder
        .with_platform_verifier()
        .map_err(|cause| tls_setup("the machine's root certificates cannot be read", cause))?;
    Ok(verified.with_no_client_auth())
}

fn tls_setup(message: &'static str, cause: rustls::Error) -> Error {
    Error::configuration(message, "install the system's root certificates (package ca-certificates)")
        .with_source(cause)
}
