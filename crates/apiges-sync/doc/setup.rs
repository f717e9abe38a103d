// What the examples of the crate's operations stand on, hidden in their pages: the embedded sandbox with three contacts and nine files.

use apiges_sync::web::HttpTransport;
use apiges_sync::{Assumptions, Client, Environment};
use integration_sandbox::Sandbox;

pub type Failure = Box<dyn std::error::Error>;

pub struct Kit {
    pub sandbox: Sandbox,
    pub client: Client,
    pub portal: HttpTransport,
}

impl Kit {
    /// The number of a case file.
    pub fn case(&self) -> u64 {
        self.sandbox.apiges().file_ids()[0].try_into().unwrap()
    }

    /// The number of a contact.
    pub fn person(&self) -> u64 {
        self.sandbox.apiges().contact_id("C", "0001").unwrap().try_into().unwrap()
    }
}

#[cfg(feature = "store")]
pub use with_store::Office;

#[cfg(feature = "store")]
mod with_store {
    use std::sync::Arc;

    use apiges_sync::documents::{BookFields, Documents, RestAnnotations, Settings};
    use apiges_sync::grant::WebGrant;
    use apiges_sync::messages::Messages;
    use apiges_sync::sync::{RestCases, SharedGroups, WebSync};
    use apiges_sync::web::{ContactRef, DocumentPlace};
    use apiges_sync::{Body, SystemClock};
    use integration_store::Store;

    use super::*;

    /// An engine over both systems, and a contact that may see all of his files.
    pub struct Office {
        pub sync: WebSync,
        pub contact: ContactRef,
        pub person: u64,
        pub store: Store,
        pub messages: Messages,
        pub documents: Documents,
        pub kit: Kit,
    }

    impl Kit {
        pub async fn office(self) -> Office {
            let store = Store::open("memory:").await.unwrap();
            let sync = WebSync::builder()
                .store(&store)
                .transport(self.portal.clone())
                .cases(RestCases::new(self.client.clone()))
                .groups(SharedGroups::default())
                .build()
                .unwrap();
            let portal = Arc::new(self.portal.clone());
            let messages = Messages::new(portal.clone(), &store, Arc::new(SystemClock::new()));
            let contents = |_: DocumentPlace| -> apiges_sync::BoxFuture<'static, _> {
                Box::pin(async { Ok(Body::bytes("%PDF-1.7 ...")) })
            };
            let books = RestAnnotations::new(self.client.clone(), BookFields::default(), contents);
            let documents = Documents::new(portal, &store, Arc::new(books), Settings::default()).unwrap();
            let contact = ContactRef::client("0001").unwrap();
            let person = self.person();
            Office { sync, contact, person, store, messages, documents, kit: self }
        }
    }

    impl Office {
        pub fn new_grant(&self) -> WebGrant {
            WebGrant::new(self.contact.clone(), self.person).activated().unwrap()
        }

        /// With the grant open and everything sent.
        pub async fn opened(self) -> Self {
            self.sync.open(&self.new_grant(), "ana").await.unwrap();
            self.sync.drain().await.unwrap();
            self
        }

        /// A file that the contact sees.
        pub async fn seen(&self) -> u64 {
            use apiges_sync::web::{Viewer, WebSyncTransport as _};
            let seen = self.kit.portal.view(&Viewer::Contact(self.contact.clone())).await.unwrap();
            seen.items[0].case_id
        }
    }
}

pub fn run(example: impl AsyncFnOnce(Kit) -> Result<(), Failure>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::start().await.unwrap();
        let service = sandbox.apiges();
        service.seed(integration_sandbox::apiges::Seed::new(3, 9).seed(7));
        let mut assumptions = Assumptions::default();
        assumptions.searches_are_complete = true;
        let client = Client::builder()
            .environment(Environment::at(service.base_url()).unwrap())
            .credentials(service.username(), service.password())
            .assumptions(assumptions)
            .build()
            .unwrap();
        let there = sandbox.websync();
        let portal = HttpTransport::builder()
            .base_url(there.base_url())
            .unwrap()
            .tenant(there.tenant())
            .credential(there.token())
            .build()
            .unwrap();
        example(Kit { sandbox, client, portal }).await.unwrap();
    });
}
