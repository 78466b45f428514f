//! Hashes: Spark's own (`hash`, `xxhash64`), bit for bit, and the well-known digests.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array};
use arrow::datatypes::{
    DataType as Arrow, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time64NanosecondType, TimestampMicrosecondType,
};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::ColumnarValue;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use spark::Result;
use spark::types::DataType;

use crate::call::Call;
use crate::coerce::Expected;
use crate::families::rows::{self, Bytes, Ints};
use crate::kernel::{Kernel, KernelArgs};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::calendar_interval_fields;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "hash", build: Build::Scalar(|c| row_hash(c, &MURMUR3, DataType::Integer)) },
    Function { name: "xxhash64", build: Build::Scalar(|c| row_hash(c, &XXHASH64, DataType::Long)) },
    Function { name: "md5", build: Build::Scalar(|c| digest(c, &MD5, DataType::STRING)) },
    Function { name: "sha", build: Build::Scalar(|c| digest(c, &SHA1, DataType::STRING)) },
    Function { name: "sha1", build: Build::Scalar(|c| digest(c, &SHA1, DataType::STRING)) },
    Function { name: "crc32", build: Build::Scalar(|c| digest(c, &CRC32, DataType::Long)) },
    Function { name: "sha2", build: Build::Scalar(sha2_call) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[MURMUR3, XXHASH64, MD5, SHA1, SHA2, CRC32];

const MURMUR3: Kernel = Kernel::new("hash", murmur3_kernel);
const XXHASH64: Kernel = Kernel::new("xxhash64", xxhash64_kernel);
const MD5: Kernel = Kernel::new("md5", |a| hex_digest(a, |b| ::hex::encode(Md5::digest(b))));
const SHA1: Kernel = Kernel::new("sha1", |a| hex_digest(a, |b| ::hex::encode(Sha1::digest(b))));
const SHA2: Kernel = Kernel::new("sha2", sha2_kernel);
const CRC32: Kernel = Kernel::new("crc32", crc32_kernel);

/// The kernel of `xxhash64`.
pub const XXHASH: &Kernel = &KERNELS[1];

/// Where `hash` and `xxhash64` start.
pub const SEED: i32 = 42;

fn row_hash(mut call: Call, kernel: &'static Kernel, ty: DataType) -> Result<Typed> {
    call.bytes_of_strings();
    if call.args.is_empty() {
        return Err(call.wrong_arity("> 0").nowhere());
    }
    let maps = call.settings.conf.get_bool("spark.sql.legacy.allowHashOnMapType", false);
    if !maps && call.args.iter().any(|a| a.ty.any(&|t| matches!(t, DataType::Map { .. }))) {
        return Err(call.mismatch("HASH_MAP_TYPE").param("functionName", format!("`{}`", call.name)));
    }
    if call.args.iter().any(|a| a.ty.any(&|t| matches!(t, DataType::Variant))) {
        return Err(call.mismatch("HASH_VARIANT_TYPE").param("functionName", format!("`{}`", call.name)));
    }
    Ok(call.kernel(kernel, ty, false))
}

fn digest(call: Call, kernel: &'static Kernel, ty: DataType) -> Result<Typed> {
    rows::plain(call, &[Expected::Type(DataType::Binary)], kernel, ty)
}

fn sha2_call(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    call.expect_all(&[Expected::Type(DataType::Binary), Expected::Type(DataType::Integer)])?;
    Ok(call.kernel(&SHA2, DataType::STRING, true))
}

fn hex_digest(args: &KernelArgs, digest: fn(&[u8]) -> String) -> DfResult<ColumnarValue> {
    let values = Bytes::of(args, 0)?;
    rows::strings(args, |row, out| {
        let Some(bytes) = values.get(row) else { return Ok(false) };
        out.push_str(&digest(bytes));
        Ok(true)
    })
}

fn sha2_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Bytes::of(args, 0)?;
    let bits = Ints::of(args, 1)?;
    rows::strings(args, |row, out| {
        let (Some(bytes), Some(bits)) = (values.get(row), bits.get(row)) else { return Ok(false) };
        match bits {
            224 => out.push_str(&::hex::encode(Sha224::digest(bytes))),
            0 | 256 => out.push_str(&::hex::encode(Sha256::digest(bytes))),
            384 => out.push_str(&::hex::encode(Sha384::digest(bytes))),
            512 => out.push_str(&::hex::encode(Sha512::digest(bytes))),
            _ => return Ok(false),
        }
        Ok(true)
    })
}

