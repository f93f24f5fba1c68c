//! The server's start, and the people of the story: an administrator, one who releases, one who approves.

use anyhow::{Context as _, Result};
use plimsoll_core::{context::Context, permission::BuiltInRole};
use serde_json::{Value, json};

use crate::demo::{
    api::{Person, list, text},
    host::keep_secret,
    parts::server,
    shell,
    sign_in::sign_in as signed_in,
    stage::Stage,
};

/// Everybody.
pub(crate) struct People {
    pub(crate) server: String,
    /// Of each of them; made for this demo alone.
    pub(crate) password: String,
    pub(super) admin: Person,
    /// She cuts releases and asks for promotions. She could approve, if they were not her own.
    pub(super) ada: Person,
    /// She approves.
    pub(super) grace: Person,
}

pub(super) async fn sign_in(stage: &Stage) -> Result<People> {
    let password: String = Context::system().random::<12>().iter().map(|byte| format!("{byte:02x}")).collect();
    stage.does("the server makes its database and keys");
    let server = server::start(&stage.parts, &password).await?;
    stage.teller.saw(&format!("the API answers at {server}"));
    stage.does("people sign in");
    let admin = signed_in(&server, "admin", &password).await?;
    let ada = [BuiltInRole::ReleaseManager, BuiltInRole::Approver];
    let mut commands = Vec::new();
    let ada = join(stage, &admin, &server, "ada", &password, &ada, &mut commands).await?;
    let grace = join(stage, &admin, &server, "grace", &password, &[BuiltInRole::Approver], &mut commands).await?;
    for user in list(&admin.get("/users?sort=name").await?) {
        let name = text(user, "name")?;
        let roles = roles_of(&admin, text(user, "id")?).await?;
        stage.teller.saw(&format!("{name} is signed in; roles: {}", roles.join(", ")));
    }
    let serve: Vec<String> = server::arguments(stage.parts.folder()).iter().map(|one| shell::word(one)).collect();
    stage.teller.command(&format!("plimsoll {}", serve.join(" ")));
    stage.teller.command_as("admin", &format!("login {server}"));
    for command in commands {
        stage.teller.command_as("admin", &command);
    }
    for name in ["ada", "grace"] {
        stage.teller.command_as(name, &format!("login {server}"));
    }
    Ok(People { server, password, admin, ada, grace })
}

/// A new user with these roles, who signs in. What the administrator does for it is added to `commands`.
async fn join(
    stage: &Stage,
    admin: &Person,
    server: &str,
    name: &str,
    password: &str,
    roles: &[BuiltInRole],
    commands: &mut Vec<String>,
) -> Result<Person> {
    let body = json!({ "name": name, "password": password });
    // In a file: a password is not for the screen.
    let file = stage.parts.folder().join(format!("{name}.json"));
    keep_secret(&file, &body.to_string())?;
    commands.push(format!("api POST /api/v1/users --data @{}", shell::path(&file)));
    let made = admin.post("/users", &body).await?;
    let id = text(&made, "id")?;
    let known = admin.get("/roles?pageSize=100").await?;
    for role in roles {
        let role = named(&known, role.name())?;
        let principal = json!({ "type": "user", "id": id });
        let body = json!({ "roleId": role["id"], "principal": principal, "reason": "their work in the demo" });
        commands.push(format!("api POST /api/v1/role-bindings {}", shell::data(&body)));
        admin.post("/role-bindings", &body).await?;
    }
    let mut person = signed_in(server, name, password).await?;
    id.clone_into(&mut person.id);
    Ok(person)
}

async fn roles_of(admin: &Person, user: &str) -> Result<Vec<String>> {
    let bindings = admin.get("/role-bindings?pageSize=100").await?;
    let own = list(&bindings).iter().filter(|binding| binding["principal"]["id"] == user);
    own.map(|binding| Ok(text(binding, "role")?.to_owned())).collect()
}

fn named<'a>(all: &'a Value, name: &str) -> Result<&'a Value> {
    list(all).iter().find(|one| one["name"] == name).with_context(|| format!("there is no {name}"))
}
