//! The client as the eye of callbacks, tracker and waiting: what they ask for is answered by detail and list.

use integration_core::body::page::Page;
use integration_core::{BoxFuture, Error};

use crate::client::Client;
use crate::document::{Detail, Document};
use crate::error::{Code, ErrorExt};
use crate::id::DocumentId;
use crate::seen::{self, Refetch, Seen};
use crate::tracking::{Documents, Listed, ListedPage};
use crate::wire::When;

impl Refetch for Client {
    fn look<'a>(&'a self, document: &'a DocumentId) -> BoxFuture<'a, Result<Seen, Error>> {
        Box::pin(async move {
            match self.detail(document).await {
                Ok(detail) => Ok(Seen::Found(seen(&detail))),
                Err(error) if error.is_not_found() => Ok(Seen::NotFound),
                Err(error) => match error.code() {
                    Some(code @ (Code::NotOwner | Code::NotApiDocument)) => {
                        Ok(Seen::Denied { code: code.to_string() })
                    }
                    _ => Err(error),
                },
            }
        })
    }
}

impl Documents for Client {
    fn page(&self, page: u32) -> BoxFuture<'_, Result<ListedPage, Error>> {
        Box::pin(async move { self.document_page(page).await.map(listed) })
    }
}

fn seen(detail: &Detail) -> seen::Detail {
    let Document { created_at, updated_at, comment, sign_status, .. } = &detail.document;
    let times =
        (created_at.as_ref().and_then(When::timestamp), updated_at.as_ref().and_then(When::timestamp));
    let seen = seen::Detail::new(*sign_status)
        .with_comment(comment.clone())
        .with_times(times.0, times.1)
        .with_signers(!detail.sign_list.is_empty());
    seen.deleted_after_callback(detail.delete_after_callback == Some(true))
}

fn listed(page: Page<Document>) -> ListedPage {
    let items = page.items.into_iter().map(|document| {
        let created = document.created_at.as_ref().and_then(When::timestamp);
        let updated = document.updated_at.as_ref().and_then(When::timestamp);
        let mut listed = Listed::new(document.guid, document.sign_status).with_times(created, updated);
        listed.comment = document.comment;
        listed
    });
    ListedPage { items: items.collect(), has_next: page.has_next }
}
