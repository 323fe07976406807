use chrono::NaiveDate;
use db::{Tx, on};
use identity::SchoolId;
use rpc::{Error, Result};

use crate::domain::{Register, Session, Slot};

pub(crate) async fn get(tx: &mut Tx, slot: &Slot) -> Result<Option<Register>> {
    let marks: Option<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(
        "SELECT marks FROM register WHERE school_id = $1 AND date = $2 AND session = $3"
    )
    .bind(slot.school_id)
    .bind(slot.date)
    .bind(slot.session)
    .fetch_optional(c)
    .await)?;
    marks.as_deref().map(decode).transpose()
}

/// A school's registers from one day to another.
pub(crate) async fn between(
    tx: &mut Tx,
    school_id: SchoolId,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<(Slot, Register)>> {
    let rows = on!(tx, |c| sqlx::query_as(
        "SELECT date, session, marks FROM register
         WHERE school_id = $1 AND date BETWEEN $2 AND $3 ORDER BY date, session"
    )
    .bind(school_id)
    .bind(from)
    .bind(to)
    .fetch_all(c)
    .await)?;
    unpack(school_id, rows)
}

/// A school's registers in which marks wait for an enrolment.
pub(crate) async fn waiting(tx: &mut Tx, school_id: SchoolId) -> Result<Vec<(Slot, Register)>> {
    let rows = on!(tx, |c| sqlx::query_as(
        "SELECT date, session, marks FROM register WHERE school_id = $1 AND waiting > 0"
    )
    .bind(school_id)
    .fetch_all(c)
    .await)?;
    unpack(school_id, rows)
}

/// Stores a register; one without marks is none.
pub(crate) async fn put(tx: &mut Tx, slot: &Slot, register: &Register) -> Result<()> {
    if register.entries().is_empty() {
        on!(tx, |c| sqlx::query(
            "DELETE FROM register WHERE school_id = $1 AND date = $2 AND session = $3"
        )
        .bind(slot.school_id)
        .bind(slot.date)
        .bind(slot.session)
        .execute(c)
        .await
        .map(drop))?;
        return Ok(());
    }
    let waiting = i32::try_from(register.waiting()).map_err(Error::internal)?;
    on!(tx, |c| sqlx::query(
        "INSERT INTO register (school_id, date, session, waiting, marks)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (school_id, date, session)
         DO UPDATE SET waiting = excluded.waiting, marks = excluded.marks"
    )
    .bind(slot.school_id)
    .bind(slot.date)
    .bind(slot.session)
    .bind(waiting)
    .bind(register.encode())
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

fn unpack(
    school_id: SchoolId,
    rows: Vec<(NaiveDate, Session, Vec<u8>)>,
) -> Result<Vec<(Slot, Register)>> {
    rows.into_iter()
        .map(|(date, session, marks)| Ok((Slot { school_id, date, session }, decode(&marks)?)))
        .collect()
}

fn decode(marks: &[u8]) -> Result<Register> {
    Register::decode(marks).ok_or_else(|| Error::internal("a register cannot be unpacked"))
}