fn crc32_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let values = Bytes::of(args, 0)?;
    rows::longs(args, |row| Ok(values.get(row).map(|b| i64::from(crc32fast::hash(b)))))
}

/// A hash that is carried from value to value.
trait RowHash {
    /// The running hash.
    type State: Copy;
    fn int(v: i32, seed: Self::State) -> Self::State;
    fn long(v: i64, seed: Self::State) -> Self::State;
    fn bytes(v: &[u8], seed: Self::State) -> Self::State;
}

/// 32-bit Murmur3; bytes after the last whole word each count as a word.
struct Murmur3;

impl Murmur3 {
    fn mix_k(k: u32) -> u32 {
        k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
    }

    fn mix_h(h: u32, k: u32) -> u32 {
        (h ^ k).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    }

    fn finish(mut h: u32, length: u32) -> i32 {
        h ^= length;
        h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
        h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
        (h ^ (h >> 16)).cast_signed()
    }
}

impl RowHash for Murmur3 {
    type State = i32;

    fn int(v: i32, seed: i32) -> i32 {
        Self::finish(Self::mix_h(seed.cast_unsigned(), Self::mix_k(v.cast_unsigned())), 4)
    }

    fn long(v: i64, seed: i32) -> i32 {
        let h = Self::mix_h(seed.cast_unsigned(), Self::mix_k(v as u32));
        Self::finish(Self::mix_h(h, Self::mix_k((v >> 32) as u32)), 8)
    }

    fn bytes(v: &[u8], seed: i32) -> i32 {
        let mut h = seed.cast_unsigned();
        let words = v.chunks_exact(4);
        let rest = words.remainder();
        for word in words {
            h = Self::mix_h(h, Self::mix_k(u32::from_le_bytes([word[0], word[1], word[2], word[3]])));
        }
        for b in rest {
            h = Self::mix_h(h, Self::mix_k(i32::from(b.cast_signed()).cast_unsigned()));
        }
        Self::finish(h, v.len() as u32)
    }
}

/// 64-bit xxHash.
struct XxHash64;

const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME_5: u64 = 0x27D4_EB2F_1656_67C5;

impl XxHash64 {
    fn finish(mut h: u64) -> i64 {
        h = (h ^ (h >> 33)).wrapping_mul(PRIME_2);
        h = (h ^ (h >> 29)).wrapping_mul(PRIME_3);
        (h ^ (h >> 32)).cast_signed()
    }

    fn round(acc: u64, input: u64) -> u64 {
        acc.wrapping_add(input.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
    }

    fn word(bytes: &[u8]) -> u64 {
        bytes.iter().rev().fold(0, |acc, b| acc << 8 | u64::from(*b))
    }

    fn long_step(h: u64, v: u64) -> u64 {
        (h ^ Self::round(0, v)).rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4)
    }

    fn int_step(h: u64, v: u64) -> u64 {
        (h ^ v.wrapping_mul(PRIME_1)).rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3)
    }
}

impl RowHash for XxHash64 {
    type State = i64;

    fn int(v: i32, seed: i64) -> i64 {
        let h = seed.cast_unsigned().wrapping_add(PRIME_5).wrapping_add(4);
        Self::finish(Self::int_step(h, u64::from(v.cast_unsigned())))
    }

