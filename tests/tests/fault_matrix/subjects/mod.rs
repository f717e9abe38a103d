//! The clients of the matrix, one file each.

mod bitfactura;
mod fiscal_printer;
mod geosite;
mod legale;
mod sugester;

use super::subject::Subject;

pub fn all() -> [&'static dyn Subject; 5] {
    [
        &fiscal_printer::FiscalPrinter,
        &legale::Legale,
        &sugester::Sugester,
        &bitfactura::BitFactura,
        &geosite::GeoSite,
    ]
}
