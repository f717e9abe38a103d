//! The wire names of 3.5, exactly: unset optional fields are left out, the list of copies and the three checks always go out.

use serde_json::{Map, Value, json};

use super::placement::Placement;
use super::signer::Signer;
use super::{Copied, Flow};

pub(super) fn of(flow: &Flow) -> Value {
    let mut body = Map::new();
    body.insert("flow_type".into(), flow.order.as_str().into());
    optional(&mut body, "expiration", flow.expiration_days);
    optional(&mut body, "share_signed_document", flow.share_signed_document);
    body.insert("shared_list".into(), flow.shared.iter().map(copied).collect());
    body.insert("signer_list".into(), flow.signers.iter().map(signer).collect());
    Value::Object(body)
}

fn copied(copied: &Copied) -> Value {
    json!({ "email": copied.email, "name": copied.name })
}

fn signer(signer: &Signer) -> Value {
    let mut body = Map::new();
    body.insert("sign_flow".into(), signer.flow.as_str().into());
    body.insert("sign_method".into(), signer.method.as_str().into());
    body.insert("email".into(), signer.email.as_str().into());
    optional(&mut body, "firstname", signer.firstname.as_deref());
    optional(&mut body, "lastname1", signer.lastname1.as_deref());
    optional(&mut body, "lastname2", signer.lastname2.as_deref());
    optional(&mut body, "phone", signer.phone.as_deref().map(str::trim));
    optional(&mut body, "device_id", signer.device_id.as_deref());
    optional(&mut body, "is_fingerprint", signer.is_fingerprint);
    optional(&mut body, "is_NID", signer.is_nid);
    body.insert("video_validation".into(), signer.video_validation.into());
    body.insert("selfie_validation".into(), signer.selfie_validation.into());
    body.insert("id_validation".into(), signer.id_validation.into());
    place(&mut body, &signer.placement);
    optional(&mut body, "skip_email", signer.skip_email);
    let callback = signer.callback.as_ref().map(integration_core::Secret::reveal);
    optional(&mut body, "sign_status_callback_url", callback);
    Value::Object(body)
}

fn place(body: &mut Map<String, Value>, placement: &Placement) {
    match placement {
        Placement::Unset => {}
        Placement::Anchor(word) => optional(body, "anchor", Some(word.trim())),
        Placement::Box(sign_box) => {
            sign_box.parts().into_iter().for_each(|(name, value)| optional(body, name, value));
        }
    }
}

fn optional(body: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value.into());
    }
}
