//! `Config`: the session's configuration as an API.

use proto::spark_connect as pb;
use proto::spark_connect::config_request::operation::OpType;
use spark::conf::is_modifiable;
use spark::{Error, Result};

use crate::backend::Session;
use crate::from_proto::not_set;

/// Pairs to answer, and warnings.
pub type Answer = (Vec<pb::KeyValue>, Vec<String>);

/// Answers one operation.
pub fn configure(session: &dyn Session, operation: Option<OpType>) -> Result<Answer> {
    let pairs = match operation {
        None => return Err(not_set("spark.connect.ConfigRequest.Operation", "OPTYPE_NOT_SET")),
        Some(OpType::Set(set)) => return assign(session, set),
        Some(OpType::Get(get)) => {
            let conf = session.conf();
            let pair = |key: String| Ok(pair(&key, Some(conf.lookup(&key)?)));
            get.keys.into_iter().map(pair).collect::<Result<_>>()?
        }
        Some(OpType::GetWithDefault(get)) => {
            let conf = session.conf();
            let pair = |p: pb::KeyValue| Ok(pair(&p.key, conf.get_with_default(&p.key, p.value.as_deref())?));
            get.pairs.into_iter().map(pair).collect::<Result<_>>()?
        }
        Some(OpType::GetOption(get)) => {
            let conf = session.conf();
            get.keys.iter().map(|key| pair(key, conf.option(key))).collect()
        }
        Some(OpType::GetAll(get)) => {
            let all = session.conf().get_all(get.prefix.as_deref());
            all.into_iter().map(|(key, value)| pair(&key, Some(value))).collect()
        }
        Some(OpType::Unset(unset)) => {
            unset.keys.iter().try_for_each(|key| session.unset_conf(key))?;
            Vec::new()
        }
        Some(OpType::IsModifiable(asked)) => {
            asked.keys.iter().map(|key| pair(key, Some(is_modifiable(key).to_string()))).collect()
        }
    };
    Ok((pairs, Vec::new()))
}

/// Sets pairs; where failures are to be silent they become warnings and the rest is set.
fn assign(session: &dyn Session, set: pb::config_request::Set) -> Result<Answer> {
    let mut warnings = Vec::new();
    for p in set.pairs {
        let Some(value) = p.value else {
            return Err(Error::new(spark::ErrorKind::IllegalArgument, "")
                .with_message(format!("The key {} takes a value, not null.", p.key)));
        };
        match session.set_conf(&p.key, &value) {
            Ok(()) => {}
            Err(error) if set.silent.unwrap_or(false) => {
                warnings.push(format!("{} was not set to {value}: {}", p.key, error.text()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((Vec::new(), warnings))
}

fn pair(key: &str, value: Option<String>) -> pb::KeyValue {
    pb::KeyValue { key: key.to_string(), value }
}
