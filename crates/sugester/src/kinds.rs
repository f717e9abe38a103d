//! Open enums (contract 3.2, 3.4, 3.6, 3.8): what the contract lists has a name, everything else is kept as it came and goes
//! back unchanged.

pub use integration_core::body::open::Unlisted;
use integration_core::open_enum;

open_enum! {
    /// The kind of an invoice.
    ///
    /// ```
    /// use sugester::kinds::InvoiceKind;
    ///
    /// assert_eq!(InvoiceKind::from("proforma"), InvoiceKind::Proforma);
    /// let unknown: InvoiceKind = serde_json::from_str("\"from_the_future\"")?;
    /// assert_eq!(serde_json::to_string(&unknown)?, "\"from_the_future\"");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    InvoiceKind {
        /// An invoice; some documents of the vendor spell it `iva`, which the service does not know (trap 17).
        Vat = "vat",
        /// Pro forma.
        Proforma = "proforma",
        /// Bill.
        Bill = "bill",
        /// Receipt.
        Receipt = "receipt",
        /// Advance invoice.
        Advance = "advance",
        /// Final invoice after advances.
        Final = "final",
        /// Correction.
        Correction = "correction",
        /// Invoice of a small taxpayer (cash accounting).
        VatMp = "vat_mp",
        /// Other invoice.
        InvoiceOther = "invoice_other",
        /// Invoice under a margin scheme.
        VatMargin = "vat_margin",
        /// Estimate.
        Estimate = "estimate",
        /// Cash received.
        Kp = "kp",
        /// Cash paid out.
        Kw = "kw",
        /// Correction note.
        CorrectionNote = "correction_note",
        /// Accounting note.
        AccountingNote = "accounting_note",
        /// A client's order.
        ClientOrder = "client_order",
        /// Import of services.
        ImportService = "import_service",
        /// Import of services within the EU.
        ImportServiceEu = "import_service_eu",
        /// Import of products.
        ImportProducts = "import_products",
        /// Export of products.
        ExportProducts = "export_products",
    }
}

open_enum! {
    /// Where an invoice stands.
    InvoiceStatus {
        /// Issued.
        Issued = "issued",
        /// Sent.
        Sent = "sent",
        /// Paid.
        #[doc(alias("pagada", "cobrada"))]
        Paid = "paid",
        /// Paid in part.
        Partial = "partial",
        /// Rejected.
        Rejected = "rejected",
    }
}

open_enum! {
    /// How an invoice is paid; free text is allowed.
    PaymentType {
        /// Bank transfer.
        Transfer = "transfer",
        /// Card.
        Card = "card",
        /// Cash.
        Cash = "cash",
        /// Barter.
        Barter = "barter",
        /// Cheque.
        Cheque = "cheque",
        /// Bill of exchange.
        BillOfExchange = "bill_of_exchange",
        /// Cash on delivery.
        CashOnDelivery = "cash_on_delivery",
        /// Compensation.
        Compensation = "compensation",
        /// Letter of credit.
        LetterOfCredit = "letter_of_credit",
        /// PayPal.
        Paypal = "paypal",
        /// Not shown.
        Off = "off",
    }
}

open_enum! {
    /// What a discount is taken from.
    DiscountKind {
        /// Percent of the unit price.
        PercentUnit = "percent_unit",
        /// Percent of the total.
        PercentTotal = "percent_total",
        /// An amount.
        Amount = "amount",
    }
}

open_enum! {
    /// Whose exchange rate is used.
    ExchangeKind {
        /// European Central Bank.
        Ecb = "ecb",
        /// National Bank of Poland.
        Nbp = "nbp",
        /// Central Bank of Russia.
        Cbr = "cbr",
        /// National Bank of Ukraine.
        Nbu = "nbu",
        /// National Bank of Georgia.
        Nbg = "nbg",
        /// A rate of one's own.
        Own = "own",
    }
}

open_enum! {
    /// The language of a document; two are joined by `/`, see [`Language::pair`].
    Language {
        /// Polish.
        Pl = "pl",
        /// English.
        En = "en",
        /// British English.
        EnGb = "en-GB",
        /// German.
        De = "de",
        /// French.
        Fr = "fr",
        /// Czech, as the service spells it.
        Cz = "cz",
        /// Russian.
        Ru = "ru",
        /// Spanish.
        Es = "es",
        /// Italian.
        It = "it",
        /// Dutch.
        Nl = "nl",
        /// Croatian.
        Hr = "hr",
        /// Arabic.
        Ar = "ar",
        /// Slovak.
        Sk = "sk",
        /// Slovene.
        Sl = "sl",
        /// Greek.
        El = "el",
        /// Estonian.
        Et = "et",
        /// Chinese, as the service spells it.
        Cn = "cn",
        /// Hungarian.
        Hu = "hu",
        /// Turkish.
        Tr = "tr",
        /// Persian.
        Fa = "fa",
    }
}

