//! Values of columns that files lack because they were written before the columns were added to their table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics, exec_datafusion_err};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory, replace_columns_with_literals,
};
use datafusion_proto::protobuf;
use prost::Message;

/// Values by the column's name, which are of the column's canonical Arrow type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddedDefaults(BTreeMap<String, ScalarValue>);

/// A value in the form that a catalog keeps and executors are sent: a protobuf message in hexadecimal.
///
/// # Errors
/// For a value that has no such form.
pub fn to_text(value: &ScalarValue) -> Result<String> {
    let message: protobuf::ScalarValue =
        value.try_into().map_err(|e| exec_datafusion_err!("the default {value} cannot be kept: {e}"))?;
    Ok(hex::encode(message.encode_to_vec()))
}

pub(super) fn from_text(text: &str) -> Result<ScalarValue> {
    let damaged = |why: &dyn std::fmt::Display| exec_datafusion_err!("a kept default is damaged: {why}");
    let bytes = hex::decode(text).map_err(|e| damaged(&e))?;
    let message = protobuf::ScalarValue::decode(bytes.as_slice()).map_err(|e| damaged(&e))?;
    (&message).try_into().map_err(|e| damaged(&e))
}

impl AddedDefaults {
    /// The values that were kept for columns.
    ///
    /// # Errors
    /// If a text is none of [`to_text`].
    pub fn from_texts(texts: &BTreeMap<String, String>) -> Result<Self> {
        texts.iter().map(|(name, text)| Ok((name.clone(), from_text(text)?))).collect::<Result<_>>().map(AddedDefaults)
    }

    /// The form that [`Self::from_texts`] reads.
    ///
    /// # Errors
    /// As [`to_text`].
    pub fn to_texts(&self) -> Result<BTreeMap<String, String>> {
        self.0.iter().map(|(name, value)| Ok((name.clone(), to_text(value)?))).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is known of the columns but for these: a file without one tells of nulls in it.
    pub(super) fn unsaid(&self, statistics: &Arc<Statistics>, schema: &Schema) -> Arc<Statistics> {
        if self.is_empty() {
            return Arc::clone(statistics);
        }
        let mut statistics = statistics.as_ref().clone();
        for (column, field) in statistics.column_statistics.iter_mut().zip(schema.fields()) {
            if self.0.contains_key(field.name()) {
                *column = ColumnStatistics::new_unknown();
            }
        }
        statistics.total_byte_size = Precision::Absent;
        Arc::new(statistics)
    }
}

impl PhysicalExprAdapterFactory for AddedDefaults {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let lacking = self.0.iter().filter(|(name, _)| physical.field_with_name(name).is_err());
        let values = lacking.map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Arc::new(Adapter { values, inner: DefaultPhysicalExprAdapterFactory.create(logical, physical)? }))
    }
}

/// Reads a file that lacks some columns.
#[derive(Debug)]
struct Adapter {
    values: HashMap<String, ScalarValue>,
    inner: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        self.inner.rewrite(replace_columns_with_literals(expr, &self.values)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_their_text() {
        let values = [
            ScalarValue::Int32(Some(42)),
            ScalarValue::Utf8(Some("é'".into())),
            ScalarValue::Decimal128(Some(-5), 10, 2),
            ScalarValue::TimestampMicrosecond(Some(1), Some("UTC".into())),
        ];
        let kept = AddedDefaults(values.into_iter().enumerate().map(|(i, v)| (format!("c{i}"), v)).collect());
        let texts = kept.to_texts().expect("texts");
        assert_eq!(AddedDefaults::from_texts(&texts).expect("values"), kept);
        assert!(AddedDefaults::from_texts(&[("c".to_string(), "zz".to_string())].into()).is_err());
    }
}
