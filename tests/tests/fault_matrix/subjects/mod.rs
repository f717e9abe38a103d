//! The clients of the matrix, one file each; a client with two layers has two.

mod apiges;
mod bitfactura;
mod fiscal_printer;
mod geosite;
mod legale;
mod sugester;
mod websync;

use super::subject::Subject;

pub fn all() -> [&'static dyn Subject; 7] {
    [
        &fiscal_printer::FiscalPrinter,
        &legale::Legale,
        &sugester::Sugester,
        &bitfactura::BitFactura,
        &geosite::GeoSite,
        &apiges::Apiges,
        &websync::WebSync,
    ]
}
