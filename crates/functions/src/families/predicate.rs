//! Comparisons, boolean logic and tests for null.
//!
//! All of them are DataFusion's own expressions, so that pruning, pushdown and join keys see them.
//! Floating-point operands are normalized first: Spark has one NaN, equal to itself and greater than
//! any number, and -0.0 equals 0.0; Arrow orders by bits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType as Arrow, Float32Type, Float64Type};
use datafusion::common::{Result as DfResult, internal_err};
use datafusion::logical_expr::{ColumnarValue, Expr, Operator, binary_expr, expr::InList, lit};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result, Settings};

use super::operators::decimal_operand;
use crate::call::Call;
use crate::cast::bytes_beneath;
use crate::coerce::{cast_implicitly, common_type, comparison_type};
use crate::kernel::{Kernel, KernelArgs, KernelUdf, Options};
use crate::registry::{Build, Function};
use crate::typed::Typed;
use crate::types::to_arrow;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "=", build: Build::Scalar(|c| comparison(c, Compare::Eq)) },
    Function { name: "==", build: Build::Scalar(|c| comparison(c, Compare::Eq)) },
    Function { name: "!=", build: Build::Scalar(not_equal) },
    Function { name: "<>", build: Build::Scalar(not_equal) },
    Function { name: "<=>", build: Build::Scalar(|c| comparison(c, Compare::NullSafeEq)) },
    Function { name: "equal_null", build: Build::Scalar(equal_null) },
    Function { name: "<", build: Build::Scalar(|c| comparison(c, Compare::Lt)) },
    Function { name: "<=", build: Build::Scalar(|c| comparison(c, Compare::LtEq)) },
    Function { name: ">", build: Build::Scalar(|c| comparison(c, Compare::Gt)) },
    Function { name: ">=", build: Build::Scalar(|c| comparison(c, Compare::GtEq)) },
    Function { name: "and", build: Build::Scalar(|c| logic(c, Operator::And)) },
    Function { name: "or", build: Build::Scalar(|c| logic(c, Operator::Or)) },
    Function { name: "not", build: Build::Scalar(not) },
    Function { name: "!", build: Build::Scalar(not) },
    Function { name: "isnull", build: Build::Scalar(is_null) },
    Function { name: "isnotnull", build: Build::Scalar(is_not_null) },
    Function { name: "is unknown", build: Build::Scalar(|c| is_unknown(c, is_null)) },
    Function { name: "is not unknown", build: Build::Scalar(|c| is_unknown(c, is_not_null)) },
    Function { name: "isnan", build: Build::Scalar(is_nan) },
    Function { name: "in", build: Build::Scalar(is_in) },
    Function { name: "between", build: Build::Scalar(between) },
];

/// What they run.
pub const KERNELS: &[Kernel] = &[NORMALIZE, IS_NAN];

/// One NaN and one zero: what floating-point values are compared, grouped and hashed by.
pub const NORMALIZE: Kernel = Kernel::new("normalize_nan_and_zero", normalize_kernel);
const IS_NAN: Kernel = Kernel::new("isnan", is_nan_kernel);

/// How Spark prints an expression that it computes once for several uses.
pub const COMMON_EXPRESSION: &str = "commonexpressionref()";

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Eq,
    NullSafeEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

impl Compare {
    fn symbol(self) -> &'static str {
        match self {
            Compare::Eq => "=",
            Compare::NullSafeEq => "<=>",
            Compare::Lt => "<",
            Compare::LtEq => "<=",
            Compare::Gt => ">",
            Compare::GtEq => ">=",
        }
    }

    fn operator(self) -> Operator {
        match self {
            Compare::Eq => Operator::Eq,
            Compare::NullSafeEq => Operator::IsNotDistinctFrom,
            Compare::Lt => Operator::Lt,
            Compare::LtEq => Operator::LtEq,
            Compare::Gt => Operator::Gt,
            Compare::GtEq => Operator::GtEq,
        }
    }

    /// The comparison with its sides exchanged.
    fn flipped(self) -> Self {
        match self {
            Compare::Lt => Compare::Gt,
            Compare::LtEq => Compare::GtEq,
            Compare::Gt => Compare::Lt,
            Compare::GtEq => Compare::LtEq,
            other => other,
        }
    }
}

