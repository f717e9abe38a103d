//! The sheets of a register: kept in step with the rows, and read in their place.
//!
//! The rule enforced here: sheets change in the transaction that changes the rows, under the lease's row lock, so a shelf has none
//! or they say what its rows say. Like the operations, it is compiled for each engine.

use std::collections::BTreeMap;

use super::operations::{Done, corrupt, get, known_of, known_rows, rows};
use super::{Connection, failed};
use crate::sync::kind::Shelf;
use crate::sync::register::Known;
use crate::sync::sql::sheet::{self, Change, MOST};
use crate::sync::sql::tables::table;

/// More changes than these at once are not taken over one by one: the shelf's sheets go, and the next full run makes new ones.
pub(super) const MANY: usize = 10_000;

/// Rows that are packed together.
const AT_ONCE: usize = 8 * MOST;

/// A sheet, and where the next one begins.
struct Sheet {
    from: i64,
    body: Vec<u8>,
    until: Option<i64>,
}

fn unpack(body: &[u8], above: i64, most: usize, into: &mut Vec<Known>) -> Done<()> {
    sheet::unpack_above(body, above, most, into).ok_or_else(|| corrupt("a sheet is not what was written"))
}

/// Elements of a shelf after one; nothing if the shelf has no sheets.
pub(super) async fn known(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    after: Option<i64>,
    limit: usize,
) -> Done<Option<Vec<Known>>> {
    let first = "SELECT from_fid, body FROM geosite_sheets WHERE integration = $1 AND shelf = $2 AND from_fid >=
                   (SELECT MAX(from_fid) FROM geosite_sheets WHERE integration = $1 AND shelf = $2 AND from_fid <= $3)
                 ORDER BY from_fid LIMIT $4";
    let next =
        "SELECT from_fid, body FROM geosite_sheets WHERE integration = $1 AND shelf = $2 AND from_fid > $3
                ORDER BY from_fid LIMIT $4";
    let (mut sql, mut at) = (first, after.unwrap_or(i64::MIN));
    let mut above = at;
    let mut all = Vec::with_capacity(limit.min(AT_ONCE));
    loop {
        let sheets = limit.saturating_sub(all.len()).div_ceil(MOST).saturating_add(1);
        let query = sqlx::query(sql).bind(name).bind(on.name()).bind(at).bind(rows(sheets));
        let found = query.fetch_all(&mut *connection).await.map_err(failed)?;
        if found.is_empty() && sql == first {
            return Ok(None);
        }
        for row in &found {
            at = get(row, 0)?;
            unpack(get(row, 1)?, above, limit, &mut all)?;
            // A sheet that was cut between two of these queries brings the same entries again.
            above = all.last().map_or(above, |known| known.fid);
        }
        if found.len() < sheets || all.len() >= limit {
            return Ok(Some(all));
        }
        sql = next;
    }
}

/// Takes over what was written of these elements.
pub(super) async fn note_written(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    fids: &[i64],
) -> Done<()> {
    if fids.len() > MANY {
        return forget(connection, name, on).await;
    }
    let known = known_of(connection, name, on, fids).await?;
    note(connection, name, on, known.into_iter().map(|known| (known.fid, Some(known))).collect()).await
}

/// Takes over changes of elements whose rows were changed in this transaction.
pub(super) async fn note(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    changes: BTreeMap<i64, Option<Known>>,
) -> Done<()> {
    let changes: Vec<Change> = changes.into_iter().collect();
    let mut rest = changes.as_slice();
    while let Some((fid, _)) = rest.first() {
        let Some(sheet) = sheet_of(connection, name, on, *fid).await? else {
            return pack_all(connection, name, on).await;
        };
        let here = rest.partition_point(|(fid, _)| sheet.until.is_none_or(|until| *fid < until));
        let (here, others) = rest.split_at_checked(here.max(1)).unwrap_or((rest, &[]));
        amend(connection, name, on, &sheet, here).await?;
        rest = others;
    }
    Ok(())
}

