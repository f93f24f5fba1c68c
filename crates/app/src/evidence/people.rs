//! Names of people do not stand in signed bytes, which nobody can erase: a statement holds the id and a salted
//! hash, and name and salt lie beside the packet.

use plimsoll_core::{Digest, evidence_packet::EvidencePerson};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Notes;

/// What is to be sealed, with its names as hashes, and whose they are.
#[derive(Clone, Debug)]
pub(crate) struct Hidden {
    pub(crate) says: Value,
    pub(crate) people: Vec<EvidencePerson>,
}

/// Replaces the name of each [`Actor`](plimsoll_core::actor::Actor) in `says`, wherever it stands.
pub(crate) fn hide(notes: &Notes, mut says: Value) -> Hidden {
    let mut people = Vec::new();
    walk(notes, &mut says, &mut people);
    Hidden { says, people }
}

fn walk(notes: &Notes, value: &mut Value, people: &mut Vec<EvidencePerson>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(items) => items.iter_mut().for_each(|one| walk(notes, one, people)),
        Value::Object(fields) => {
            if let Some(person) = person(notes, fields) {
                fields.remove("name");
                fields.insert("nameHash".to_owned(), Value::String(person.name_hash.to_string()));
                if !people.iter().any(|known: &EvidencePerson| known.name_hash == person.name_hash) {
                    people.push(person);
                }
                return;
            }
            fields.values_mut().for_each(|one| walk(notes, one, people));
        }
    }
}

/// Whose object this is, if it names somebody: exactly what an actor has, and nothing else.
fn person(notes: &Notes, fields: &Map<String, Value>) -> Option<EvidencePerson> {
    if fields.len() != 4 || !["type", "userId"].iter().all(|name| fields.get(*name).is_some_and(Value::is_string)) {
        return None;
    }
    let id: Uuid = fields.get("id")?.as_str()?.parse().ok()?;
    let name = fields.get("name")?.as_str()?.to_owned();
    let salt = notes.salt(id.as_bytes());
    let name_hash = Digest::of(&[salt.as_slice(), name.as_bytes()].concat());
    Some(EvidencePerson { id, name, name_hash, salt: hex::encode(salt) })
}

#[cfg(test)]
mod tests {
    use plimsoll_core::{Timestamp, context::Context};
    use serde_json::json;

    use super::*;
    use crate::notes::Seed;

    #[test]
    fn a_name_becomes_a_hash_that_its_salt_proves() {
        let id = Uuid::from_u128(7);
        let ada = json!({"type": "user", "id": id, "userId": id, "name": "ada"});
        let says = json!({"by": ada, "deep": [{"by": ada}], "environment": {"id": id, "name": "prod"}});
        let notes = || Notes::new(Seed::draw(&Context::system()), Timestamp::from_seconds(0));
        let hidden = hide(&notes(), says.clone());
        let text = hidden.says.to_string();
        assert!(!text.contains("ada") && text.contains("prod"), "{text}");
        let [person] = hidden.people.as_slice() else { panic!("{:?}", hidden.people) };
        assert_eq!((person.name.as_str(), person.id), ("ada", id));
        assert_eq!(hidden.says["deep"][0]["by"]["nameHash"], json!(person.name_hash));
        let salted = [hex::decode(&person.salt).unwrap(), b"ada".to_vec()].concat();
        assert_eq!(Digest::of(&salted), person.name_hash);
        // Another change has another salt.
        assert_ne!(hide(&notes(), says).people[0].name_hash, person.name_hash);
    }
}