fn comparison(mut call: Call, op: Compare) -> Result<Typed> {
    call.arity(2..=2)?;
    super::collation::unify_comparison(&mut call).map_err(|e| undetermined(e, &call, op.symbol()))?;
    let name = format!("({} {} {})", call.args[0].name, op.symbol(), call.args[1].name);
    compare(&call, op, name)
}

/// A comparison says itself that its collation is not determined.
fn undetermined(error: Error, call: &Call, symbol: &str) -> Error {
    if error.condition() != "INDETERMINATE_COLLATION" {
        return error;
    }
    undetermined_in(error, &format!("({} {symbol} {})", call.args[0].name, call.args[1].name))
}

/// [`undetermined`] of an expression that is printed so.
fn undetermined_in(error: Error, printed: &str) -> Error {
    if error.condition() != "INDETERMINATE_COLLATION" {
        return error;
    }
    Error::analysis("INDETERMINATE_COLLATION_IN_EXPRESSION")
        .param("expr", format!("\"{printed}\""))
        .with_message(format!("The collation to compare by in {printed} is not determined; add a COLLATE clause."))
}

fn not_equal(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    super::collation::unify_comparison(&mut call)?;
    let name = format!("({} = {})", call.args[0].name, call.args[1].name);
    let equal = compare(&call, Compare::Eq, name)?;
    let name = format!("(NOT {})", equal.name);
    Ok(Typed::new(Expr::Not(Box::new(equal.expr)), DataType::Boolean, equal.nullable, name))
}

fn equal_null(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    super::collation::unify_comparison(&mut call)?;
    let name = call.display_name();
    let shown = format!("({} <=> {})", call.args[0].name, call.args[1].name);
    Ok(compare(&call, Compare::NullSafeEq, shown)?.named(name))
}

/// The comparison of the call's two arguments.
fn compare(call: &Call, op: Compare, name: String) -> Result<Typed> {
    let (l, r) = (&call.args[0], &call.args[1]);
    if let Some(truth) = truth_as_number(l, r, op).filter(|_| !call.settings.ansi) {
        return Ok(truth);
    }
    if let Some(simplified) = integral_against_decimal(l, r, op, call.settings) {
        return Ok(simplified);
    }
    // Outside ANSI mode a Boolean may equal a number, but has no place among them.
    let truth_and_number = |a: &Typed, b: &Typed| a.ty == DataType::Boolean && b.ty.is_numeric();
    let ordered = !matches!(op, Compare::Eq | Compare::NullSafeEq);
    if ordered && (truth_and_number(l, r) || truth_and_number(r, l)) {
        return Err(diff_types(call, &name));
    }
    let Some((l, r)) = comparable(l, r, call.settings) else {
        return Err(diff_types(call, &name));
    };
    let timed = call.args.iter().all(|a| matches!(a.ty, DataType::Time(_)));
    if matches!(l.ty, DataType::Time(_)) && !timed && !call.settings.time_type {
        return Err(crate::cast::time_switched_off().at(call.origin.as_ref()));
    }
    check_orderable(call, op.symbol(), &name, &l.ty)?;
    let nullable = op != Compare::NullSafeEq && (l.nullable || r.nullable);
    Ok(Typed::new(comparison_expr(&l, op.operator(), &r), DataType::Boolean, nullable, name))
}

