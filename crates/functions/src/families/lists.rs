//! Building blocks of the array and map functions: lists read by row, lists, maps and values built by
//! picking rows of existing arrays, whatever their type.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::interleave;
use arrow::datatypes::DataType as Arrow;
use arrow::row::Rows;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;
use spark::Error;
use spark::types::DataType;

use super::rows::finish;
use crate::error::fail;
use crate::kernel::KernelArgs;
use crate::types::{list_field, to_arrow};
use crate::values;

/// Argument `i` with one row if it is constant.
///
/// # Errors
/// If there is no such argument.
pub fn column(args: &KernelArgs, i: usize) -> Result<(ArrayRef, bool)> {
    match args.value(i)? {
        ColumnarValue::Scalar(v) => Ok((v.to_array()?, true)),
        ColumnarValue::Array(a) => Ok((Arc::clone(a), false)),
    }
}

/// A list or map argument: for each row a range of the values.
pub struct Lists {
    list: Nested,
    constant: bool,
}

enum Nested {
    List(ListArray),
    Map(MapArray),
}

impl Lists {
    /// Argument `i`.
    ///
    /// # Errors
    /// If it is neither a list nor a map.
    pub fn of(args: &KernelArgs, i: usize) -> Result<Lists> {
        let (array, constant) = column(args, i)?;
        Lists::new(&array, constant)
    }

    /// Lists of an array.
    ///
    /// # Errors
    /// If it is neither of lists nor of maps.
    pub fn new(array: &ArrayRef, constant: bool) -> Result<Lists> {
        let list = match array.data_type() {
            Arrow::List(_) => Nested::List(array.as_list::<i32>().clone()),
            Arrow::Map(..) => Nested::Map(array.as_map().clone()),
            Arrow::Null => {
                let ty = Arrow::List(list_field(Arrow::Null));
                Nested::List(new_null_array(&ty, array.len()).as_list::<i32>().clone())
            }
            other => return internal_err!("expected lists, found {other}"),
        };
        Ok(Lists { list, constant })
    }

    /// Where the values of `row` are; `None` for a null list.
    pub fn get(&self, row: usize) -> Option<Range<usize>> {
        let row = if self.constant { 0 } else { row };
        let (offsets, valid) = match &self.list {
            Nested::List(l) => (l.offsets(), l.is_valid(row)),
            Nested::Map(m) => (m.offsets(), m.is_valid(row)),
        };
        valid.then(|| offsets[row] as usize..offsets[row + 1] as usize)
    }

    /// All elements of all rows; the keys of a map.
    pub fn values(&self) -> &ArrayRef {
        match &self.list {
            Nested::List(l) => l.values(),
            Nested::Map(m) => m.keys(),
        }
    }

    /// The values of a map.
    pub fn map_values(&self) -> Option<&ArrayRef> {
        match &self.list {
            Nested::Map(m) => Some(m.values()),
            Nested::List(_) => None,
        }
    }
}

/// A column of single values.
pub struct Column {
    pub array: ArrayRef,
    pub constant: bool,
}

impl Column {
    /// Argument `i`.
    ///
    /// # Errors
    /// If there is no such argument.
    pub fn of(args: &KernelArgs, i: usize) -> Result<Column> {
        let (array, constant) = column(args, i)?;
        Ok(Column { array, constant })
    }

    /// The index into the array for `row`.
    pub fn at(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    /// True if the value of `row` is null.
    pub fn is_null(&self, row: usize) -> bool {
        self.array.is_null(self.at(row))
    }
}

/// Values picked from several arrays of one type.
pub struct Picks {
    sources: Vec<ArrayRef>,
    picks: Vec<(usize, usize)>,
}

impl Picks {
    /// From `sources`, all of type `ty`; one null is added to them.
    pub fn new(mut sources: Vec<ArrayRef>, ty: &Arrow) -> Picks {
        sources.push(new_null_array(ty, 1));
        Picks { sources, picks: Vec::new() }
    }

    /// Row `row` of source `source`.
    pub fn push(&mut self, source: usize, row: usize) {
        self.picks.push((source, row));
    }

    pub fn push_null(&mut self) {
        self.picks.push((self.sources.len() - 1, 0));
    }

    pub fn len(&self) -> usize {
        self.picks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.picks.is_empty()
    }

    /// Drops the picks from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.picks.truncate(len);
    }

    /// The picks from `from` on, to be rearranged.
    pub fn tail(&mut self, from: usize) -> &mut [(usize, usize)] {
        &mut self.picks[from..]
    }

    /// The picked values.
    ///
    /// # Errors
    /// If the sources have different types.
    pub fn array(&self) -> Result<ArrayRef> {
        let sources: Vec<&dyn Array> = self.sources.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&sources, &self.picks)?)
    }

    /// The picked values as the kernel's result.
    ///
    /// # Errors
    /// As [`Picks::array`].
    pub fn finish(self, args: &KernelArgs) -> Result<ColumnarValue> {
        finish(args, self.array()?)
    }
}

