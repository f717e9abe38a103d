//! Which operation a request line means (contract section 3.1).

use super::settings::Endpoint;
use crate::crm::desk::Target;

/// List, show, create, update, delete of one resource.
type Crud = [Option<Endpoint>; 5];

const RESOURCES: &[(&str, Crud)] = &[
    (
        "clients",
        [
            Some(Endpoint::Clients),
            Some(Endpoint::Client),
            Some(Endpoint::CreateClient),
            Some(Endpoint::UpdateClient),
            Some(Endpoint::DeleteClient),
        ],
    ),
    (
        "contacts",
        [
            Some(Endpoint::Contacts),
            Some(Endpoint::Contact),
            Some(Endpoint::CreateContact),
            Some(Endpoint::UpdateContact),
            Some(Endpoint::DeleteContact),
        ],
    ),
    (
        "deals",
        [
            Some(Endpoint::Deals),
            Some(Endpoint::Deal),
            Some(Endpoint::CreateDeal),
            Some(Endpoint::UpdateDeal),
            Some(Endpoint::DeleteDeal),
        ],
    ),
    ("posts", [None, Some(Endpoint::Post), Some(Endpoint::CreatePost), None, None]),
    ("tasks", [Some(Endpoint::Tasks), None, None, None, None]),
    (
        "contact_lists",
        [
            None,
            Some(Endpoint::ContactList),
            Some(Endpoint::CreateContactList),
            Some(Endpoint::UpdateContactList),
            None,
        ],
    ),
    (
        "statuses",
        [Some(Endpoint::Statuses), Some(Endpoint::Status), Some(Endpoint::CreateStatus), None, None],
    ),
];

pub(super) fn route(method: &str, path: &str) -> Option<Target<Endpoint>> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (method, segments.as_slice()) {
        // The helpdesk list is beside `/app`, not below it (trap 10).
        ("GET", ["app.json"]) => Target::plain(Endpoint::Helpdesk),
        ("POST", ["app", "account.json"]) => Target::plain(Endpoint::CreateAccount),
        ("POST", ["app", "clients", "external_update.json"]) => Target::plain(Endpoint::ExternalUpdate),
        (method, ["app", whole]) => {
            let [list, _, create, ..] = crud(whole.strip_suffix(".json")?)?;
            match method {
                "GET" => Target::plain(list?),
                "POST" => Target::plain(create?),
                _ => None,
            }
        }
        (method, ["app", name, one]) => {
            let [_, show, _, update, delete] = crud(name)?;
            let endpoint = match method {
                "GET" => show,
                "PUT" => update,
                "DELETE" => delete,
                _ => None,
            };
            Target::with_id(endpoint?, one, ".json")
        }
        _ => None,
    }
}

fn crud(name: &str) -> Option<Crud> {
    RESOURCES.iter().find(|(resource, _)| *resource == name).map(|(_, crud)| *crud)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_contract() {
        let found = |method, path| route(method, path).map(|target| (target.endpoint, target.id));
        assert_eq!(found("GET", "/app.json"), Some((Endpoint::Helpdesk, 0)));
        assert_eq!(found("PUT", "/app/clients/17.json"), Some((Endpoint::UpdateClient, 17)));
        assert_eq!(found("POST", "/app/clients/external_update.json"), Some((Endpoint::ExternalUpdate, 0)));
        for (method, path) in [
            ("GET", "/app/app.json"),
            ("GET", "/clients.json"),
            ("GET", "/app/clients"),
            ("GET", "/app/clients/x.json"),
            ("GET", "/app/clients/1a.json"),
            ("PUT", "/app/posts/1.json"),
            ("DELETE", "/app/statuses/1.json"),
            ("GET", "/app/posts.json"),
            ("GET", "/app/contact_lists.json"),
        ] {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
    }
}