/// A constant truth value that is compared with a literal 1 is itself, and with a 0 its opposite.
fn truth_as_number(l: &Typed, r: &Typed, op: Compare) -> Option<Typed> {
    let number = |t: &Typed| match t.literal()? {
        ScalarValue::Int8(Some(v)) => Some(i128::from(*v)),
        ScalarValue::Int16(Some(v)) => Some(i128::from(*v)),
        ScalarValue::Int32(Some(v)) => Some(i128::from(*v)),
        ScalarValue::Int64(Some(v)) => Some(i128::from(*v)),
        _ => None,
    };
    if op != Compare::Eq {
        return None;
    }
    let (truth, number) = match (&l.ty, &r.ty) {
        (DataType::Boolean, ty) if ty.is_integral() => (l, number(r)?),
        (ty, DataType::Boolean) if ty.is_integral() => (r, number(l)?),
        _ => return None,
    };
    truth.literal()?;
    match number {
        1 => Some(truth.clone()),
        0 => {
            let name = format!("(NOT {})", truth.name);
            Some(Typed::new(Expr::Not(Box::new(truth.expr.clone())), DataType::Boolean, truth.nullable, name))
        }
        _ => None,
    }
}

/// `l op r` for operands of one type.
pub fn comparison_expr(l: &Typed, op: Operator, r: &Typed) -> Expr {
    let (left, right) = normalized_pair(l, r);
    binary_expr(left, op, right)
}

/// Both operands in the form they are compared by.
fn normalized_pair(l: &Typed, r: &Typed) -> (Expr, Expr) {
    let against_plain_literal = |a: &Typed, b: &Typed| matches!(a.expr, Expr::Column(_)) && is_plain_float(&b.expr);
    if against_plain_literal(l, r) || against_plain_literal(r, l) {
        return (l.expr.clone(), r.expr.clone());
    }
    (comparison_key(l), comparison_key(r))
}

fn is_plain_float(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Float64(Some(v)), _) => *v != 0.0 && !v.is_nan(),
        Expr::Literal(ScalarValue::Float32(Some(v)), _) => *v != 0.0 && !v.is_nan(),
        _ => false,
    }
}

/// The expression whose Arrow order and equality are Spark's for `typed`.
pub fn comparison_key(typed: &Typed) -> Expr {
    match &typed.ty {
        DataType::Float | DataType::Double if is_plain_float(&typed.expr) => typed.expr.clone(),
        DataType::Float | DataType::Double => {
            KernelUdf::call(&NORMALIZE, to_arrow(&typed.ty), Options::default(), vec![typed.expr.clone()])
        }
        ty => super::collation::key_expr(typed.expr.clone(), ty),
    }
}

/// Both sides in the type they are compared in.
fn comparable(l: &Typed, r: &Typed, settings: &Settings) -> Option<(Typed, Typed)> {
    let is_decimal = |t: &Typed| matches!(t.ty, DataType::Decimal { .. });
    let (mut l, mut r) = (l.clone(), r.clone());
    if is_decimal(&l) && r.ty.is_integral() {
        r = decimal_operand(&r, settings);
    } else if is_decimal(&r) && l.ty.is_integral() {
        l = decimal_operand(&l, settings);
    }
    let ty = comparison_type(&l.ty, &r.ty, settings)?;
    let (l, r) = (cast_implicitly(&l, &ty, settings), cast_implicitly(&r, &ty, settings));
    if ty == DataType::STRING && (bytes_beneath(&l).is_some() || bytes_beneath(&r).is_some()) {
        // Strings compare as their bytes do, and bytes need not be valid strings.
        let bytes = |typed| crate::cast::implicit_owned(typed, &DataType::Binary, settings);
        return Some((bytes(l), bytes(r)));
    }
    Some((l, r))
}

