//! Catalogues: lists of pairs (contract P2, 3.3).
//!
//! The rule enforced here: paths are written as the contract has them, capitals included (trap 6).

use integration_core::Error;
use integration_core::call::Operation;

use crate::client::{Ask, Client};
use crate::pair::Pair;

/// A catalogue of the installation (contract 3.3).
///
/// ```
/// use apiges_sync::Catalogue;
///
/// assert_eq!(Catalogue::PriorityKinds.path(), "/tipos/expediente/PrioridadesAntiguedades");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Catalogue {
    /// Commercial actions: `/acciones`.
    Actions,
    /// Positions of people: `/cargos`.
    Positions,
    /// Classes: `/clases`.
    Classes,
    /// Postal codes: `/codigos/postales`.
    PostalCodes,
    /// Companies (`companias`): `/companias`.
    Companies,
    /// Departments: `/departamentos`.
    Departments,
    /// Firms (`empresas`): `/empresas`.
    Firms,
    /// States: `/estados`.
    States,
    /// States of invoices: `/estados/facturas`.
    InvoiceStates,
    /// States of tasks: `/estados/tareas`.
    TaskStates,
    /// Comparison codes of searches (P4): `/filtros`.
    Filters,
    /// Tax forms: `/formas/fiscales`.
    TaxForms,
    /// Legal forms: `/formas/juridicas`.
    LegalForms,
    /// Forms of payment: `/formas/pago`.
    PaymentForms,
    /// Languages of descriptions: `/idiomas/descripciones`.
    DescriptionLanguages,
    /// Modalities: `/modalidades`.
    #[doc(alias = "modalidades")]
    Modalities,
    /// Currencies: `/monedas`.
    Currencies,
    /// Nationalities: `/nacionalidades`.
    Nationalities,
    /// Countries: `/paises`.
    Countries,
    /// Sections: `/secciones`.
    Sections,
    /// Situations of priorities and seniorities: `/situaciones/expedientes/prioridadesAntiguedades`.
    PrioritySituations,
    /// Rates: `/tarifas`.
    Rates,
    /// Fees (`tasas`): `/tasas`.
    Fees,
    /// Kinds of notes: `/tipos/anotaciones`.
    NoteKinds,
    /// Kinds of classes: `/tipos/clases`.
    ClassKinds,
    /// Kinds of contacts: `/tipos/contactos`.
    ContactKinds,
    /// Kinds of descriptions: `/tipos/descripciones`.
    DescriptionKinds,
    /// Kinds of addresses: `/tipos/domicilios`.
    AddressKinds,
    /// Kinds of states of an invoice: `/tipos/estados/factura`.
    InvoiceStateKinds,
    /// Kinds of priorities and seniorities; the path has a capital P (trap 6): `/tipos/expediente/PrioridadesAntiguedades`.
    PriorityKinds,
    /// Kinds of expenses: `/tipos/gastos`.
    ExpenseKinds,
    /// Kinds of prospects: `/tipos/potenciales`.
    ProspectKinds,
    /// Kinds of risks: `/tipos/riesgos`.
    RiskKinds,
}

impl Catalogue {
    /// All of them, in the contract's order.
    pub const ALL: [Self; 33] = [
        Self::Actions,
        Self::Positions,
        Self::Classes,
        Self::PostalCodes,
        Self::Companies,
        Self::Departments,
        Self::Firms,
        Self::States,
        Self::InvoiceStates,
        Self::TaskStates,
        Self::Filters,
        Self::TaxForms,
        Self::LegalForms,
        Self::PaymentForms,
        Self::DescriptionLanguages,
        Self::Modalities,
        Self::Currencies,
        Self::Nationalities,
        Self::Countries,
        Self::Sections,
        Self::PrioritySituations,
        Self::Rates,
        Self::Fees,
        Self::NoteKinds,
        Self::ClassKinds,
        Self::ContactKinds,
        Self::DescriptionKinds,
        Self::AddressKinds,
        Self::InvoiceStateKinds,
        Self::PriorityKinds,
        Self::ExpenseKinds,
        Self::ProspectKinds,
        Self::RiskKinds,
    ];

    /// Its path, exactly.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Actions => "/acciones",
            Self::Positions => "/cargos",
            Self::Classes => "/clases",
            Self::PostalCodes => "/codigos/postales",
            Self::Companies => "/companias",
            Self::Departments => "/departamentos",
            Self::Firms => "/empresas",
            Self::States => "/estados",
            Self::InvoiceStates => "/estados/facturas",
            Self::TaskStates => "/estados/tareas",
            Self::Filters => "/filtros",
            Self::TaxForms => "/formas/fiscales",
            Self::LegalForms => "/formas/juridicas",
            Self::PaymentForms => "/formas/pago",
            Self::DescriptionLanguages => "/idiomas/descripciones",
            Self::Modalities => "/modalidades",
            Self::Currencies => "/monedas",
            Self::Nationalities => "/nacionalidades",
            Self::Countries => "/paises",
            Self::Sections => "/secciones",
            Self::PrioritySituations => "/situaciones/expedientes/prioridadesAntiguedades",
            Self::Rates => "/tarifas",
            Self::Fees => "/tasas",
            Self::NoteKinds => "/tipos/anotaciones",
            Self::ClassKinds => "/tipos/clases",
            Self::ContactKinds => "/tipos/contactos",
            Self::DescriptionKinds => "/tipos/descripciones",
            Self::AddressKinds => "/tipos/domicilios",
            Self::InvoiceStateKinds => "/tipos/estados/factura",
            Self::PriorityKinds => "/tipos/expediente/PrioridadesAntiguedades",
            Self::ExpenseKinds => "/tipos/gastos",
            Self::ProspectKinds => "/tipos/potenciales",
            Self::RiskKinds => "/tipos/riesgos",
        }
    }

    pub(crate) const fn operation(self) -> Operation {
        Operation::get("read a catalogue", self.path())
    }
}

impl Client {
    /// `GET` of a catalogue (contract P2, 3.3), with descriptions in the client's language. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; [`Problem::UnexpectedShape`](crate::Problem::UnexpectedShape) for a row that is no pair with a code.
    ///
    /// ```no_run
    /// # async fn run(client: apiges_sync::Client) -> Result<(), apiges_sync::Error> {
    /// use apiges_sync::{Catalogue, Lang};
    ///
    /// for modality in client.in_language(Lang::En).catalogue(Catalogue::Modalities).await? {
    ///     println!("{} {:?}", modality.code, modality.description);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("catalogo", "catálogo"))]
    pub async fn catalogue(&self, catalogue: Catalogue) -> Result<Vec<Pair>, Error> {
        self.ask(Ask::new(catalogue.operation()), |received| received.every(|record| Pair::row(&record)))
            .await
    }
}
