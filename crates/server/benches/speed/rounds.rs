//! Measuring several servers in turn, so that a noisy moment meets all of them.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;

use crate::{
    load::{Measured, Pace, bring},
    process::Running,
    report::{median, say},
};

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub rounds: usize,
    pub warm_up: Duration,
    pub duration: Duration,
    /// Releases in the large database.
    pub rows: usize,
    /// Releases in the small one.
    pub few_rows: usize,
    /// Starts that are timed.
    pub starts: usize,
}

/// Writes the bytes of the n-th request.
pub type Request<'a> = Box<dyn Fn(u64, &mut Vec<u8>) + 'a>;

/// One server under one kind of load.
pub struct Contender<'a> {
    pub name: String,
    pub address: SocketAddr,
    pub process: &'a Running,
    pub connections: usize,
    pub expected: u16,
    pub request: Request<'a>,
}

/// What several rounds came to.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Calls a second: the median of the rounds.
    pub rate: f64,
    /// At the maximum, in milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// Processor time of the server for one call.
    pub micros_a_call: f64,
}

impl Contender<'_> {
    async fn load(&self, duration: Duration, pace: Pace) -> Result<Measured> {
        let measured = bring(self.address, self.connections, duration, pace, self.expected, &self.request).await?;
        measured.checked(&self.name)
    }

    /// At a part of its own maximum, paced: the measurement, and the rate that was asked for.
    pub async fn at(&self, part: f64, figures: &Figures, plan: &Plan) -> Result<Measured> {
        let rate = figures.rate * part;
        let measured = self.load(plan.duration, Pace::Paced(rate)).await?;
        say(&format!(
            "    {} at {rate:.0}/s: p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms",
            self.name,
            measured.millis(50.0),
            measured.millis(95.0),
            measured.millis(99.0)
        ))?;
        Ok(measured)
    }
}

/// The maximum of each, one after the other, as many rounds as planned.
pub async fn compare(contenders: &[Contender<'_>], plan: &Plan) -> Result<Vec<Figures>> {
    let mut all: Vec<Vec<Figures>> = vec![Vec::new(); contenders.len()];
    for contender in contenders {
        contender.load(plan.warm_up, Pace::Closed).await?;
    }
    for _ in 0..plan.rounds {
        for (contender, figures) in contenders.iter().zip(&mut all) {
            let before = contender.process.processor_seconds()?;
            let measured = contender.load(plan.duration, Pace::Closed).await?;
            let used = contender.process.processor_seconds()? - before;
            let one = Figures {
                rate: measured.rate(),
                p50: measured.millis(50.0),
                p99: measured.millis(99.0),
                micros_a_call: used * 1e6 / measured.good as f64,
            };
            say(&format!(
                "    {}: {:.0}/s, p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, {:.0} µs of processor a call{}",
                contender.name,
                one.rate,
                one.p50,
                measured.millis(95.0),
                one.p99,
                one.micros_a_call,
                if measured.bad > 0 {
                    format!(", {} failed: {:?}", measured.bad, measured.first_bad)
                } else {
                    String::new()
                },
            ))?;
            figures.push(one);
        }
    }
    Ok(all.into_iter().map(|rounds| middle(&rounds)).collect())
}

fn middle(rounds: &[Figures]) -> Figures {
    let of = |pick: fn(&Figures) -> f64| median(rounds.iter().map(pick).collect());
    Figures {
        rate: of(|one| one.rate),
        p50: of(|one| one.p50),
        p99: of(|one| one.p99),
        micros_a_call: of(|one| one.micros_a_call),
    }
}
