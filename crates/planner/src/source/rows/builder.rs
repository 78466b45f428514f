//! Columns being filled, by Spark type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, DurationMicrosecondBuilder,
    Float32Builder, Float64Builder, Int8Builder, Int16Builder, Int32Builder, Int64Builder, IntervalYearMonthBuilder,
    ListArray, MapArray, NullArray, NullBufferBuilder, RecordBatch, RecordBatchOptions, StringBuilder, StructArray,
    Time64NanosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType as Arrow, Field, SchemaRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use functions::types::to_arrow;
use spark::types::DataType;

use super::RowFormat;

/// The columns of one batch.
pub struct Builders {
    pub columns: Vec<ColumnBuilder>,
    /// For each column, which field of the files it is.
    pub fields: Vec<usize>,
    pub rows: usize,
    /// The names of the columns of the file that is being read, where its format has such.
    pub header: Vec<String>,
    /// What the variants of each column have been so far.
    pub(super) kinds: Vec<super::single::Kind>,
    /// For each column, its value in records that lack it.
    pub(super) absent: Vec<Scalar>,
    schema: SchemaRef,
    types: Vec<DataType>,
}

impl Builders {
    pub fn new(schema: SchemaRef, types: Vec<DataType>, fields: Vec<usize>) -> Self {
        let columns = types.iter().map(ColumnBuilder::new).collect();
        let absent = vec![Scalar::Null; types.len()];
        Builders { columns, fields, rows: 0, header: Vec::new(), kinds: Vec::new(), absent, schema, types }
    }

    /// The builders that give columns their values of `format` where records lack them.
    ///
    /// # Errors
    /// If a kept value is damaged.
    pub fn with_defaults(mut self, format: &RowFormat) -> Result<Self> {
        for (value, &field) in self.absent.iter_mut().zip(&self.fields) {
            if let Some(text) = format.schema.fields.get(field).and_then(|f| format.defaults.get(&f.name)) {
                *value = Scalar::of(&crate::source::defaults::from_text(text)?)?;
            }
        }
        Ok(self)
    }

    /// Takes the rows so far.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let columns = std::mem::replace(&mut self.columns, self.types.iter().map(ColumnBuilder::new).collect());
        let arrays = columns.into_iter().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }
}

/// One column being filled.
pub struct ColumnBuilder {
    kind: Kind,
}

enum Kind {
    Null(usize),
    Boolean(BooleanBuilder),
    Byte(Int8Builder),
    Short(Int16Builder),
    Integer(Int32Builder),
    Long(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder),
    String(StringBuilder),
    Binary(BinaryBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Time(Time64NanosecondBuilder),
    YearMonth(IntervalYearMonthBuilder),
    DayTime(DurationMicrosecondBuilder),
    List {
        values: Box<ColumnBuilder>,
        element: DataType,
        offsets: Vec<i32>,
        nulls: NullBufferBuilder,
    },
    Map {
        keys: Box<ColumnBuilder>,
        values: Box<ColumnBuilder>,
        types: Box<(DataType, DataType)>,
        offsets: Vec<i32>,
        nulls: NullBufferBuilder,
    },
    Struct {
        fields: Vec<ColumnBuilder>,
        ty: Arrow,
        nulls: NullBufferBuilder,
    },
}

/// A value that is not nested.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Null,
    Boolean(bool),
    /// For every integral type, dates, times and intervals of months.
    Integral(i64),
    Float(f64),
    Decimal(i128),
    Text(String),
    Bytes(Vec<u8>),
}

impl Scalar {
    /// A value of a column's canonical Arrow type.
    ///
    /// # Errors
    /// For one that is nested.
    pub fn of(value: &ScalarValue) -> Result<Self> {
        use ScalarValue as V;
        Ok(match value {
            other if other.is_null() => Scalar::Null,
            V::Boolean(Some(b)) => Scalar::Boolean(*b),
            V::Int8(Some(n)) => Scalar::Integral((*n).into()),
            V::Int16(Some(n)) => Scalar::Integral((*n).into()),
            V::Int32(Some(n)) | V::Date32(Some(n)) | V::IntervalYearMonth(Some(n)) => Scalar::Integral((*n).into()),
            V::Int64(Some(n))
            | V::TimestampMicrosecond(Some(n), _)
            | V::Time64Nanosecond(Some(n))
            | V::DurationMicrosecond(Some(n)) => Scalar::Integral(*n),
            V::Float32(Some(x)) => Scalar::Float((*x).into()),
            V::Float64(Some(x)) => Scalar::Float(*x),
            V::Decimal128(Some(n), _, _) => Scalar::Decimal(*n),
            V::Utf8(Some(text)) => Scalar::Text(text.clone()),
            V::Binary(Some(bytes)) => Scalar::Bytes(bytes.clone()),
            other => return exec_err!("a default of the type {} is not read from text", other.data_type()),
        })
    }
}

