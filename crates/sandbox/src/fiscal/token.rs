//! Tokens of the simulated printing house: JWTs (HS256) that the sandbox signs itself with a fixed secret.
//!
//! The secret is fixed so that a token printed by one run of the program works in the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

use super::settings::Issuer;

const SECRET: &[u8] = b"sandbox of the fiscal printer: signs nothing of value";

/// What the service reads out of a valid token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Claims {
    pub(super) rif: String,
    /// `validarinterno` > 0: internal numbers are enforced.
    pub(super) enforces_internal: bool,
}

/// Signs a token for an issuer, issued at `iat`.
pub(super) fn sign(issuer: &Issuer, iat: i64) -> String {
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let user = json!({
        "id": "1",
        "rif": issuer.rif,
        "razonsocial": "Emisor de Prueba, C.A.",
        "direccion": "Calle 1",
        "email": "emisor@example.com",
        "telefono": "584121234567",
        "validarinterno": issuer.validar_interno,
    });
    let signed = format!("{}.{}", encode(&header), encode(&json!({ "user": user, "iat": iat })));
    let signature = hmac::sign(&key(), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Reads an `Authorization` header: `Bearer`, exactly one space, a token with a good signature.
pub(super) fn verify(authorization: &str) -> Option<Claims> {
    let token = authorization.strip_prefix("Bearer ")?;
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    hmac::verify(&key(), signed.as_bytes(), &signature).ok()?;
    let (header, payload) = signed.split_once('.')?;
    (decode(header)?.get("alg")? == "HS256").then_some(())?;
    read_claims(&decode(payload)?)
}

fn read_claims(payload: &Value) -> Option<Claims> {
    let user = payload.get("user")?;
    let rif = user.get("rif")?.as_str()?.to_owned();
    Some(Claims { rif, enforces_internal: user.get("validarinterno").is_some_and(is_positive) })
}

/// The claim is a number or a string, depending on who made the token.
fn is_positive(value: &Value) -> bool {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    number.is_some_and(|number| number > 0.0)
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, SECRET)
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(validar_interno: u32) -> String {
        sign(&Issuer::new("J-12345678-4").validar_interno(validar_interno), 1_736_902_805)
    }

    #[test]
    fn a_signed_token_is_read_back() {
        let claims = |level| verify(&format!("Bearer {}", token(level))).unwrap();
        assert_eq!(claims(1), Claims { rif: "J-12345678-4".into(), enforces_internal: true });
        assert!(!claims(0).enforces_internal);
    }

    #[test]
    fn validarinterno_may_be_text() {
        assert!(is_positive(&json!("1")));
        assert!(!is_positive(&json!("0")));
        assert!(!is_positive(&Value::Null));
    }

    #[test]
    fn a_changed_token_and_a_bad_form_are_refused() {
        let good = token(1);
        for bad in [
            good.clone(),
            format!("bearer {good}"),
            format!("Bearer  {good}"),
            format!("Bearer {good} "),
            format!("Bearer {good}A"),
            format!("Bearer {}", good.replacen('e', "f", 1)),
            "Bearer ".into(),
            "Bearer a.b.c".into(),
            String::new(),
        ] {
            assert_eq!(verify(&bad), None, "{bad}");
        }
    }
}
