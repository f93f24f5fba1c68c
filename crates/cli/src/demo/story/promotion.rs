//! Promotions: asked for, carried out, and looked at on the hosts.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Carried, ENVIRONMENTS, World, approval, release, release::Release};
use crate::demo::{
    api::{Person, list, text},
    shell,
    stage::{Seen, Stage},
};

/// Asks for a release in an environment.
pub(super) async fn request(world: &World, release: &Release, environment: &str) -> Result<Value> {
    let body = json!({
        "releaseId": release.id, "targetEnvironmentId": world.environment(environment)?,
        "reason": reason(release, environment),
    });
    world.people.ada.post("/promotions", &body).await
}

/// Why it is asked for.
fn reason(release: &Release, environment: &str) -> String {
    format!("{} is ready for {environment}", release.name())
}

/// How it is asked for.
pub(super) fn tell_request(stage: &Stage, release: &Release, environment: &str) {
    let why = shell::word(&reason(release, environment));
    let command = format!("promote {} --to {environment} --reason {why} --wait", release.name());
    stage.teller.command_as("ada", &command);
}

/// Waits until a promotion has one of these statuses.
pub(super) async fn becomes(stage: &Stage, who: &Person, promotion: &str, wanted: &[&str]) -> Result<Value> {
    const ENDS: [&str; 7] = ["deployed", "failed", "rolled_back", "rejected", "cancelled", "expired", "superseded"];
    stage
        .until("the promotion", async || {
            let seen = who.get(&format!("/promotions/{promotion}")).await?;
            let status = text(&seen, "status")?;
            if wanted.contains(&status) {
                return Ok(Seen::Done(seen));
            }
            if ENDS.contains(&status) {
                bail!("the promotion is {status}, and should be {}: {}", wanted.join(" or "), why(who, &seen).await);
            }
            let Some(job) = seen["deploymentJobId"].as_str() else { return Ok(Seen::NotYet(status.to_owned())) };
            let progress = who.get(&format!("/deployment-jobs/{job}")).await?["progress"].clone();
            let count = |name: &str| progress[name].as_u64().unwrap_or_default();
            // What it was to put back may wait long for a host that is away.
            if wanted == ["deployed"] && count("failed") + count("unknown") > 0 {
                bail!("the promotion will not be deployed: {}", why(who, &seen).await);
            }
            Ok(Seen::NotYet(format!("{status}, {} of {} hosts", count("succeeded"), count("total"))))
        })
        .await
}

/// What a job that went wrong says, and its tasks, as far as that can be learned.
async fn why(who: &Person, promotion: &Value) -> String {
    let Some(id) = promotion["deploymentJobId"].as_str() else { return gates(&promotion["decision"]).join("; ") };
    let job = who.get(&format!("/deployment-jobs/{id}")).await.unwrap_or_default();
    let tasks = who.get(&format!("/deployment-jobs/{id}/tasks?pageSize=100")).await.unwrap_or_default();
    let said = |one: &Value| one["message"].as_str().map(str::to_owned);
    let of_task = |task: &Value| Some(format!("{}: {}", task["targetName"].as_str()?, said(&task["error"])?));
    let all: Vec<String> = said(&job["failure"]).into_iter().chain(list(&tasks).iter().filter_map(of_task)).collect();
    if all.is_empty() { "its job gives no reason".to_owned() } else { all.join("; ") }
}

/// What each gate says.
pub(super) fn gates(decision: &Value) -> Vec<String> {
    let field = |gate: &Value, name: &str| gate[name].as_str().unwrap_or_default().to_owned();
    let line = |gate| format!("{}: {}: {}", field(gate, "gate"), field(gate, "verdict"), field(gate, "reason"));
    list(&decision["gates"]).iter().map(line).collect()
}

/// The release passes an environment's gates and reaches all its hosts.
pub(super) async fn enters(stage: &Stage, world: &World, release: &Release, environment: &str) -> Result<Carried> {
    let promotion = request(world, release, environment).await?;
    let promotion = text(&promotion, "id")?;
    let carried = arrives(stage, world, promotion, release, environment).await?;
    tell_request(stage, release, environment);
    Ok(carried)
}

/// A promotion is carried out, and all hosts run what was promoted.
pub(super) async fn arrives(
    stage: &Stage,
    world: &World,
    promotion: &str,
    release: &Release,
    environment: &str,
) -> Result<Carried> {
    let done = becomes(stage, &world.people.ada, promotion, &["deployed"]).await?;
    for gate in gates(&done["decision"]) {
        stage.teller.saw(&format!("gate {gate}"));
    }
    let job = text(&done, "deploymentJobId")?.to_owned();
    on_hosts(stage, world, &job, &release.version, environment).await?;
    Ok(Carried { promotion: Some(promotion.to_owned()), job })
}

/// Each host of the environment runs that version, by the job, by the API and by itself.
pub(super) async fn on_hosts(stage: &Stage, world: &World, job: &str, version: &str, environment: &str) -> Result<()> {
    let tasks = world.people.ada.get(&format!("/deployment-jobs/{job}/tasks?pageSize=100")).await?;
    for host in world.hosts_of(environment) {
        let task = list(&tasks).iter().find(|task| task["targetId"] == host.target.as_str());
        let task = task.with_context(|| format!("the job has no task for {}", host.name))?;
        ensure!(task["status"] == "succeeded", "the task of {} is {task}", host.name);
        for expected in world.expected(version)? {
            stage.teller.saw(&host.runs(stage, &world.kind, task, &expected).await?);
        }
    }
    Ok(())
}

/// The gates of prod, asked without any effect, refuse what has not been in staging.
pub(super) async fn no_shortcut(stage: &Stage, world: &World, release: &Release) -> Result<()> {
    let body = json!({ "releaseId": release.id, "targetEnvironmentId": world.environment("prod")? });
    let preview = world.people.ada.post("/promotions/preview-gates", &body).await?;
    ensure!(preview["outcome"] == "blocked", "prod would let it in: {preview}");
    let path = list(&preview["gates"]).iter().find(|gate| gate["gate"] == "promotion_path");
    ensure!(path.is_some_and(|gate| gate["verdict"] == "deny"), "the path does not hold it up: {preview}");
    stage.teller.saw(&format!("prod would be {}", text(&preview, "outcome")?));
    for gate in gates(&preview) {
        stage.teller.saw(&format!("gate {gate}"));
    }
    stage.teller.command_as("ada", &format!("promote {} --to prod --preview", release.name()));
    Ok(())
}

/// The second good release, through all three environments.
pub(super) async fn goes_all_the_way(stage: &Stage, world: &World) -> Result<Vec<Carried>> {
    let release = release::sealed(world, "1.1.0").await?;
    let mut carried = Vec::new();
    release::tell_sealing(stage, &release);
    for environment in ENVIRONMENTS {
        let promotion = request(world, &release, environment).await?;
        let promotion = text(&promotion, "id")?;
        if environment == "prod" {
            becomes(stage, &world.people.ada, promotion, &["awaiting_approval"]).await?;
            approval::approve(world, promotion).await?;
        }
        carried.push(arrives(stage, world, promotion, &release, environment).await?);
        tell_request(stage, &release, environment);
        if environment == "prod" {
            approval::tell_approval(stage, promotion);
            stage.teller.command_as("ada", &format!("promotion watch {promotion} --wait"));
        }
    }
    Ok(carried)
}
