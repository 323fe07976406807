//! The role under which a service works on `PostgreSQL`. It owns nothing, so it can neither take a trigger off nor step
//! around row-level security; it may do with each table what the service does.

use sqlx::{AssertSqlSafe, Connection, Error, Executor, PgConnection, Result};

const DUPLICATE_ROLE: &str = "42710";
const UNIQUE_VIOLATION: &str = "23505";

/// Makes sure that the role is there, that the login may take it on, and that it has its rights; gives its name.
pub(crate) async fn establish(
    owner: &mut PgConnection,
    schema: &str,
    (append_only, sealed): (&[&str], &[&str]),
) -> Result<String> {
    let role = format!("headway_{schema}");
    exist(owner, &role).await?;
    admit(owner, &role).await?;
    grant(owner, schema, &role, (append_only, sealed)).await?;
    Ok(role)
}

async fn exist(owner: &mut PgConnection, role: &str) -> Result<()> {
    let mighty: Option<bool> =
        sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = $1")
            .bind(role)
            .fetch_optional(&mut *owner)
            .await?;
    match mighty {
        Some(false) => return Ok(()),
        Some(true) => {
            return Err(refused(format!(
                "role {role} steps around row-level security; run: ALTER ROLE \"{role}\" NOSUPERUSER NOBYPASSRLS"
            )));
        }
        None => {}
    }
    match owner.execute(AssertSqlSafe(format!("CREATE ROLE \"{role}\" NOLOGIN"))).await {
        Ok(_) => Ok(()),
        // Roles belong to the whole server: a service of another database may have made it a moment ago.
        Err(error) if has_code(&error, &[DUPLICATE_ROLE, UNIQUE_VIOLATION]) => Ok(()),
        Err(error) => Err(refused(format!(
            "Headway works under a role that owns nothing, and the login may not make it ({error}); have an \
             administrator run: CREATE ROLE \"{role}\" NOLOGIN; GRANT \"{role}\" TO \"{}\"",
            login(owner).await?
        ))),
    }
}

/// Lets the login take the role on, unless it may already.
async fn admit(owner: &mut PgConnection, role: &str) -> Result<()> {
    if owner.execute(AssertSqlSafe(format!("SET ROLE \"{role}\""))).await.is_ok() {
        owner.execute("RESET ROLE").await?;
        return Ok(());
    }
    match owner.execute(AssertSqlSafe(format!("GRANT \"{role}\" TO CURRENT_USER"))).await {
        Ok(_) => Ok(()),
        Err(error) => Err(refused(format!(
            "the login may not take on the role {role} ({error}); have an administrator run: GRANT \"{role}\" TO \"{}\"",
            login(owner).await?
        ))),
    }
}

/// In one transaction, so that at no moment the role has more than it should.
async fn grant(
    owner: &mut PgConnection,
    schema: &str,
    role: &str,
    (append_only, sealed): (&[&str], &[&str]),
) -> Result<()> {
    let mut tx = owner.begin().await?;
    let mut statements = vec![
        format!("GRANT USAGE ON SCHEMA \"{schema}\" TO \"{role}\""),
        format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"{schema}\" TO \"{role}\""
        ),
        format!("REVOKE ALL ON \"{schema}\"._sqlx_migrations FROM \"{role}\""),
    ];
    statements.extend(append_only.iter().map(|table| {
        format!("REVOKE UPDATE, DELETE, TRUNCATE ON \"{schema}\".\"{table}\" FROM \"{role}\"")
    }));
    statements.extend(
        sealed
            .iter()
            .map(|table| format!("REVOKE INSERT ON \"{schema}\".\"{table}\" FROM \"{role}\"")),
    );
    statements.push(format!("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA \"{schema}\" TO \"{role}\""));
    for statement in statements {
        tx.execute(AssertSqlSafe(statement)).await?;
    }
    tx.commit().await
}

async fn login(owner: &mut PgConnection) -> Result<String> {
    sqlx::query_scalar("SELECT current_user::text").fetch_one(owner).await
}

fn has_code(error: &Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|it| codes.contains(&it.as_ref()))
}

fn refused(message: String) -> Error {
    Error::Configuration(message.into())
}