/// An integral column against a decimal literal is compared as integers, as Spark prints it too.
fn integral_against_decimal(l: &Typed, r: &Typed, op: Compare, settings: &Settings) -> Option<Typed> {
    let decimal = |t: &Typed| match t.literal() {
        Some(ScalarValue::Decimal128(Some(v), _, s)) => Some((*v, *s)),
        _ => None,
    };
    let (integral, (value, scale), op, swapped) = match (decimal(l), decimal(r)) {
        (None, Some(d)) if l.ty.is_integral() => (l, d, op, false),
        (Some(d), None) if r.ty.is_integral() => (r, d, op.flipped(), true),
        _ => return None,
    };
    let unit = 10i128.checked_pow(u32::try_from(scale).ok()?)?;
    let floor = value.div_euclid(unit);
    let ceiling = if value.rem_euclid(unit) == 0 { floor } else { floor + 1 };
    let bound = match op {
        Compare::Gt | Compare::LtEq => floor,
        Compare::GtEq | Compare::Lt => ceiling,
        Compare::Eq | Compare::NullSafeEq => return None,
    };
    let (min, max) = (i128::from(i64::MIN), i128::from(i64::MAX));
    let always = match op {
        Compare::Gt | Compare::GtEq => floor < min,
        _ => ceiling > max,
    };
    let never = match op {
        Compare::Gt | Compare::GtEq => ceiling > max,
        _ => floor < min,
    };
    if always || never {
        return Some(Typed::new(lit(always), DataType::Boolean, false, always.to_string()));
    }
    let bound_literal = Typed::new(lit(i64::try_from(bound).ok()?), DataType::Long, false, bound.to_string());
    let wide = cast_implicitly(integral, &DataType::Long, settings);
    let name = if swapped {
        format!("({bound} {} {})", op.flipped().symbol(), integral.name)
    } else {
        format!("({} {} {bound})", integral.name, op.symbol())
    };
    Some(Typed::new(
        binary_expr(wide.expr, op.operator(), bound_literal.expr),
        DataType::Boolean,
        integral.nullable,
        name,
    ))
}

/// What ANSI mode makes of a text beside another atomic type.
fn beside_text(left: &DataType, right: &DataType) -> Option<DataType> {
    let other = match (left.is_string(), right.is_string()) {
        (true, false) => right,
        (false, true) => left,
        _ => return None,
    };
    match other {
        DataType::Byte | DataType::Short | DataType::Integer | DataType::Long => Some(DataType::Long),
        other if other.is_numeric() => Some(DataType::Double),
        DataType::Array { .. } | DataType::Map { .. } | DataType::Struct(_) | DataType::Variant => None,
        other => Some(other.clone()),
    }
}

fn diff_types(call: &Call, name: &str) -> Error {
    Error::analysis("DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES")
        .param("sqlExpr", format!("\"{name}\""))
        .param("left", format!("\"{}\"", call.args[0].ty.sql()))
        .param("right", format!("\"{}\"", call.args[1].ty.sql()))
        .at(call.origin.as_ref())
}

/// True if values of the type have an order (and so an equality).
pub fn is_orderable(ty: &DataType) -> bool {
    match ty {
        DataType::Map { .. }
        | DataType::CalendarInterval
        | DataType::Variant
        | DataType::Geometry(_)
        | DataType::Geography(_) => false,
        DataType::Array { element, .. } => is_orderable(element),
        DataType::Struct(s) => s.fields.iter().all(|f| is_orderable(&f.data_type)),
        DataType::Udt { sql_type, .. } => is_orderable(sql_type),
        _ => true,
    }
}

fn check_orderable(call: &Call, function: &str, name: &str, ty: &DataType) -> Result<()> {
    if is_orderable(ty) {
        return Ok(());
    }
    Err(Error::analysis("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE")
        .param("sqlExpr", format!("\"{name}\""))
        .param("functionName", format!("`{function}`"))
        .param("dataType", format!("\"{}\"", ty.sql()))
        .at(call.origin.as_ref()))
}

fn logic(mut call: Call, op: Operator) -> Result<Typed> {
    call.arity(2..=2)?;
    let word = if op == Operator::And { "AND" } else { "OR" };
    let name = format!("({} {word} {})", call.args[0].name, call.args[1].name);
    for i in 0..2 {
        let text = call.settings.ansi && call.args[i].ty.is_string() && call.args[1 - i].ty == DataType::Boolean;
        let other = &call.args[1 - i].ty;
        let null = call.args[i].ty == DataType::Null
            && (matches!(other, DataType::Boolean | DataType::Null) || other.is_string());
        if null || text {
            call.args[i] = cast_implicitly(&call.args[i], &DataType::Boolean, call.settings);
        }
    }
    let types = [&call.args[0].ty, &call.args[1].ty];
    let common = match types[0].same_type(types[1]) {
        true => types[0].clone(),
        false => {
            beside_text(types[0], types[1]).filter(|_| call.settings.ansi).ok_or_else(|| diff_types(&call, &name))?
        }
    };
    if common != DataType::Boolean {
        return Err(Error::analysis("DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE")
            .param("sqlExpr", format!("\"{name}\""))
            .param("inputType", "\"BOOLEAN\"")
            .param("actualDataType", format!("\"{}\"", common.sql()))
            .at(call.origin.as_ref()));
    }
    let nullable = call.any_nullable();
    let mut args = std::mem::take(&mut call.args).into_iter();
    match (args.next(), args.next()) {
        (Some(l), Some(r)) => Ok(Typed::new(binary_expr(l.expr, op, r.expr), DataType::Boolean, nullable, name)),
        _ => Err(call.wrong_arity("2")),
    }
}

