//! Forgetting, a thousand rows a transaction.

use plimsoll_core::Digest;
use plimsoll_store::{
    Scope, SystemReason, Tx,
    idempotency::{self, IdempotencyKey},
    params,
    retention::{self, OfJobs},
};

use crate::{both::World, on_both};

on_both! {
    old_answers_go_a_thousand_at_a_time => old_answers_go_a_thousand_at_a_time;
    logs_of_finished_jobs_go_a_thousand_at_a_time => logs_of_finished_jobs_go_a_thousand_at_a_time;
}

const SYSTEM: Scope = Scope::System(SystemReason::Retention);

async fn old_answers_go_a_thousand_at_a_time(world: World) {
    let (now, principal) = (world.now(), world.context.uuid());
    let fill = move |tx: &mut Tx<'_>| {
        for number in 0..2002 {
            let key = IdempotencyKey {
                principal,
                method: "POST",
                path: "/".into(),
                key: number.to_string(),
                body: Digest::of(b""),
            };
            // Two of them are younger.
            idempotency::reserve(tx, &key, if number < 2000 { now } else { now.plus_seconds(2) }, None)?;
        }
        Ok(())
    };
    world.store.write(world.scope(), "fill", fill).await.unwrap();
    let mut more = Vec::new();
    for _ in 0..3 {
        let step = move |tx: &mut Tx<'_>| retention::forget_answers(tx, now.plus_seconds(1));
        more.push(world.store.write(SYSTEM, "forget", step).await.unwrap());
    }
    assert_eq!(more, [true, true, false]);
    let left = |tx: &mut Tx<'_>| tx.query_one("SELECT count(*) FROM idempotency", params![])?.first::<i64>();
    assert_eq!(world.store.read(world.scope(), "count", left).await.unwrap(), 2);
}

/// One finished job with a long log, then sixty at the same instant with a chunk each.
async fn logs_of_finished_jobs_go_a_thousand_at_a_time(world: World) {
    let (now, tenant) = (world.now(), world.tenant);
    let fill = move |tx: &mut Tx<'_>| {
        for number in 0..61 {
            let (job, task) = (format!("job-{number:02}"), format!("task-{number:02}"));
            tx.execute(
                "INSERT INTO deployment_job (tenant_id, id, revision, created_at, body, kind, status, environment_id,
                   application, release_id, updated_at, finished_at)
                 VALUES ($1, $2, 1, $3, '{}', 'deploy', 'succeeded', 'e', 'a', 'r', $3, $3)",
                params![tenant, &job, now],
            )?;
            tx.execute(
                "INSERT INTO task (tenant_id, id, revision, created_at, body, job_id, target_id, kind, status, batch, epoch)
                 VALUES ($1, $2, 1, $3, '{}', $4, 't', 'forward', 'succeeded', 0, 1)",
                params![tenant, &task, now, &job],
            )?;
            for chunk in 0..(if number == 0 { 1500_i64 } else { 1 }) {
                tx.execute(
                    "INSERT INTO task_log (tenant_id, task_id, first_seq, lines, chunk, body) VALUES ($1, $2, $3, 1, $3, '[]')",
                    params![tenant, &task, chunk],
                )?;
            }
        }
        Ok(())
    };
    world.store.write(world.scope(), "fill", fill).await.unwrap();
    let left = |tx: &mut Tx<'_>| tx.query_one("SELECT count(*) FROM task_log", params![])?.first::<i64>();
    let early = move |tx: &mut Tx<'_>| retention::forget_of_jobs(tx, OfJobs::Logs, now.plus_seconds(-1));
    assert!(!world.store.write(SYSTEM, "forget", early).await.unwrap());
    let mut counts = Vec::new();
    loop {
        let step = move |tx: &mut Tx<'_>| retention::forget_of_jobs(tx, OfJobs::Logs, now);
        let more = world.store.write(SYSTEM, "forget", step).await.unwrap();
        counts.push(world.store.read(world.scope(), "count", left).await.unwrap());
        if !more {
            break;
        }
    }
    assert!(counts.windows(2).all(|pair| pair[0] - pair[1] <= retention::CHUNK), "{counts:?}");
    assert_eq!((counts[0], counts.last()), (560, Some(&0)));
}
