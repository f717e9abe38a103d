//! Starting and stopping: which services run, and on which ports.

use std::sync::Arc;

use crate::apiges::Apiges;
use crate::bitfactura::BitFactura;
use crate::control::Control;
use crate::error::Error;
use crate::fiscal::Fiscal;
use crate::geosite::GeoSite;
use crate::hubsoft::HubSoft;
use crate::legale::Legale;
use crate::page::Front;
use crate::server::{self, Running};
use crate::sugester::Sugester;
use crate::tape::Tape;
use crate::websync::WebSync;

/// The running simulators. They live on the tokio runtime that started them and stop when this is dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), integration_sandbox::Error> {
/// use integration_sandbox::Sandbox;
///
/// let sandbox = Sandbox::start().await?;
/// println!("{} {}", sandbox.fiscal().base_url(), sandbox.control_url());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Sandbox {
    fiscal: Fiscal,
    legale: Legale,
    sugester: Sugester,
    bitfactura: BitFactura,
    geosite: GeoSite,
    hubsoft: HubSoft,
    apiges: Apiges,
    websync: WebSync,
    control_url: String,
    // Held for their `Drop`, which ends the services.
    _running: Vec<Running>,
}

impl Sandbox {
    /// Starts on free loopback ports.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] if the system has no free port.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// Starts on chosen ports.
    #[must_use]
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    /// The fiscal printing house.
    #[must_use]
    pub fn fiscal(&self) -> &Fiscal {
        &self.fiscal
    }

    /// Legale, the e-signature service.
    #[must_use]
    pub fn legale(&self) -> &Legale {
        &self.legale
    }

    /// Sugester, the CRM.
    #[must_use]
    pub fn sugester(&self) -> &Sugester {
        &self.sugester
    }

    /// BitFactura, the invoicing beside it.
    #[must_use]
    pub fn bitfactura(&self) -> &BitFactura {
        &self.bitfactura
    }

    /// GeoSite Telecom, the FTTH map.
    #[must_use]
    pub fn geosite(&self) -> &GeoSite {
        &self.geosite
    }

    /// HubSoft's public API, over the customers of [`geosite`](Self::geosite).
    #[must_use]
    pub fn hubsoft(&self) -> &HubSoft {
        &self.hubsoft
    }

    /// The case-management program for industrial property.
    #[must_use]
    pub fn apiges(&self) -> &Apiges {
        &self.apiges
    }

    /// The portal on which contacts see their case files.
    #[must_use]
    pub fn websync(&self) -> &WebSync {
        &self.websync
    }

    /// Root of page and control API, such as `http://127.0.0.1:7800`; the API is below `/_sandbox/`.
    #[must_use]
    pub fn control_url(&self) -> &str {
        &self.control_url
    }
}

/// Chooses ports before the start; every port that is not chosen is a free one.
///
/// ```no_run
/// # async fn start() -> Result<(), integration_sandbox::Error> {
/// let sandbox = integration_sandbox::Sandbox::builder().control_port(7800).fiscal_port(7801).start().await?;
/// assert_eq!(sandbox.fiscal().base_url(), "http://127.0.0.1:7801");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct SandboxBuilder {
    control_port: u16,
    fiscal_port: u16,
    legale_port: u16,
    sugester_port: u16,
    bitfactura_port: u16,
    geosite_port: u16,
    hubsoft_port: u16,
    apiges_port: u16,
    websync_port: u16,
}

impl SandboxBuilder {
    /// Port of the control API; 0 takes any free one.
    #[must_use]
    pub fn control_port(mut self, port: u16) -> Self {
        self.control_port = port;
        self
    }

    /// Port of the fiscal printing house; 0 takes any free one.
    #[must_use]
    pub fn fiscal_port(mut self, port: u16) -> Self {
        self.fiscal_port = port;
        self
    }

    /// Port of Legale; 0 takes any free one.
    #[must_use]
    pub fn legale_port(mut self, port: u16) -> Self {
        self.legale_port = port;
        self
    }

    /// Port of Sugester; 0 takes any free one.
    #[must_use]
    pub fn sugester_port(mut self, port: u16) -> Self {
        self.sugester_port = port;
        self
    }

    /// Port of BitFactura; 0 takes any free one.
    #[must_use]
    pub fn bitfactura_port(mut self, port: u16) -> Self {
        self.bitfactura_port = port;
        self
    }

    /// Port of GeoSite; 0 takes any free one.
    #[must_use]
    pub fn geosite_port(mut self, port: u16) -> Self {
        self.geosite_port = port;
        self
    }

    /// Port of HubSoft; 0 takes any free one.
    #[must_use]
    pub fn hubsoft_port(mut self, port: u16) -> Self {
        self.hubsoft_port = port;
        self
    }

    /// Port of the case-management program; 0 takes any free one.
    #[must_use]
    pub fn apiges_port(mut self, port: u16) -> Self {
        self.apiges_port = port;
        self
    }

    /// Port of the portal; 0 takes any free one.
    #[must_use]
    pub fn websync_port(mut self, port: u16) -> Self {
        self.websync_port = port;
        self
    }

    /// Binds the ports on 127.0.0.1 and starts serving.
    ///
    /// # Errors
    ///
    /// [`Error::Bind`] if a port is taken.
    pub async fn start(self) -> Result<Sandbox, Error> {
        let tape = Arc::new(Tape::default());
        let bind = async |port, name| Ok::<_, Error>(server::bind(port).await?.watched(&tape, name));
        let control = server::bind(self.control_port).await?;
        let (fiscal, fiscal_running) = Fiscal::serve(bind(self.fiscal_port, "fiscal").await?);
        let (legale, [legale_running, postman]) = Legale::serve(bind(self.legale_port, "legale").await?);
        let (sugester, sugester_running) = Sugester::serve(bind(self.sugester_port, "sugester").await?);
        let (bitfactura, [bitfactura_running, other_postman]) =
            BitFactura::serve(bind(self.bitfactura_port, "bitfactura").await?);
        let (geosite, geosite_running) = GeoSite::serve(bind(self.geosite_port, "geosite").await?);
        let hubsoft_port = bind(self.hubsoft_port, "hubsoft").await?;
        let (hubsoft, hubsoft_running) = HubSoft::serve(hubsoft_port, geosite.clone());
        let (apiges, apiges_running) = Apiges::serve(bind(self.apiges_port, "apiges").await?);
        let (websync, websync_running) = WebSync::serve(bind(self.websync_port, "websync").await?);
        let control_url = control.url();
        let controlled = Control {
            fiscal: fiscal.clone(),
            legale: legale.clone(),
            sugester: sugester.clone(),
            bitfactura: bitfactura.clone(),
            geosite: geosite.clone(),
            hubsoft: hubsoft.clone(),
            apiges: apiges.clone(),
            websync: websync.clone(),
            tape,
            url: control_url.clone(),
        };
        let front = Arc::new(Front::new(controlled));
        let mut running = vec![control.serve(front), fiscal_running, legale_running, postman];
        running.extend([sugester_running, bitfactura_running, other_postman]);
        running.extend([geosite_running, hubsoft_running, apiges_running, websync_running]);
        Ok(Sandbox {
            fiscal,
            legale,
            sugester,
            bitfactura,
            geosite,
            hubsoft,
            apiges,
            websync,
            control_url,
            _running: running,
        })
    }
}