fn not(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = format!("(NOT {})", call.args[0].name);
    let arg = as_boolean(&call, 0, &name)?;
    Ok(Typed::new(Expr::Not(Box::new(arg.expr)), DataType::Boolean, arg.nullable, name))
}

/// Argument `i` as a condition; `name` is the call as printed.
///
/// # Errors
/// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE` if it is not boolean.
pub fn as_boolean(call: &Call, i: usize, name: &str) -> Result<Typed> {
    let arg = &call.args[i];
    match &arg.ty {
        DataType::Boolean => Ok(arg.clone()),
        t if *t == DataType::Null || (t.is_string() && call.settings.ansi) => {
            Ok(cast_implicitly(arg, &DataType::Boolean, call.settings))
        }
        t => Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
            .param("sqlExpr", format!("\"{name}\""))
            .param("paramIndex", crate::call::ordinal(i + 1))
            .param("requiredType", "\"BOOLEAN\"")
            .param("inputSql", format!("\"{}\"", arg.name))
            .param("inputType", format!("\"{}\"", t.sql()))
            .at(call.origin.as_ref())),
    }
}

fn is_null(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let arg = &call.args[0];
    let name = format!("({} IS NULL)", arg.name);
    Ok(Typed::new(Expr::IsNull(Box::new(arg.expr.clone())), DataType::Boolean, false, name))
}

/// `value IS [NOT] UNKNOWN`: a test for null that only truth values take.
fn is_unknown(call: Call, test: fn(Call) -> Result<Typed>) -> Result<Typed> {
    let ty = call.args[0].ty.clone();
    let shown = call.args[0].name.clone();
    let refusal = call
        .mismatch("UNEXPECTED_INPUT_TYPE")
        .param("paramIndex", "first")
        .param("requiredType", "\"BOOLEAN\"")
        .param("inputSql", format!("\"{shown}\""))
        .param("inputType", format!("\"{}\"", ty.sql()));
    let mut typed = test(call)?;
    match ty {
        DataType::Null => {}
        DataType::Boolean => {
            let kept = typed.name.strip_suffix("NULL)").unwrap_or(&typed.name);
            typed.name = format!("{kept}UNKNOWN)");
        }
        _ => return Err(refusal.param("sqlExpr", format!("\"{}\"", typed.name))),
    }
    Ok(typed)
}

fn is_not_null(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let arg = &call.args[0];
    let name = format!("({} IS NOT NULL)", arg.name);
    Ok(Typed::new(Expr::IsNotNull(Box::new(arg.expr.clone())), DataType::Boolean, false, name))
}

fn is_nan(mut call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    if call.args[0].ty != DataType::Float {
        let expected = crate::coerce::Expected::OneOf(vec![
            crate::coerce::Expected::Type(DataType::Double),
            crate::coerce::Expected::Type(DataType::Float),
        ]);
        call.expect(0, expected)?;
    }
    Ok(call.kernel(&IS_NAN, DataType::Boolean, false))
}

