//! `CACHE TABLE`, `UNCACHE TABLE`, `CLEAR CACHE`.

use std::sync::Arc;

use spark::command::CreateView;
use spark::plan::Node;
use spark::{Plan, Result};

use crate::catalog::table_not_found;
use crate::names::key;
use crate::naming::Found;
use crate::operation::Table;
use crate::session::Session;

/// `CACHE TABLE name [AS query]`.
pub async fn cache(
    session: &Arc<Session>,
    name: Vec<String>,
    query: Option<Box<Plan>>,
    text: Option<String>,
) -> Result<Table> {
    if let Some(query) = query {
        let view = CreateView {
            name: name.clone(),
            columns: Vec::new(),
            comment: None,
            properties: Vec::new(),
            plan: *query,
            text,
            metric_view: None,
            collation: None,
            schema_mode: None,
            temporary: true,
            global: false,
            replace: false,
            if_not_exists: false,
        };
        super::view::create(session, view).await?;
    }
    let settings = session.settings();
    let found = session.find(&name, &settings)?;
    match found {
        Found::Temp(_, mut relation) => {
            let view = Node::Table { name: name.clone(), options: Vec::new(), is_streaming: false, time_travel: None };
            let kept = session.keep(&Plan::from(view)).await?;
            relation.kept = Some(relation.kept.take().unwrap_or_else(|| Arc::clone(&relation.source)));
            relation.source = kept.source;
            set_temp(session, &name, relation, settings.case_sensitive);
        }
        Found::Entry(place, _) => {
            session.set_cached_table(&place, None)?;
            let kept = session.keep_table(&place).await?;
            session.set_cached_table(&place, Some(kept))?;
        }
        Found::Nothing => return Err(table_not_found(&name)),
    }
    Ok(Table::empty())
}

fn set_temp(session: &Session, name: &[String], relation: crate::names::Relation, case_sensitive: bool) {
    let Some(last) = name.last() else { return };
    let key = key(last, case_sensitive);
    let entry = (last.clone(), relation);
    if name.len() == 1 {
        session.names.lock().temp_views.insert(key, entry);
    } else {
        session.engine().shared().global_views.write().insert(key, entry);
    }
}

/// `UNCACHE TABLE`.
pub fn uncache(session: &Session, name: &[String], if_exists: bool) -> Result<Table> {
    let settings = session.settings();
    match session.find(name, &settings)? {
        Found::Temp(_, mut relation) => {
            if let Some(original) = relation.kept.take() {
                relation.source = original;
                set_temp(session, name, relation, settings.case_sensitive);
            }
        }
        Found::Entry(place, _) => {
            session.set_cached_table(&place, None)?;
        }
        Found::Nothing if if_exists => {}
        Found::Nothing => return Err(table_not_found(name)),
    }
    Ok(Table::empty())
}

/// `CLEAR CACHE`.
pub fn clear(session: &Session) -> Table {
    session.clear_cached_tables();
    for (_, relation) in session.names.lock().temp_views.values_mut() {
        if let Some(original) = relation.kept.take() {
            relation.source = original;
        }
    }
    Table::empty()
}

/// `REFRESH TABLE`: kept rows are read anew. Files are listed by every query, so that is all.
pub async fn refresh(session: &Arc<Session>, name: &[String]) -> Result<Table> {
    session.find(name, &session.settings())?.or_missing(name)?;
    if is_cached(session, name)? {
        uncache(session, name, true)?;
        cache(session, name.to_vec(), None, None).await?;
    }
    Ok(Table::empty())
}

/// `REFRESH path`: what was kept of files there is read anew.
pub fn refresh_path(session: &Session, path: &str) -> Table {
    session.rows_changed(path);
    Table::empty()
}

/// Whether the rows of a table or view are kept.
pub fn is_cached(session: &Session, name: &[String]) -> Result<bool> {
    Ok(match session.find(name, &session.settings())? {
        Found::Temp(_, relation) => relation.kept.is_some(),
        Found::Entry(place, _) => session.is_cached(&place),
        Found::Nothing => return Err(table_not_found(name)),
    })
}
