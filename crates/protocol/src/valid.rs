//! The rules on types, with their findings as the envelope shows them.

use plimsoll_core::{Error, Result, ValidationError};

/// Checks a body by its own rules. All wrong fields are in the error, named as on the wire.
pub fn check<T: garde::Validate<Context = ()>>(body: &T) -> Result<()> {
    let Err(report) = body.validate() else { return Ok(()) };
    let entry = |(path, error): &(garde::Path, garde::Error)| {
        ValidationError::new(on_the_wire(&path.to_string()), "invalid", error.message())
    };
    Err(Error::invalid(report.iter().map(entry).collect()))
}

/// `runtime.stop_grace_seconds` as `runtime.stopGraceSeconds`. Only names of our fields stand in such a
/// path: rules on maps report at the map itself.
fn on_the_wire(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut upper = false;
    for one in path.chars() {
        if one == '_' {
            upper = true;
        } else if upper {
            out.push(one.to_ascii_uppercase());
            upper = false;
        } else {
            out.push(one);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::component::CreateComponent;

    #[test]
    fn all_wrong_fields_are_listed_as_on_the_wire() {
        let body: CreateComponent = serde_json::from_value(json!({
            "name": "api", "displayName": "", "repository": "shop/api",
            "registryIntegrationId": "01890a5d-ac96-774b-bcce-b302099a8057",
            "runtime": {"stopGraceSeconds": 100_000, "ports": [{"container": 80}, {"container": 0}]},
        }))
        .unwrap();
        let error = check(&body).unwrap_err();
        let mut fields: Vec<_> = error.validation().iter().map(|one| one.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["displayName", "runtime.ports[1].container", "runtime.stopGraceSeconds"]);
    }
}