/// The sheet whose range a number falls into.
async fn sheet_of(connection: &mut Connection, name: &str, on: Shelf, fid: i64) -> Done<Option<Sheet>> {
    let sql = "SELECT s.from_fid, s.body,
                 (SELECT MIN(n.from_fid) FROM geosite_sheets n
                  WHERE n.integration = $1 AND n.shelf = $2 AND n.from_fid > s.from_fid)
               FROM geosite_sheets s WHERE s.integration = $1 AND s.shelf = $2 AND s.from_fid <= $3
               ORDER BY s.from_fid DESC LIMIT 1";
    let query = sqlx::query(sql).bind(name).bind(on.name()).bind(fid);
    let row = query.fetch_optional(connection).await.map_err(failed)?;
    row.map(|row| Ok(Sheet { from: get(&row, 0)?, body: get(&row, 1)?, until: get(&row, 2)? })).transpose()
}

async fn amend(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    sheet: &Sheet,
    changes: &[Change],
) -> Done<()> {
    let mut entries = Vec::with_capacity(MOST);
    unpack(&sheet.body, i64::MIN, usize::MAX, &mut entries)?;
    let entries = sheet::amended(entries, changes);
    if entries.is_empty() && sheet.from > i64::MIN {
        let sql = "DELETE FROM geosite_sheets WHERE integration = $1 AND shelf = $2 AND from_fid = $3";
        let query = sqlx::query(sql).bind(name).bind(on.name()).bind(sheet.from);
        query.execute(connection).await.map_err(failed)?;
        return Ok(());
    }
    write(connection, name, on, sheet.from, &entries).await
}

/// Writes entries as sheets, of which the first begins at `from`.
async fn write(connection: &mut Connection, name: &str, on: Shelf, from: i64, entries: &[Known]) -> Done<()> {
    let mut pieces = sheet::cut(entries);
    write_one(connection, name, on, from, pieces.next().unwrap_or_default()).await?;
    for piece in pieces {
        let from = piece.first().map_or(from, |known| known.fid);
        write_one(connection, name, on, from, piece).await?;
    }
    Ok(())
}

async fn write_one(
    connection: &mut Connection,
    name: &str,
    on: Shelf,
    from: i64,
    entries: &[Known],
) -> Done<()> {
    let body = sheet::pack(entries).ok_or_else(|| corrupt("a kind has no number in sheets"))?;
    let sql = "INSERT INTO geosite_sheets (integration, shelf, from_fid, held, body) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (integration, shelf, from_fid) DO UPDATE SET held = excluded.held, body = excluded.body";
    let query = sqlx::query(sql).bind(name).bind(on.name()).bind(from).bind(rows(entries.len())).bind(body);
    query.execute(connection).await.map_err(failed)?;
    Ok(())
}

/// A shelf without sheets is compared row by row.
pub(super) async fn forget(connection: &mut Connection, name: &str, on: Shelf) -> Done<()> {
    let sql = "DELETE FROM geosite_sheets WHERE integration = $1 AND shelf = $2";
    sqlx::query(sql).bind(name).bind(on.name()).execute(connection).await.map_err(failed)?;
    Ok(())
}

/// Makes the sheets of a shelf anew from its rows.
async fn pack_all(connection: &mut Connection, name: &str, on: Shelf) -> Done<()> {
    forget(connection, name, on).await?;
    let (mut from, mut after) = (i64::MIN, None);
    loop {
        let some = known_rows(connection, name, on, after, AT_ONCE).await?;
        if some.is_empty() && after.is_some() {
            return Ok(());
        }
        write(connection, name, on, from, &some).await?;
        let Some(last) = some.last().filter(|_| some.len() == AT_ONCE) else { return Ok(()) };
        (from, after) = (last.fid.saturating_add(1), Some(last.fid));
    }
}

/// Makes sheets where there are none, or not as many entries as rows: after an upgrade, after a large deletion, and when somebody
/// has changed the tables by hand.
pub(super) async fn repair(connection: &mut Connection, name: &str) -> Done<()> {
    for on in Shelf::ALL.iter().copied() {
        let table = table(on);
        let sql = format!(
            "SELECT (SELECT COUNT(*) FROM {} WHERE integration = $1{}),
                    (SELECT CAST(SUM(held) AS BIGINT) FROM geosite_sheets WHERE integration = $1 AND shelf = $2)",
            table.name,
            table.only(on)
        );
        let query = sqlx::query(&sql).bind(name).bind(on.name());
        let row = query.fetch_one(&mut *connection).await.map_err(failed)?;
        let (stored, held): (i64, Option<i64>) = (get(&row, 0)?, get(&row, 1)?);
        if held.unwrap_or_default() != stored {
            pack_all(connection, name, on).await?;
        }
    }
    Ok(())
}