impl Language {
    /// A document in two languages.
    ///
    /// ```
    /// use sugester::kinds::Language;
    ///
    /// let both = Language::pair(&Language::Es, &Language::EnGb);
    /// assert_eq!((both.as_str(), both.parts()), ("es/en-GB", vec![Language::Es, Language::EnGb]));
    /// ```
    #[must_use]
    pub fn pair(first: &Self, second: &Self) -> Self {
        Self::from(format!("{first}/{second}"))
    }

    /// Each language of the document.
    #[must_use]
    pub fn parts(&self) -> Vec<Self> {
        self.as_str().split('/').map(Self::from).collect()
    }
}

open_enum! {
    /// What a client is to the account: Sugester knows buyer and seller, BitFactura also both.
    ClientKind {
        /// Buys.
        Buyer = "buyer",
        /// Sells.
        Seller = "seller",
        /// Buys and sells; sent to Sugester as buyer (contract 4.2).
        Both = "both",
    }
}

open_enum! {
    /// The kind of a post.
    PostKind {
        /// Suggestion.
        Suggestion = "suggestion",
        /// Error.
        Error = "error",
        /// Question.
        Question = "question",
        /// Praise.
        Praise = "praise",
        /// Private.
        Private = "private",
    }
}

open_enum! {
    /// The kind of a task, ticket or comment.
    TaskKind {
        /// Feedback.
        Feedback = "feedback",
        /// E-mail.
        Email = "email",
        /// Task.
        Task = "task",
        /// Help.
        Help = "help",
        /// Chat.
        Chat = "chat",
        /// Phone call.
        Phone = "phone",
        /// Lead.
        Lead = "lead",
        /// Error.
        Error = "error",
        /// Idea.
        Idea = "idea",
        /// A comment on a post, which `post_id` names.
        Comment = "comment",
    }
}

open_enum! {
    /// What a status is for.
    StatusKind {
        /// Deals.
        Deal = "deal",
    }
}

open_enum! {
    /// What a webhook of BitFactura tells. No body names it (trap 4).
    WebhookKind {
        /// A client was created.
        ClientCreate = "client:create",
        /// A client was edited.
        ClientUpdate = "client:update",
        /// A client was deleted.
        ClientDestroy = "client:destroy",
        /// An invoice was created.
        InvoiceCreate = "invoice:create",
        /// An invoice was edited.
        InvoiceUpdate = "invoice:update",
        /// An invoice was deleted.
        InvoiceDestroy = "invoice:destroy",
        /// A product was created.
        ProductCreate = "product:create",
        /// A product was edited.
        ProductUpdate = "product:update",
        /// A product was deleted.
        ProductDestroy = "product:destroy",
        /// The first full synchronisation; known from the user guide alone (trap 27).
        ClientSync = "client:sync",
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_lists_are_those_of_the_contract() {
        fn listed<T: fmt::Display>(all: &[T]) -> String {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        assert_eq!(
            listed(InvoiceKind::LISTED),
            "vat, proforma, bill, receipt, advance, final, correction, vat_mp, invoice_other, vat_margin, estimate, \
             kp, kw, correction_note, accounting_note, client_order, import_service, import_service_eu, \
             import_products, export_products"
        );
        assert_eq!(listed(InvoiceStatus::LISTED), "issued, sent, paid, partial, rejected");
        assert_eq!(
            listed(PaymentType::LISTED),
            "transfer, card, cash, barter, cheque, bill_of_exchange, cash_on_delivery, compensation, \
             letter_of_credit, paypal, off"
        );
        assert_eq!(listed(DiscountKind::LISTED), "percent_unit, percent_total, amount");
        assert_eq!(listed(ExchangeKind::LISTED), "ecb, nbp, cbr, nbu, nbg, own");
        assert_eq!(
            listed(Language::LISTED).replace(',', ""),
            "pl en en-GB de fr cz ru es it nl hr ar sk sl el et cn hu tr fa"
        );
        assert_eq!(listed(ClientKind::LISTED), "buyer, seller, both");
        assert_eq!(listed(PostKind::LISTED), "suggestion, error, question, praise, private");
        assert_eq!(
            listed(TaskKind::LISTED),
            "feedback, email, task, help, chat, phone, lead, error, idea, comment"
        );
        assert_eq!(
            listed(WebhookKind::LISTED),
            "client:create, client:update, client:destroy, invoice:create, invoice:update, invoice:destroy, \
             product:create, product:update, product:destroy, client:sync"
        );
    }

    #[test]
    fn listed_values_have_one_spelling() {
        assert!(!InvoiceKind::from("VAT").is_listed() && !InvoiceKind::from("iva").is_listed());
        assert!(InvoiceKind::from(InvoiceKind::Vat.as_str()).is_listed());
    }

    proptest! {
        #[test]
        fn any_text_goes_back_as_it_came(text in any::<String>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            let read: PaymentType = serde_json::from_str(&quoted).unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), quoted);
        }
    }
}