impl ColumnBuilder {
    pub fn new(ty: &DataType) -> Self {
        let kind = match ty {
            DataType::Boolean => Kind::Boolean(BooleanBuilder::new()),
            DataType::Byte => Kind::Byte(Int8Builder::new()),
            DataType::Short => Kind::Short(Int16Builder::new()),
            DataType::Integer => Kind::Integer(Int32Builder::new()),
            DataType::Long => Kind::Long(Int64Builder::new()),
            DataType::Float => Kind::Float(Float32Builder::new()),
            DataType::Double => Kind::Double(Float64Builder::new()),
            DataType::Decimal { .. } | DataType::TimestampNanos { .. } => {
                Kind::Decimal(Decimal128Builder::new().with_data_type(to_arrow(ty)))
            }
            DataType::String { .. } | DataType::Char(_) | DataType::Varchar(_) => Kind::String(StringBuilder::new()),
            DataType::Binary => Kind::Binary(BinaryBuilder::new()),
            DataType::Date => Kind::Date(Date32Builder::new()),
            DataType::Timestamp | DataType::TimestampNtz => {
                Kind::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(to_arrow(ty)))
            }
            DataType::Time(_) => Kind::Time(Time64NanosecondBuilder::new()),
            DataType::YearMonthInterval { .. } => Kind::YearMonth(IntervalYearMonthBuilder::new()),
            DataType::DayTimeInterval { .. } => Kind::DayTime(DurationMicrosecondBuilder::new()),
            DataType::Array { element, .. } => Kind::List {
                values: Box::new(ColumnBuilder::new(element)),
                element: (**element).clone(),
                offsets: vec![0],
                nulls: NullBufferBuilder::new(0),
            },
            DataType::Map { key, value, .. } => Kind::Map {
                keys: Box::new(ColumnBuilder::new(key)),
                values: Box::new(ColumnBuilder::new(value)),
                types: Box::new(((**key).clone(), (**value).clone())),
                offsets: vec![0],
                nulls: NullBufferBuilder::new(0),
            },
            DataType::Struct(s) => Kind::Struct {
                fields: s.fields.iter().map(|f| ColumnBuilder::new(&f.data_type)).collect(),
                ty: to_arrow(ty),
                nulls: NullBufferBuilder::new(0),
            },
            DataType::Variant => Kind::Struct {
                fields: [DataType::Binary, DataType::Binary].iter().map(ColumnBuilder::new).collect(),
                ty: to_arrow(ty),
                nulls: NullBufferBuilder::new(0),
            },
            DataType::Udt { sql_type, .. } => return ColumnBuilder::new(sql_type),
            _ => Kind::Null(0),
        };
        ColumnBuilder { kind }
    }

    /// Adds a null.
    pub fn append_null(&mut self) {
        match &mut self.kind {
            Kind::List { offsets, nulls, .. } | Kind::Map { offsets, nulls, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
                nulls.append_null();
            }
            Kind::Struct { fields, nulls, .. } => {
                fields.iter_mut().for_each(ColumnBuilder::append_null);
                nulls.append_null();
            }
            _ => self.append(Scalar::Null),
        }
    }

    /// Adds a string to a string column; other columns get a null.
    pub fn append_string(&mut self, text: &str) {
        match &mut self.kind {
            Kind::String(b) => b.append_value(text),
            Kind::Binary(b) => b.append_value(text.as_bytes()),
            _ => self.append_null(),
        }
    }

    /// Adds a value; one of another kind than the column's is a null.
    pub fn append(&mut self, value: Scalar) {
        let int = if let Scalar::Integral(n) = &value { Some(*n) } else { None };
        let float = if let Scalar::Float(f) = &value { Some(*f) } else { None };
        match &mut self.kind {
            Kind::Null(rows) => *rows += 1,
            Kind::Boolean(b) => b.append_option(if let Scalar::Boolean(v) = value { Some(v) } else { None }),
            Kind::Byte(b) => b.append_option(int.and_then(|n| n.try_into().ok())),
            Kind::Short(b) => b.append_option(int.and_then(|n| n.try_into().ok())),
            Kind::Integer(b) => b.append_option(int.and_then(|n| n.try_into().ok())),
            Kind::Long(b) => b.append_option(int),
            Kind::Float(b) => b.append_option(float.map(|f| f as f32)),
            Kind::Double(b) => b.append_option(float),
            Kind::Decimal(b) => b.append_option(if let Scalar::Decimal(v) = value { Some(v) } else { None }),
            Kind::String(b) => match value {
                Scalar::Text(text) => b.append_value(text),
                _ => b.append_null(),
            },
            Kind::Binary(b) => match value {
                Scalar::Bytes(bytes) => b.append_value(bytes),
                _ => b.append_null(),
            },
            Kind::Date(b) => b.append_option(int.and_then(|n| n.try_into().ok())),
            Kind::Timestamp(b) => b.append_option(int),
            Kind::Time(b) => b.append_option(int),
            Kind::YearMonth(b) => b.append_option(int.and_then(|n| n.try_into().ok())),
            Kind::DayTime(b) => b.append_option(int),
            Kind::List { .. } | Kind::Map { .. } | Kind::Struct { .. } => self.append_null(),
        }
    }

    /// Adds a list whose elements `fill` adds; it gives their number.
    pub fn append_list(&mut self, fill: impl FnOnce(&mut ColumnBuilder, &DataType) -> usize) {
        if let Kind::List { values, element, offsets, nulls } = &mut self.kind {
            let added = fill(values, element) as i32;
            offsets.push(offsets.last().copied().unwrap_or(0) + added);
            nulls.append_non_null();
        }
    }

    /// Adds a map whose entries `fill` adds; it gives their number.
    pub fn append_map(
        &mut self,
        fill: impl FnOnce(&mut ColumnBuilder, &mut ColumnBuilder, &(DataType, DataType)) -> usize,
    ) {
        if let Kind::Map { keys, values, types, offsets, nulls } = &mut self.kind {
            let added = fill(keys, values, types) as i32;
            offsets.push(offsets.last().copied().unwrap_or(0) + added);
            nulls.append_non_null();
        }
    }

    /// Adds a struct whose fields `fill` adds, each once.
    pub fn append_struct(&mut self, fill: impl FnOnce(&mut [ColumnBuilder])) {
        if let Kind::Struct { fields, nulls, .. } = &mut self.kind {
            fill(fields);
            nulls.append_non_null();
        }
    }

    pub fn finish(self) -> Result<ArrayRef> {
        Ok(match self.kind {
            Kind::Null(rows) => Arc::new(NullArray::new(rows)),
            Kind::Boolean(mut b) => Arc::new(b.finish()),
            Kind::Byte(mut b) => Arc::new(b.finish()),
            Kind::Short(mut b) => Arc::new(b.finish()),
            Kind::Integer(mut b) => Arc::new(b.finish()),
            Kind::Long(mut b) => Arc::new(b.finish()),
            Kind::Float(mut b) => Arc::new(b.finish()),
            Kind::Double(mut b) => Arc::new(b.finish()),
            Kind::Decimal(mut b) => Arc::new(b.finish()),
            Kind::String(mut b) => Arc::new(b.finish()),
            Kind::Binary(mut b) => Arc::new(b.finish()),
            Kind::Date(mut b) => Arc::new(b.finish()),
            Kind::Timestamp(mut b) => Arc::new(b.finish()),
            Kind::Time(mut b) => Arc::new(b.finish()),
            Kind::YearMonth(mut b) => Arc::new(b.finish()),
            Kind::DayTime(mut b) => Arc::new(b.finish()),
            Kind::List { values, offsets, mut nulls, .. } => {
                let values = values.finish()?;
                let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
                Arc::new(ListArray::try_new(field, OffsetBuffer::new(offsets.into()), values, nulls.finish())?)
            }
            Kind::Map { keys, values, types, offsets, mut nulls } => {
                let field = functions::types::map_entries_field(to_arrow(&types.0), to_arrow(&types.1));
                let Arrow::Struct(fields) = field.data_type() else {
                    return datafusion::common::internal_err!("a map's entries are a struct");
                };
                let entries = StructArray::try_new(fields.clone(), vec![keys.finish()?, values.finish()?], None)?;
                Arc::new(MapArray::try_new(field, OffsetBuffer::new(offsets.into()), entries, nulls.finish(), false)?)
            }
            Kind::Struct { fields, ty, mut nulls } => {
                let rows = nulls.len();
                let Arrow::Struct(arrow) = ty else {
                    return datafusion::common::internal_err!("a struct's type is one");
                };
                let columns = fields.into_iter().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
                if columns.is_empty() {
                    Arc::new(StructArray::new_empty_fields(rows, nulls.finish()))
                } else {
                    Arc::new(StructArray::try_new(arrow, columns, nulls.finish())?)
                }
            }
        })
    }
}