    fn long(v: i64, seed: i64) -> i64 {
        let h = seed.cast_unsigned().wrapping_add(PRIME_5).wrapping_add(8);
        Self::finish(Self::long_step(h, v.cast_unsigned()))
    }

    fn bytes(v: &[u8], seed: i64) -> i64 {
        let seed = seed.cast_unsigned();
        let mut blocks = v.chunks_exact(32);
        let mut h = if v.len() >= 32 {
            let mut lanes = [
                seed.wrapping_add(PRIME_1).wrapping_add(PRIME_2),
                seed.wrapping_add(PRIME_2),
                seed,
                seed.wrapping_sub(PRIME_1),
            ];
            for block in &mut blocks {
                for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(8)) {
                    *lane = Self::round(*lane, Self::word(word));
                }
            }
            let [a, b, c, d] = lanes;
            let mut h = a
                .rotate_left(1)
                .wrapping_add(b.rotate_left(7))
                .wrapping_add(c.rotate_left(12))
                .wrapping_add(d.rotate_left(18));
            for lane in lanes {
                h = (h ^ Self::round(0, lane)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
            }
            h
        } else {
            seed.wrapping_add(PRIME_5)
        };
        h = h.wrapping_add(v.len() as u64);
        let mut words = blocks.remainder().chunks_exact(8);
        for word in &mut words {
            h = Self::long_step(h, Self::word(word));
        }
        let mut rest = words.remainder();
        if rest.len() >= 4 {
            h = Self::int_step(h, Self::word(&rest[..4]));
            rest = &rest[4..];
        }
        for b in rest {
            h = (h ^ u64::from(*b).wrapping_mul(PRIME_5)).rotate_left(11).wrapping_mul(PRIME_1);
        }
        Self::finish(h)
    }
}

/// Hashes the value of a row into the running hash; null leaves it as it is.
type RowHasher<'a, S> = Box<dyn Fn(usize, S) -> S + 'a>;

