//! The `auth-provider` of a user: of those that there once were, kubectl still knows `oidc`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use kube::config::AuthProviderConfig;
use serde::Deserialize;

use crate::{error::Error, text::quoted, time};

/// A token counts as expired this much before it is, as in kubectl: clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

/// The token of a login that is still good.
///
/// kubectl renews one that is not, and writes what it gets into the kubeconfig: providers that hand out a new refresh
/// token each time take back the old one. A tool that renewed without writing would log its user out, and one that
/// writes could meet kubectl doing the same. So that is left to kubectl.
///
/// # Errors
/// If there is no such token, or kubectl does not know the provider either.
pub fn id_token(provider: &AuthProviderConfig) -> Result<String, Error> {
    let failure = |message: &str, hint: &str| Error::failure(message).hint(hint);
    if provider.name != "oidc" {
        let message = format!(
            "the auth provider {} is not supported",
            quoted(&provider.name)
        );
        let hint = "kubectl does not support it either; use a credential plugin (exec)";
        return Err(failure(&message, hint));
    }
    let setting = |name: &str| {
        let value = provider.config.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    };
    for needed in ["idp-issuer-url", "client-id"] {
        if setting(needed).is_none() {
            let message = format!("the auth provider oidc has no {needed}");
            return Err(failure(
                &message,
                "check the user of the kubeconfig context",
            ));
        }
    }
    let token = setting("id-token");
    let claims = token.map(claims);
    match (token, claims) {
        (Some(token), Some(Some(claims))) if is_good(&claims, time::now()) => Ok(token.to_owned()),
        (Some(_), Some(None)) => Err(failure(
            "the id-token of the auth provider oidc is not a JWT",
            "log in again",
        )),
        _ if setting("refresh-token").is_some() => Err(failure(
            "the id-token of the auth provider oidc has expired",
            "let kubectl renew it (kubectl auth whoami), and try again",
        )),
        _ => Err(failure(
            "the id-token of the auth provider oidc has expired, and there is no refresh-token",
            "log in again",
        )),
    }
}

/// What a JWT says of itself.
fn claims(token: &str) -> Option<Claims> {
    let parts: Vec<&str> = token.split('.').collect();
    let [_, payload, _] = parts.as_slice() else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn is_good(claims: &Claims, now: Timestamp) -> bool {
    claims.exp > (now + MARGIN).as_second() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_good_until_shortly_before_it_expires() {
        let now = Timestamp::from_second(1000).unwrap();
        for (exp, expected) in [
            ("1011", true),
            ("1010", false),
            ("1.0115e3", true),
            ("0", false),
        ] {
            let claims = claims(&token(&format!(r#"{{"exp":{exp}}}"#))).unwrap();
            assert_eq!(is_good(&claims, now), expected, "{exp}");
        }
        for wrong in ["", "a.b", "a.!.c", &token("{}"), &token(r#"{"exp":"1"}"#)] {
            assert!(claims(wrong).is_none(), "{wrong}");
        }
    }
}