/// Lists of picked values.
pub struct ListPicks {
    pub picks: Picks,
    offsets: Vec<i32>,
    valid: Vec<bool>,
}

impl ListPicks {
    /// From `sources`, all of element type `ty`.
    pub fn new(sources: Vec<ArrayRef>, ty: &Arrow) -> ListPicks {
        ListPicks { picks: Picks::new(sources, ty), offsets: vec![0], valid: Vec::new() }
    }

    pub fn push(&mut self, source: usize, row: usize) {
        self.picks.push(source, row);
    }

    pub fn push_null(&mut self) {
        self.picks.push_null();
    }

    /// Adds all of `range` of a source.
    pub fn extend(&mut self, source: usize, range: Range<usize>) {
        for row in range {
            self.picks.push(source, row);
        }
    }

    /// Where the current list starts among the picks.
    pub fn start(&self) -> usize {
        self.offsets.last().map_or(0, |o| *o as usize)
    }

    /// Ends the current list.
    pub fn close(&mut self) {
        self.offsets.push(self.picks.len() as i32);
        self.valid.push(true);
    }

    /// Ends the current list as null; what was picked for it is dropped.
    pub fn close_null(&mut self) {
        self.picks.truncate(self.start());
        self.offsets.push(self.picks.len() as i32);
        self.valid.push(false);
    }

    /// The lists.
    ///
    /// # Errors
    /// If the sources have different types.
    pub fn array(self) -> Result<ArrayRef> {
        let values = self.picks.array()?;
        list_array(values, self.offsets, self.valid)
    }

    /// The lists as the kernel's result.
    ///
    /// # Errors
    /// As [`ListPicks::array`].
    pub fn finish(self, args: &KernelArgs) -> Result<ColumnarValue> {
        finish(args, self.array()?)
    }
}

/// A list array of canonical field from its parts.
///
/// # Errors
/// If the offsets do not fit the values.
pub fn list_array(values: ArrayRef, offsets: Vec<i32>, valid: Vec<bool>) -> Result<ArrayRef> {
    let field = list_field(values.data_type().clone());
    Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::new(offsets.into()), values, Some(NullBuffer::from(valid)))?))
}

/// What happens to a key that is there already.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Duplicates {
    Refuse,
    LastWins,
}

impl Duplicates {
    /// From a kernel's own parameters.
    pub fn of(args: &KernelArgs) -> Duplicates {
        let policy = args.extra().split(' ').next();
        if policy == Some("LAST_WIN") { Duplicates::LastWins } else { Duplicates::Refuse }
    }

    /// The kernel parameter for the session's policy.
    pub fn option(settings: &spark::Settings) -> &'static str {
        if settings.map_keys_last_win { "LAST_WIN" } else { "EXCEPTION" }
    }
}

/// Maps built entry by entry with Spark's rules for keys.
pub struct MapPicks {
    keys: ListPicks,
    values: ListPicks,
    key_rows: Vec<Rows>,
    /// Where each key of the map being built is, once it has many.
    index: HashMap<Box<[u8]>, usize>,
    duplicates: Duplicates,
}

/// Maps of so many keys are searched with an index.
const MANY_KEYS: usize = 32;

impl MapPicks {
    /// From arrays of keys and arrays of values.
    ///
    /// # Errors
    /// If the keys cannot be compared.
    pub fn new(keys: Vec<ArrayRef>, values: Vec<ArrayRef>, ty: &Arrow, duplicates: Duplicates) -> Result<MapPicks> {
        let Arrow::Map(entries, _) = ty else { return internal_err!("expected a map type, found {ty}") };
        let Arrow::Struct(fields) = entries.data_type() else { return internal_err!("a map's entries are structs") };
        let key_rows = values::rows_of(&keys.iter().collect::<Vec<_>>())?;
        Ok(MapPicks {
            keys: ListPicks::new(keys, fields[0].data_type()),
            values: ListPicks::new(values, fields[1].data_type()),
            key_rows,
            index: HashMap::new(),
            duplicates,
        })
    }

    /// [`MapPicks::new`] under the rules in a kernel's own parameters: the policy for keys that come twice
    /// and, after a space, the collation by which they are compared.
    ///
    /// # Errors
    /// As [`MapPicks::new`].
    pub fn of(args: &KernelArgs, keys: Vec<ArrayRef>, values: Vec<ArrayRef>) -> Result<MapPicks> {
        let sources = keys.clone();
        let mut picks = MapPicks::new(keys, values, args.return_type(), Duplicates::of(args))?;
        if let Some((_, name)) = args.extra().split_once(' ') {
            let collation = super::collation::Collation::named(name).map_err(crate::error::external)?;
            picks.key_rows = super::array::collated_rows(&collation, &sources.iter().collect::<Vec<_>>())?;
        }
        Ok(picks)
    }

