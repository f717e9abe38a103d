//! What PostgreSQL's codes mean for whoever runs the program.

use crate::error::{StoreError, StoreErrorKind};

pub(super) fn failed(error: sqlx::Error) -> StoreError {
    let code =
        error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned();
    let (kind, advice) = if code.is_empty() { of_the_connection(&error) } else { of_the_server(&code) };
    let code = if code.is_empty() { code } else { format!(" (SQLSTATE {code})") };
    StoreError::new(kind, format!("{advice}{code}")).with_source(error)
}

fn of_the_server(code: &str) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Configuration, Conflict, Corrupt, NotWritable, Schema, Unavailable};
    match code {
        "25006" => (NotWritable, "the database is read-only: name the primary server"),
        "53100" => (NotWritable, "the server's disk is full: free some space, then repeat"),
        "42501" => (
            NotWritable,
            "the database user may not do this: grant it the rights on the schema and its tables",
        ),
        "3D000" => (Configuration, "there is no such database: create it, or correct the URL"),
        "3F000" => (Configuration, "there is no such schema: create it, or correct search_path in the URL"),
        "42P01" | "42703" | "42883" => (Schema, "the database does not have this store's tables"),
        "22021" => (Conflict, "a key or name contains a NUL, which none may"),
        "XX001" | "XX002" => (Corrupt, "the database is damaged: restore it before anything is sent"),
        "40001" | "40P01" | "55P03" => {
            (Unavailable, "another transaction stood in the way, nothing was written: repeat")
        }
        _ if code.starts_with("28") => {
            (Configuration, "the server refused this user: correct the URL's user or password")
        }
        _ => (Unavailable, "the server broke off: look into its log, then ask what became of the operation"),
    }
}

fn of_the_connection(error: &sqlx::Error) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Configuration, Corrupt, Unavailable};
    match error {
        sqlx::Error::Configuration(_) => {
            (Configuration, "the URL is not postgres://user:password@host:port/database")
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (Corrupt, "a stored value is not what was written")
        }
        sqlx::Error::PoolTimedOut => {
            (Unavailable, "no connection could be had in time: is the server up and not overloaded?")
        }
        sqlx::Error::Tls(_) => (
            Unavailable,
            "TLS could not be agreed on: look at sslmode in the URL and the server's certificate",
        ),
        _ => (Unavailable, "the connection broke or could not be made: is the server up?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_can_be_done() {
        use StoreErrorKind::{Configuration, NotWritable, Unavailable};
        let kinds = ["53100", "25006", "28P01", "57P01", "08006"].map(|code| of_the_server(code).0);
        assert_eq!(kinds, [NotWritable, NotWritable, Configuration, Unavailable, Unavailable]);
    }
}