/// `value IN (options…)`.
fn is_in(mut call: Call) -> Result<Typed> {
    if call.args.is_empty() {
        return Err(call.wrong_arity("> 0"));
    }
    let all: Vec<usize> = (0..call.args.len()).collect();
    call.collate(&all)?;
    let options: Vec<&str> = call.args[1..].iter().map(|a| a.name.as_str()).collect();
    let name = format!("({} IN ({}))", call.args[0].name, options.join(", "));
    let types: Vec<DataType> = call.args.iter().map(|a| a.ty.clone()).collect();
    super::collation::determined(&super::collation::of(&types[0]))
        .map_err(|e| undetermined_in(e, &name).at(call.origin.as_ref()))?;
    let common = if types.iter().all(|t| t.same_type(&types[0])) {
        Some(types[0].clone())
    } else if types.len() == 2 && matches!(types[0], DataType::Struct(_)) {
        comparison_type(&types[0], &types[1], call.settings)
    } else {
        common_type(&types, call.settings)
    };
    let Some(common) = common else {
        let types: Vec<String> = types.iter().map(|t| format!("\"{}\"", t.sql())).collect();
        return Err(Error::analysis("DATATYPE_MISMATCH.DATA_DIFF_TYPES")
            .param("sqlExpr", format!("\"{name}\""))
            .param("functionName", "`in`")
            .param("dataType", format!("[{}]", types.join(", ")))
            .at(call.origin.as_ref()));
    };
    check_orderable(&call, "in", &name, &common)?;
    let args: Vec<Typed> = call.args.iter().map(|a| cast_implicitly(a, &common, call.settings)).collect();
    let nullable = args.iter().any(|a| a.nullable);
    let mut keys = args.iter().map(comparison_key);
    let value = keys.next().unwrap_or_else(|| lit(ScalarValue::Null));
    let expr = in_expr(value, keys.collect(), &common);
    Ok(Typed::new(expr, DataType::Boolean, nullable, name))
}

fn in_expr(value: Expr, options: Vec<Expr>, common: &DataType) -> Expr {
    if options.is_empty() {
        return lit(false);
    }
    if common.is_complex() || *common == DataType::Null {
        let equal = options.into_iter().map(|o| binary_expr(value.clone(), Operator::Eq, o));
        return equal.reduce(|a, b| binary_expr(a, Operator::Or, b)).unwrap_or_else(|| lit(false));
    }
    Expr::InList(InList::new(Box::new(value), options, false))
}

/// `x BETWEEN low AND high`; from the API it is two comparisons.
fn between(call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    let name = format!("between({}, {}, {})", call.args[0].name, call.args[1].name, call.args[2].name);
    let value = call.args[0].clone().named(COMMON_EXPRESSION);
    let pair = |i: usize| Call {
        args: vec![value.clone(), call.args[i].clone()],
        arg_names: vec![String::new(); 2],
        origin: call.origin.clone(),
        ..Call::new("between", Vec::new(), call.settings)
    };
    let low = comparison(pair(1), Compare::GtEq)?;
    let high = comparison(pair(2), Compare::LtEq)?;
    let nullable = low.nullable || high.nullable;
    Ok(Typed::new(binary_expr(low.expr, Operator::And, high.expr), DataType::Boolean, nullable, name))
}

fn normalize_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let array = args.array(0)?;
    let out: ArrayRef = match array.data_type() {
        Arrow::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|v| if v.is_nan() { f32::NAN } else { v + 0.0 }),
        ),
        Arrow::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|v| if v.is_nan() { f64::NAN } else { v + 0.0 }),
        ),
        _ => array,
    };
    Ok(ColumnarValue::Array(out))
}

fn is_nan_kernel(args: &KernelArgs) -> DfResult<ColumnarValue> {
    let array = args.array(0)?;
    let out: BooleanArray = match array.data_type() {
        Arrow::Float32 => {
            array.as_primitive::<Float32Type>().iter().map(|v| Some(v.is_some_and(f32::is_nan))).collect()
        }
        Arrow::Float64 => {
            array.as_primitive::<Float64Type>().iter().map(|v| Some(v.is_some_and(f64::is_nan))).collect()
        }
        other => return internal_err!("isnan on {other}"),
    };
    Ok(ColumnarValue::Array(Arc::new(out)))
}
