//! Adding a file to an invoice: credentials for the upload, the upload itself, and the note that it is there (contract 3.5).

use integration_core::body::fields::{Token, Unreadable};
use integration_core::call::{Idempotency, Link, Operation, RetryPolicy, Verdict};
use integration_core::{Error, Fault, Faults, Secret};

use super::Client;
use super::file;
use crate::desk::Ask;
use crate::value::Fields;

const CREDENTIALS: Operation =
    Operation::get("prepare an attachment", "/invoices/{id}/get_new_attachment_credentials.json");
const UPLOAD: Operation = Operation::post("upload an attachment", "", Idempotency::Keyed);
const ADD: Operation =
    Operation::post("add an attachment", "/invoices/{id}/add_attachment.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 5] = [file::PDF, file::ZIP, CREDENTIALS, UPLOAD, ADD];

/// Where to upload to, and the form's fields.
struct Form {
    url: String,
    fields: Vec<(String, String)>,
}

fn form(token: Box<serde_json::value::RawValue>) -> Result<Form, Unreadable> {
    let mut fields = Fields::of(token, "credentials")?;
    let url = fields.required("url")?;
    let texts = fields.rest().into_iter().filter_map(|(name, token)| Some((name, token.scalar().text()?)));
    Ok(Form { url, fields: texts.collect() })
}

impl Client {
    /// Adds a file to an invoice. Clients do not see it unless the service is told to show it.
    ///
    /// The upload goes to the address that the service names, over https, without the account's token.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) in its last step; the two before it are repeated if their answers are lost
    /// (contract 3.5).
    ///
    /// # Errors
    /// A validation error for a name that is none; as every call. If the last step fails, nothing hangs on the upload.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (id, billing) = (kit.invoice().await, kit.billing);
    /// billing.attach_to_invoice(id, "Orden_0042.pdf", b"%PDF-1.7 ...").await?;
    /// # Ok(()) });
    /// ```
    pub async fn attach_to_invoice(&self, id: u64, file_name: &str, content: &[u8]) -> Result<(), Error> {
        check_name(file_name)?;
        let form = self.desk.ask(Ask::new(CREDENTIALS).id(id), form).await?;
        self.upload(&form, file_name, content).await?;
        self.desk.act(Ask::new(ADD).id(id).query("file_name", file_name)).await
    }

    async fn upload(&self, form: &Form, file_name: &str, content: &[u8]) -> Result<(), Error> {
        let link = Link::parse(&form.url).map_err(|error| error.with_operation(UPLOAD.name))?;
        let boundary = boundary(content);
        let body = integration_core::call::Body::bytes(multipart(form, file_name, content, &boundary));
        let call = link.call(UPLOAD).body(&format!("multipart/form-data; boundary={boundary}"), body);
        let call =
            form.fields.iter().fold(call, |call, (_, value)| call.with_secret(Secret::new(value.as_str())));
        let call = call.retry(RetryPolicy::never());
        self.desk.caller().call(&call, Verdict::success).await.map(drop)
    }
}

fn check_name(file_name: &str) -> Result<(), Error> {
    let mut faults = Faults::new();
    if file_name.trim().is_empty() || file_name.contains(|c: char| c.is_control() || "\"/\\".contains(c)) {
        let fault = Fault::error("FILE", "file_name").with_actual(file_name);
        faults.push(fault.with_expected("a file's name without quotes and slashes"));
    }
    faults.into_result(ADD.name).map(drop)
}

/// A line that does not occur in the file.
fn boundary(content: &[u8]) -> String {
    let occurs = |line: &str| content.windows(line.len()).any(|window| window == line.as_bytes());
    let mut number = 0_u64;
    loop {
        let line = format!("sugester-boundary-{number}");
        if !occurs(&line) {
            return line;
        }
        number = number.saturating_add(1);
    }
}

fn multipart(form: &Form, file_name: &str, content: &[u8], boundary: &str) -> Vec<u8> {
    let mut body = Vec::with_capacity(content.len().saturating_add(4096));
    for (name, value) in &form.fields {
        let part =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_does_not_occur_in_the_file() {
        assert_eq!(boundary(b"x"), "sugester-boundary-0");
        assert_eq!(boundary(b"a sugester-boundary-0 b"), "sugester-boundary-1");
    }

    #[test]
    fn names_cannot_break_out_of_their_header() {
        for bad in ["", " ", "a\"b", "a\r\nb", "../a", "a\\b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("contrato 881.pdf").is_ok());
    }

    #[test]
    fn fields_come_before_the_file() {
        let form = Form { url: String::new(), fields: vec![("key".into(), "k".into())] };
        let body = String::from_utf8(multipart(&form, "a.txt", b"hi", "B")).unwrap();
        assert_eq!(
            body,
            "--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--B\r\nContent-Disposition: form-data; \
             name=\"file\"; filename=\"a.txt\"\r\nContent-Type: application/octet-stream\r\n\r\nhi\r\n--B--\r\n"
        );
    }
}
