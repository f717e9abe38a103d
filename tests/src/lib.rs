//! Holds the guides of `docs/` and the READMEs of repository and packages as doctests, so that what they say compiles and runs.

/// One item per page: a failing example is named by its page.
macro_rules! pages {
    ($($name:ident: $path:literal),* $(,)?) => {$(
        #[cfg(doctest)]
        #[doc = include_str!(concat!("../../", $path))]
        pub struct $name;
    )*};
}

pages! {
    Readme: "README.md",
    ReadmeOfApigesSync: "crates/apiges-sync/README.md",
    ReadmeOfCore: "crates/core/README.md",
    ReadmeOfFiscalPrinter: "crates/fiscal-printer/README.md",
    ReadmeOfGeosite: "crates/geosite/README.md",
    ReadmeOfLegale: "crates/legale/README.md",
    ReadmeOfSandbox: "crates/sandbox/README.md",
    ReadmeOfStore: "crates/store/README.md",
    ReadmeOfSugester: "crates/sugester/README.md",
    ApigesSync: "docs/apiges-sync.md",
    Errors: "docs/errors.md",
    FiscalPrinter: "docs/fiscal-printer.md",
    Geosite: "docs/geosite.md",
    JournalAndRecovery: "docs/journal-and-recovery.md",
    Migrating: "docs/migrating.md",
    Retries: "docs/retries.md",
    Money: "docs/money.md",
    Sandbox: "docs/sandbox.md",
    SeveralMachines: "docs/several-machines.md",
    Testing: "docs/testing.md",
    Observability: "docs/observability.md",
    NeverIssueTwice: "docs/never-issue-twice.md",
    Legale: "docs/legale.md",
    Sugester: "docs/sugester.md",
}
