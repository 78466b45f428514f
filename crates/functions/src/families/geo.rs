//! Geometries and geographies: reading, writing and tagging well-known binary.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Int32Array, StructArray};
use arrow::datatypes::{DataType as Arrow, Int32Type};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use spark::types::DataType;
use spark::{Error, ErrorKind, Result};

use crate::call::Call;
use crate::coerce::Expected;
use crate::error::fail;
use crate::families::rows::{Bytes, Ints, Text, int_literal, push_default, string_literal};
use crate::fold;
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "st_geomfromwkb", build: Build::Scalar(geometry_from_wkb) },
    Function { name: "st_geogfromwkb", build: Build::Scalar(geography_from_wkb) },
    Function { name: "st_asbinary", build: Build::Scalar(as_binary) },
    Function { name: "st_srid", build: Build::Scalar(srid) },
    Function { name: "st_setsrid", build: Build::Scalar(set_srid) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[FROM_WKB, AS_BINARY, SRID, SET_SRID];

const FROM_WKB: Kernel = Kernel::new("st_fromwkb", from_wkb_kernel);
const AS_BINARY: Kernel = Kernel::new("st_asbinary", as_binary_kernel);
const SRID: Kernel = Kernel::new("st_srid", srid_kernel);
const SET_SRID: Kernel = Kernel::new("st_setsrid", set_srid_kernel);

/// The reference system of longitudes and latitudes, the only one of geographies.
const WGS84: i32 = 4326;

fn check_srid(srid: i32, geography: bool) -> Result<()> {
    if srid == WGS84 || !geography && matches!(srid, 0 | 3857) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::IllegalArgument, "ST_INVALID_SRID_VALUE").param("srid", srid.to_string()).nowhere())
}

/// A constant reference system in argument `i`.
fn constant_srid(call: &Call, i: usize) -> Option<i32> {
    fold::integer(&call.args[i]).and_then(|v| i32::try_from(v).ok())
}

fn geometry_from_wkb(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        push_default(&mut call, int_literal(0));
    }
    call.expect_all(&[Expected::Type(DataType::Binary), Expected::Type(DataType::Integer)])?;
    let srid = constant_srid(&call, 1);
    if let Some(srid) = srid {
        check_srid(srid, false)?;
    }
    let nullable = call.any_nullable();
    Ok(call.kernel(&FROM_WKB, DataType::Geometry(srid), nullable))
}

fn geography_from_wkb(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    call.expect(0, Expected::Type(DataType::Binary))?;
    let name = call.display_name();
    push_default(&mut call, int_literal(WGS84));
    let nullable = call.any_nullable();
    let options = call.options().with_extra("geography");
    Ok(call.kernel_with(&FROM_WKB, options, DataType::Geography(Some(WGS84)), nullable).named(name))
}

/// A geometry or geography in argument 0; an untyped null counts as one.
fn expect_geo(call: &mut Call) -> Result<()> {
    match call.args[0].ty {
        DataType::Geometry(_) | DataType::Geography(_) => Ok(()),
        DataType::Null => {
            let name = call.args[0].name.clone();
            call.args[0] = Typed::null(DataType::Geometry(None)).named(name);
            Ok(())
        }
        _ => Err(call.unexpected_type(0, "(\"GEOGRAPHY\" or \"GEOMETRY\")")),
    }
}

fn as_binary(mut call: Call) -> Result<Typed> {
    call.arity(1..=2)?;
    if call.args.len() == 1 {
        push_default(&mut call, string_literal("NDR"));
    }
    expect_geo(&mut call)?;
    call.expect(1, Expected::String)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&AS_BINARY, DataType::Binary, nullable))
}

fn srid(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    expect_geo(&mut call)?;
    let nullable = call.any_nullable();
    Ok(call.kernel(&SRID, DataType::Integer, nullable))
}

fn set_srid(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    expect_geo(&mut call)?;
    call.expect(1, Expected::Type(DataType::Integer))?;
    let srid = constant_srid(&call, 1);
    let geography = matches!(call.args[0].ty, DataType::Geography(_));
    if let Some(srid) = srid {
        check_srid(srid, geography)?;
    }
    let ty = if geography { DataType::Geography(srid) } else { DataType::Geometry(srid) };
    let nullable = call.any_nullable();
    let options = call.options().with_extra(if geography { "geography" } else { "" });
    Ok(call.kernel_with(&SET_SRID, options, ty, nullable))
}

/// Why a text of bytes is no geometry, and where.
struct Malformed(&'static str, usize);

impl Malformed {
    fn error(&self) -> Error {
        Error::new(spark::ErrorKind::IllegalArgument, "WKB_PARSE_ERROR")
            .param("parseError", self.0)
            .param("pos", self.1.to_string())
    }
}

/// Reads well-known binary and writes it in one byte order.
struct Wkb<'a> {
    input: &'a [u8],
    at: usize,
    out: Vec<u8>,
    little: bool,
    /// Coordinates are degrees of longitude and latitude.
    degrees: bool,
}