fn hasher<'a, H: RowHash + 'a>(array: &'a ArrayRef) -> DfResult<RowHasher<'a, H::State>> {
    macro_rules! primitive {
        ($ty:ty, |$v:ident, $seed:ident| $hash:expr) => {{
            let values = array.as_primitive::<$ty>();
            Box::new(move |row: usize, $seed: H::State| {
                if values.is_null(row) {
                    return $seed;
                }
                let $v = values.value(row);
                $hash
            })
        }};
    }
    Ok(match array.data_type() {
        Arrow::Null => Box::new(|_, seed| seed),
        Arrow::Boolean => {
            let values = array.as_boolean();
            Box::new(
                move |row, seed| if values.is_null(row) { seed } else { H::int(i32::from(values.value(row)), seed) },
            )
        }
        Arrow::Int8 => primitive!(Int8Type, |v, seed| H::int(i32::from(v), seed)),
        Arrow::Int16 => primitive!(Int16Type, |v, seed| H::int(i32::from(v), seed)),
        Arrow::Int32 => primitive!(Int32Type, |v, seed| H::int(v, seed)),
        Arrow::Int64 => primitive!(Int64Type, |v, seed| H::long(v, seed)),
        Arrow::Float32 => primitive!(Float32Type, |v, seed| H::int(float_bits(v), seed)),
        Arrow::Float64 => primitive!(Float64Type, |v, seed| H::long(double_bits(v), seed)),
        nanos if crate::nanos::of_storage(nanos).is_some() => primitive!(Decimal128Type, |v, seed| {
            let (micros, below) = crate::nanos::split(v);
            H::int(below as i32, H::long(micros, seed))
        }),
        Arrow::Decimal128(p, _) if *p <= 18 => primitive!(Decimal128Type, |v, seed| H::long(v as i64, seed)),
        Arrow::Decimal128(..) => primitive!(Decimal128Type, |v, seed| H::bytes(&big_integer_bytes(v), seed)),
        Arrow::Date32 => primitive!(Date32Type, |v, seed| H::int(v, seed)),
        Arrow::Timestamp(..) => primitive!(TimestampMicrosecondType, |v, seed| H::long(v, seed)),
        Arrow::Time64(_) => primitive!(Time64NanosecondType, |v, seed| H::long(v, seed)),
        Arrow::Duration(_) => primitive!(DurationMicrosecondType, |v, seed| H::long(v, seed)),
        Arrow::Interval(_) => primitive!(IntervalYearMonthType, |v, seed| H::int(v, seed)),
        Arrow::Utf8 => {
            let values = array.as_string::<i32>();
            Box::new(
                move |row, seed| if values.is_null(row) { seed } else { H::bytes(values.value(row).as_bytes(), seed) },
            )
        }
        Arrow::Utf8View => {
            let values = array.as_string_view();
            Box::new(
                move |row, seed| if values.is_null(row) { seed } else { H::bytes(values.value(row).as_bytes(), seed) },
            )
        }
        Arrow::Binary => {
            let values = array.as_binary::<i32>();
            Box::new(move |row, seed| if values.is_null(row) { seed } else { H::bytes(values.value(row), seed) })
        }
        Arrow::List(_) => list_hasher::<H>(array)?,
        Arrow::Struct(_) => struct_hasher::<H>(array)?,
        Arrow::Map(..) => map_hasher::<H>(array)?,
        other => return internal_err!("no hash of {other}"),
    })
}

fn list_hasher<'a, H: RowHash + 'a>(array: &'a ArrayRef) -> DfResult<RowHasher<'a, H::State>> {
    let list = array.as_list::<i32>();
    let element = hasher::<H>(list.values())?;
    Ok(Box::new(move |row, seed| {
        if list.is_null(row) {
            return seed;
        }
        let offsets = list.value_offsets();
        (offsets[row] as usize..offsets[row + 1] as usize).fold(seed, |seed, i| element(i, seed))
    }))
}

/// Only the placement of rows hashes maps: the functions refuse them.
fn map_hasher<'a, H: RowHash + 'a>(array: &'a ArrayRef) -> DfResult<RowHasher<'a, H::State>> {
    let map = array.as_map();
    let (key, value) = (hasher::<H>(map.keys())?, hasher::<H>(map.values())?);
    Ok(Box::new(move |row, seed| {
        if map.is_null(row) {
            return seed;
        }
        let offsets = map.value_offsets();
        (offsets[row] as usize..offsets[row + 1] as usize).fold(seed, |seed, i| value(i, key(i, seed)))
    }))
}

fn struct_hasher<'a, H: RowHash + 'a>(array: &'a ArrayRef) -> DfResult<RowHasher<'a, H::State>> {
    let parts = array.as_struct();
    let mut fields = parts.columns().iter().map(|c| hasher::<H>(c)).collect::<DfResult<Vec<_>>>()?;
    if *parts.fields() == calendar_interval_fields() {
        // A calendar interval counts from its microseconds to its months.
        fields.reverse();
    }
    Ok(Box::new(
        move |row, seed| {
            if parts.is_null(row) { seed } else { fields.iter().fold(seed, |seed, field| field(row, seed)) }
        },
    ))
}

/// The bits of a float, with one zero and one NaN.
fn float_bits(v: f32) -> i32 {
    let v = if v == 0.0 { 0.0 } else { v };
    if v.is_nan() { 0x7fc0_0000 } else { v.to_bits().cast_signed() }
}

fn double_bits(v: f64) -> i64 {
    let v = if v == 0.0 { 0.0 } else { v };
    if v.is_nan() { 0x7ff8_0000_0000_0000 } else { v.to_bits().cast_signed() }
}

/// The shortest big-endian two's complement, as Java's `BigInteger.toByteArray` gives.
pub(crate) fn big_integer_bytes(v: i128) -> Vec<u8> {
    let bytes = v.to_be_bytes();
    let redundant = |i: usize| {
        let sign = bytes[i + 1] & 0x80;
        (bytes[i] == 0 && sign == 0) || (bytes[i] == 0xff && sign != 0)
    };
    let start = (0..15).take_while(|i| redundant(*i)).count();
    bytes[start..].to_vec()
}

/// The `hash` of each row of `columns`.
///
/// # Errors
/// If a type has no hash.
pub fn murmur3(columns: &[ArrayRef], rows: usize) -> DfResult<Vec<i32>> {
    hash_rows::<Murmur3>(columns, rows, SEED)
}

/// The hash of one run of whole words.
pub(crate) fn murmur3_words(bytes: &[u8]) -> i32 {
    Murmur3::bytes(bytes, SEED)
}

fn hash_rows<H: RowHash>(columns: &[ArrayRef], rows: usize, seed: H::State) -> DfResult<Vec<H::State>> {
    let mut states = vec![seed; rows];
    for column in columns {
        let hash = hasher::<H>(column)?;
        for (row, state) in states.iter_mut().enumerate() {
            *state = hash(row, *state);
        }
    }
    Ok(states)
}

fn murmur3_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    Ok(ColumnarValue::Array(Arc::new(Int32Array::from(murmur3(&args.arrays()?, args.rows)?))))
}

/// `xxhash64` of the columns of every row.
pub fn xxhash64(columns: &[ArrayRef], rows: usize) -> DfResult<Vec<i64>> {
    hash_rows::<XxHash64>(columns, rows, i64::from(SEED))
}

fn xxhash64_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let hashes = xxhash64(&args.arrays()?, args.rows)?;
    Ok(ColumnarValue::Array(Arc::new(Int64Array::from(hashes))))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, BooleanArray, Decimal128Array, Float64Array, StringArray};

    use super::*;

    fn check(array: ArrayRef, murmur: i32, xx: i64) {
        let columns = [array];
        assert_eq!(murmur3(&columns, 1).unwrap(), vec![murmur]);
        assert_eq!(hash_rows::<XxHash64>(&columns, 1, 42).unwrap(), vec![xx]);
    }

    #[test]
    fn same_as_spark() {
        check(Arc::new(Int32Array::from(vec![1])), -559_580_957, -6_698_625_589_789_238_999);
        check(Arc::new(Int64Array::from(vec![1])), -1_712_319_331, -7_001_672_635_703_045_582);
        check(Arc::new(Float64Array::from(vec![1.5])), 1_290_763_749, 7_738_255_526_519_901_366);
        check(Arc::new(Float64Array::from(vec![-0.0])), -1_670_924_195, -5_252_525_462_095_825_812);
        check(Arc::new(BooleanArray::from(vec![true])), -559_580_957, -6_698_625_589_789_238_999);
        check(Arc::new(StringArray::from(vec!["a"])), 1_485_273_170, -8_582_455_328_737_087_284);
        check(Arc::new(StringArray::from(vec![""])), 142_593_372, -7_444_071_767_201_028_348);
        check(Arc::new(BinaryArray::from(vec![[1u8].as_slice()])), -386_724_586, 6_668_291_691_252_061_002);
        let wide = Decimal128Array::from(vec![150]).with_precision_and_scale(30, 2).unwrap();
        check(Arc::new(wide), -339_019_914, -194_698_251_525_976_593);
        let long = columns("abcdefghijklmnopqrstuvwxyz0123456789");
        assert_eq!(hash_rows::<XxHash64>(&long, 1, 42).unwrap(), vec![2_724_237_963_427_677_065]);
        assert_eq!(murmur3(&columns("é"), 1).unwrap(), vec![2_119_106_806]);
    }

    fn columns(text: &str) -> [ArrayRef; 1] {
        [Arc::new(StringArray::from(vec![text]))]
    }
}
