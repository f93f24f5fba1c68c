//! Databases of one's own on a server that is shared.

use plimsoll_testkit::Postgres;
use tokio_postgres::NoTls;

/// What the driver of the product gets from a database.
async fn ask(url: &str, sql: &str) -> anyhow::Result<i32> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let value = client.query_one(sql, &[]).await?.get(0);
    drop(client);
    connection.await??;
    Ok(value)
}

#[tokio::test]
async fn two_databases_of_one_server_do_not_see_each_other() {
    let postgres = Postgres::shared().unwrap();
    let (one, other) = (postgres.fresh_database().unwrap(), postgres.fresh_database().unwrap());
    one.sql("CREATE TABLE here (n int)").unwrap();
    let exists = "SELECT count(*)::int FROM pg_tables WHERE tablename = 'here'";
    assert_eq!(ask(&one.url(), exists).await.unwrap(), 1);
    assert_eq!(ask(&other.url(), exists).await.unwrap(), 0);
}

#[tokio::test]
async fn a_database_is_gone_when_it_is_dropped_even_while_it_is_used() {
    let postgres = Postgres::shared().unwrap();
    let database = postgres.fresh_database().unwrap();
    let name = database.name().to_owned();
    let (_client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    drop(database);
    let left = postgres.sql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")).unwrap();
    assert_eq!(left, "0");
}

#[tokio::test]
async fn a_template_is_prepared_once_and_copied() {
    let postgres = Postgres::shared().unwrap();
    let mut prepared = 0;
    for _ in 0..2 {
        let database = postgres
            .fresh_database_like("template_of_the_testkit", async |url| {
                prepared += 1;
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
                let connection = tokio::spawn(connection);
                client.batch_execute("CREATE TABLE ready (n int); INSERT INTO ready VALUES (7)").await?;
                drop(client);
                Ok(connection.await??)
            })
            .await
            .unwrap();
        assert_eq!(ask(&database.url(), "SELECT n FROM ready").await.unwrap(), 7);
    }
    assert_eq!(prepared, 1);
}

#[test]
fn wrong_sql_is_an_error_that_says_so() {
    let error = Postgres::shared().unwrap().sql("SELECT nothing FROM nowhere").unwrap_err();
    assert!(error.to_string().contains("relation \"nowhere\" does not exist"), "{error}");
}

#[test]
fn a_server_of_ones_own_keeps_what_was_committed_over_a_crash() {
    let mut postgres = Postgres::start().unwrap();
    postgres.sql("CREATE TABLE kept (n int)").unwrap();
    postgres.sql("INSERT INTO kept VALUES (1)").unwrap();
    postgres.server().unwrap().crash().unwrap();
    assert!(postgres.sql("SELECT 1").is_err());
    postgres.server().unwrap().start_again().unwrap();
    assert_eq!(postgres.sql("SELECT n FROM kept").unwrap(), "1");
}

#[test]
fn the_shared_server_cannot_be_stopped_by_one_test() {
    assert!(Postgres::shared().unwrap().server().is_err());
}
