//! Agents as processes.

use std::{path::PathBuf, process::Command, time::Duration};

use plimsoll_testkit::{Process, TestHost, eventually_async};
use serde_json::json;

use super::{Estate, Person, breath, plimsoll};

/// An agent's process and what it needs to be started again.
pub struct AgentProcess {
    pub id: String,
    pub name: String,
    pub process: Option<Process>,
    pub data: PathBuf,
    namespace: Option<String>,
}

impl Estate {
    /// Enrols an agent by a registration token, starts it and waits until the server sees it.
    pub async fn agent(&mut self, admin: &Person, name: &str, host: Option<&TestHost>) -> String {
        let made = admin.post("/registration-tokens", &json!({ "description": name })).await;
        let data = self.folder().join(format!("agent-{name}"));
        let mut agent = AgentProcess {
            id: String::new(),
            name: name.to_owned(),
            process: None,
            data,
            namespace: host.map(|host| host.namespace().to_owned()),
        };
        let mut enrol = self.agent_command(&agent);
        let output = enrol
            .args(["agent", "enrol", "--server", &self.url, "--name", name, "--allow-plain-http", "--data-dir"])
            .arg(&agent.data)
            .env("PLIMSOLL_REGISTRATION_TOKEN", made["token"].as_str().unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        agent.id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let id = agent.id.clone();
        self.agents.push(agent);
        self.start_agent(self.agents.len() - 1, None);
        eventually_async(&format!("the agent {name} is online"), Duration::from_secs(20), async || {
            breath().await;
            let seen = admin.try_get(&format!("/agents/{id}")).await?;
            if seen["status"] == "online" { Ok(()) } else { Err(seen.to_string()) }
        })
        .await
        .unwrap();
        id
    }

    /// Starts an agent that is not running, to abort at a fail point if one is named.
    pub fn start_agent(&mut self, index: usize, fail_point: Option<&str>) {
        let agent = &self.agents[index];
        let mut command = self.agent_command(agent);
        command.args(["agent", "run", "--allow-plain-http", "--data-dir"]).arg(&agent.data);
        if let Some(point) = fail_point {
            command.env("PLIMSOLL_FAILPOINT", point);
        }
        let name = format!("agent-{}", agent.name);
        let process = Process::spawn(&mut command, &name, self.folder()).unwrap();
        self.agents[index].process = Some(process);
    }

    /// `plimsoll` on the agent's host.
    fn agent_command(&self, agent: &AgentProcess) -> Command {
        let here = plimsoll(self.folder());
        let Some(namespace) = &agent.namespace else { return here };
        let mut there = Command::new("nsenter");
        there.arg(format!("--net=/var/run/netns/{namespace}")).arg(here.get_program());
        there.env_clear().env("HOME", self.folder()).env("PATH", std::env::var_os("PATH").unwrap());
        there.current_dir(self.folder());
        there
    }
}

impl AgentProcess {
    pub fn running(&mut self) -> &mut Process {
        self.process.as_mut().expect("the agent was started")
    }
}