impl<'a> Wkb<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.saturating_add(n);
        let bytes = self
            .input
            .get(self.at..end)
            .ok_or(Malformed("Unexpected end of WKB buffer", self.at.min(self.input.len().saturating_sub(1))))?;
        self.at = end;
        Ok(bytes)
    }

    /// A number of `n` bytes, copied in the order that is written.
    fn number(&mut self, n: usize, little: bool) -> Result<u64, Malformed> {
        let mut bytes = self.take(n)?.to_vec();
        if !little {
            bytes.reverse();
        }
        let value = bytes.iter().rev().fold(0u64, |acc, b| acc << 8 | u64::from(*b));
        if !self.little {
            bytes.reverse();
        }
        self.out.extend(bytes);
        Ok(value)
    }

    fn geometry(&mut self, depth: usize) -> Result<(), Malformed> {
        let start = self.at;
        let little = match self.take(1)? {
            [0] => false,
            [1] => true,
            _ => return Err(Malformed("Invalid byte order", start)),
        };
        self.out.push(u8::from(self.little));
        let code = self.number(4, little)?;
        let dimensions = match code / 1000 {
            0 => 2,
            1 | 2 => 3,
            3 => 4,
            _ => return Err(Malformed("Invalid or unsupported type", start + 1)),
        };
        match code % 1000 {
            1 => self.coordinates(1, dimensions, little),
            2 => self.points(dimensions, little),
            3 => {
                for _ in 0..self.number(4, little)? {
                    self.points(dimensions, little)?;
                }
                Ok(())
            }
            4..=7 if depth < 64 => {
                for _ in 0..self.number(4, little)? {
                    self.geometry(depth + 1)?;
                }
                Ok(())
            }
            _ => Err(Malformed("Invalid or unsupported type", start + 1)),
        }
    }

    fn points(&mut self, dimensions: u64, little: bool) -> Result<(), Malformed> {
        let points = self.number(4, little)?;
        self.coordinates(points, dimensions, little)
    }

    fn coordinates(&mut self, points: u64, dimensions: u64, little: bool) -> Result<(), Malformed> {
        for i in 0..points * dimensions {
            let at = self.at;
            let value = f64::from_bits(self.number(8, little)?);
            let limit = match i % dimensions {
                0 => 180.0,
                1 => 90.0,
                _ => continue,
            };
            if self.degrees && value.abs() > limit {
                return Err(Malformed("Invalid coordinate value found", at));
            }
        }
        Ok(())
    }
}

/// The same geometry in one byte order; one of degrees must lie on the globe.
fn in_order(wkb: &[u8], little: bool, degrees: bool) -> Result<Vec<u8>, Malformed> {
    let mut reader = Wkb { input: wkb, at: 0, out: Vec::with_capacity(wkb.len()), little, degrees };
    reader.geometry(0)?;
    if reader.at < wkb.len() {
        return Err(Malformed("Trailing bytes after the geometry", reader.at));
    }
    Ok(reader.out)
}

fn build(args: &KernelArgs, srids: Vec<Option<i32>>, wkb: BinaryArray) -> DfResult<ColumnarValue> {
    let Arrow::Struct(fields) = args.return_type() else {
        return internal_err!("a geometry is a struct");
    };
    let nulls = wkb.nulls().cloned();
    let columns: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(srids)), Arc::new(wkb)];
    Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?)))
}

fn from_wkb_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let (wkbs, srids) = (Bytes::of(args, 0)?, Ints::of(args, 1)?);
    let mut out = BinaryBuilder::new();
    let mut tags = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let (Some(wkb), Some(srid)) = (wkbs.get(row), srids.get(row)) else {
            out.append_null();
            tags.push(None);
            continue;
        };
        match in_order(wkb, true, args.extra() == "geography") {
            Ok(wkb) => out.append_value(wkb),
            Err(e) => return fail(e.error()),
        }
        tags.push(i32::try_from(srid).ok());
    }
    build(args, tags, out.finish())
}

fn as_binary_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let array = args.array(0)?;
    let geometries = array.as_struct();
    let wkbs = geometries.column(1).as_binary::<i32>();
    let orders = Text::of(args, 1)?;
    let mut out = BinaryBuilder::new();
    for row in 0..args.rows {
        let Some(order) = orders.get(row).filter(|_| geometries.is_valid(row)) else {
            out.append_null();
            continue;
        };
        let little = match order.to_ascii_uppercase().as_str() {
            "NDR" => true,
            "XDR" => false,
            _ => {
                return fail(
                    Error::new(ErrorKind::IllegalArgument, "ST_INVALID_ENDIANNESS_VALUE").param("endianness", order),
                );
            }
        };
        match in_order(wkbs.value(row), little, false) {
            Ok(wkb) => out.append_value(wkb),
            Err(e) => return fail(e.error()),
        }
    }
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}

fn srid_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let array = args.array(0)?;
    let geometries = array.as_struct();
    let srids = geometries.column(0).as_primitive::<Int32Type>();
    let values: Int32Array = (0..args.rows).map(|row| geometries.is_valid(row).then(|| srids.value(row))).collect();
    Ok(ColumnarValue::Array(Arc::new(values)))
}

fn set_srid_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let array = args.array(0)?;
    let geometries = array.as_struct();
    let wkbs = geometries.column(1).as_binary::<i32>();
    let srids = Ints::of(args, 1)?;
    let mut out = BinaryBuilder::new();
    let mut tags = Vec::with_capacity(args.rows);
    for row in 0..args.rows {
        let srid = srids.get(row).and_then(|s| i32::try_from(s).ok());
        let Some(srid) = srid.filter(|_| geometries.is_valid(row)) else {
            out.append_null();
            tags.push(None);
            continue;
        };
        if let Err(e) = check_srid(srid, args.extra() == "geography") {
            return fail(e);
        }
        out.append_value(wkbs.value(row));
        tags.push(Some(srid));
    }
    build(args, tags, out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_orders() {
        let little = ::hex::decode("0101000000000000000000F03F0000000000000040").unwrap();
        let big = ::hex::decode("00000000013FF00000000000004000000000000000").unwrap();
        assert_eq!(in_order(&little, false, false).ok(), Some(big.clone()));
        assert_eq!(in_order(&big, true, true).ok(), Some(little));
        assert!(in_order(&[0], true, false).is_err());
    }
}