    /// Adds an entry: source and row of the key, and of the value (`None` for null).
    ///
    /// # Errors
    /// `NULL_MAP_KEY`, `DUPLICATED_MAP_KEY`.
    pub fn push(&mut self, key: (usize, usize), value: Option<(usize, usize)>) -> Result<()> {
        // An array of untyped nulls does not say that its values are null.
        let keys = &self.keys.picks.sources[key.0];
        if keys.is_null(key.1) || *keys.data_type() == arrow::datatypes::DataType::Null {
            return fail(Error::runtime("NULL_MAP_KEY").with_message("A map's key must not be null."));
        }
        let start = self.keys.start();
        match (self.place_of(key), self.duplicates) {
            (Some(_), Duplicates::Refuse) => return fail(self.duplicated(key)?),
            (Some(i), Duplicates::LastWins) => {
                let null = (self.values.picks.sources.len() - 1, 0);
                self.values.picks.picks[start + i] = value.unwrap_or(null);
            }
            (None, _) => {
                if !self.index.is_empty() {
                    let place = self.keys.picks.picks.len() - start;
                    self.index.insert(self.key_rows[key.0].row(key.1).as_ref().into(), place);
                }
                self.keys.push(key.0, key.1);
                match value {
                    Some((source, row)) => self.values.push(source, row),
                    None => self.values.push_null(),
                }
            }
        }
        Ok(())
    }

    /// Where the map being built has a key already.
    fn place_of(&mut self, key: (usize, usize)) -> Option<usize> {
        let row = |(source, row): (usize, usize)| self.key_rows[source].row(row);
        let wanted = row(key);
        let keys = &self.keys.picks.picks[self.keys.start()..];
        if keys.len() < MANY_KEYS {
            return keys.iter().position(|k| row(*k) == wanted);
        }
        if self.index.is_empty() {
            self.index = keys.iter().enumerate().map(|(i, k)| (row(*k).as_ref().into(), i)).collect();
        }
        self.index.get(wanted.as_ref()).copied()
    }

    fn duplicated(&self, key: (usize, usize)) -> Result<Error> {
        let shown = display(&ScalarValue::try_from_array(&self.keys.picks.sources[key.0], key.1)?);
        Ok(Error::runtime("DUPLICATED_MAP_KEY")
            .param("key", &shown)
            .param("mapKeyDedupPolicy", "\"spark.sql.mapKeyDedupPolicy\"")
            .with_message(format!("The key {shown} is in the map twice.")))
    }

    pub fn close(&mut self) {
        self.index.clear();
        self.keys.close();
        self.values.close();
    }

    pub fn close_null(&mut self) {
        self.index.clear();
        self.keys.close_null();
        self.values.close_null();
    }

    /// The maps as the kernel's result.
    ///
    /// # Errors
    /// If the sources have different types.
    pub fn finish(self, args: &KernelArgs) -> Result<ColumnarValue> {
        let array = self.array(args.return_type())?;
        finish(args, array)
    }

    /// The maps.
    ///
    /// # Errors
    /// If the sources have different types.
    pub fn array(self, ty: &Arrow) -> Result<ArrayRef> {
        let Arrow::Map(entries, sorted) = ty else { return internal_err!("expected a map type, found {ty}") };
        let Arrow::Struct(fields) = entries.data_type() else { return internal_err!("a map's entries are structs") };
        let structs =
            StructArray::try_new(fields.clone(), vec![self.keys.picks.array()?, self.values.picks.array()?], None)?;
        let offsets = OffsetBuffer::new(self.keys.offsets.into());
        let nulls = NullBuffer::from(self.keys.valid);
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, structs, Some(nulls), *sorted)?))
    }
}

/// A value as Spark shows it in an error.
pub fn display(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Utf8(Some(s)) => s.clone(),
        ScalarValue::Float32(Some(v)) => crate::cast::format::float_to_string(*v),
        ScalarValue::Float64(Some(v)) => crate::cast::format::double_to_string(*v),
        other => other.to_string(),
    }
}

/// The element type of an array type.
pub fn element(ty: &DataType) -> DataType {
    match ty {
        DataType::Array { element, .. } => (**element).clone(),
        _ => DataType::Null,
    }
}

/// Whether elements of an array type may be null.
pub fn contains_null(ty: &DataType) -> bool {
    !matches!(ty, DataType::Array { contains_null: false, .. })
}

/// The Arrow element type of the kernel's list result.
///
/// # Errors
/// If the result is no list.
pub fn element_type(args: &KernelArgs) -> Result<Arrow> {
    match args.return_type() {
        Arrow::List(f) => Ok(f.data_type().clone()),
        other => internal_err!("expected a list result, not {other}"),
    }
}

/// The canonical Arrow type of a Spark array's elements.
pub fn arrow_element(ty: &DataType) -> Arrow {
    to_arrow(&element(ty))
}
