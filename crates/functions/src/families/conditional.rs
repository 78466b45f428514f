//! Conditional functions: `CASE`, `if`, `coalesce` and its kin.

use datafusion::functions::expr_fn;
use datafusion::logical_expr::{Expr, Operator, expr::Case, lit};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::predicate::comparison_expr;
use crate::call::Call;
use crate::coerce::{self, Expected, cast_implicitly};
use crate::registry::{Build, Function};
use crate::typed::Typed;

/// What users call.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "when", build: Build::Scalar(case_when) },
    Function { name: "case", build: Build::Scalar(case_when) },
    Function { name: "if", build: Build::Scalar(if_else) },
    Function { name: "coalesce", build: Build::Scalar(coalesce) },
    Function { name: "nvl", build: Build::Scalar(nvl) },
    Function { name: "ifnull", build: Build::Scalar(nvl) },
    Function { name: "nvl2", build: Build::Scalar(nvl2) },
    Function { name: "nullif", build: Build::Scalar(nullif) },
    Function { name: "nanvl", build: Build::Scalar(nanvl) },
    Function { name: "zeroifnull", build: Build::Scalar(zeroifnull) },
    Function { name: "nullifzero", build: Build::Scalar(nullifzero) },
];

/// `CASE WHEN c THEN v … ELSE e END`, called with condition, value, …, and an optional last value.
fn case_when(mut call: Call) -> Result<Typed> {
    if call.args.len() < 2 {
        return Err(call.wrong_arity("> 1"));
    }
    let pairs = call.args.len() / 2;
    let has_else = call.args.len() % 2 == 1;
    let values: Vec<usize> = (0..pairs).map(|i| 2 * i + 1).chain(has_else.then_some(call.args.len() - 1)).collect();
    call.collate(&values)?;
    let name = case_name(&call.args);
    let ty = result_type(&call, &values, "casewhen", &name)?;
    let mut branches = Vec::with_capacity(pairs);
    let mut nullable = false;
    let mut certain = false;
    for i in 0..pairs {
        let condition = condition(&call, 2 * i, i, &name)?;
        let value = cast_implicitly(&call.args[2 * i + 1], &ty, call.settings);
        // Spark looks no further than a condition that is true, and not at all at one that is false.
        let constant = match condition.literal() {
            Some(ScalarValue::Boolean(Some(b))) => Some(*b),
            _ => None,
        };
        nullable |= !certain && constant != Some(false) && value.nullable;
        certain |= constant == Some(true);
        branches.push((Box::new(condition.expr), Box::new(value.expr)));
    }
    let otherwise = has_else.then(|| cast_implicitly(&call.args[call.args.len() - 1], &ty, call.settings));
    nullable |= !certain && otherwise.as_ref().is_none_or(|e| e.nullable);
    let expr = Expr::Case(Case::new(None, branches, otherwise.map(|e| Box::new(e.expr))));
    Ok(Typed::new(expr, ty, nullable, name))
}

/// Condition `position` of a `CASE`, argument `i` of the call.
fn condition(call: &Call, i: usize, position: usize, name: &str) -> Result<Typed> {
    let arg = &call.args[i];
    if arg.ty == DataType::Boolean {
        return Ok(arg.clone());
    }
    Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
        .param("sqlExpr", format!("\"{name}\""))
        .param("paramIndex", crate::call::ordinal(position + 1))
        .param("requiredType", "\"BOOLEAN\"")
        .param("inputSql", format!("\"{}\"", arg.name))
        .param("inputType", format!("\"{}\"", arg.ty.sql()))
        .at(call.origin.as_ref()))
}

fn case_name(args: &[Typed]) -> String {
    let mut text = String::from("CASE");
    for pair in args.chunks(2) {
        match pair {
            [when, then] => text.push_str(&format!(" WHEN {} THEN {}", when.name, then.name)),
            [otherwise] => text.push_str(&format!(" ELSE {}", otherwise.name)),
            _ => {}
        }
    }
    text.push_str(" END");
    text
}

/// The common type of the arguments at `values`.
fn result_type(call: &Call, values: &[usize], function: &str, name: &str) -> Result<DataType> {
    let types: Vec<DataType> = values.iter().map(|i| call.args[*i].ty.clone()).collect();
    coerce::common_type(&types, call.settings).ok_or_else(|| {
        let types: Vec<String> = types.iter().map(|t| format!("\"{}\"", t.sql())).collect();
        Error::analysis("DATATYPE_MISMATCH.DATA_DIFF_TYPES")
            .param("sqlExpr", format!("\"{name}\""))
            .param("functionName", format!("`{function}`"))
            .param("dataType", format!("[{}]", types.join(", ")))
            .at(call.origin.as_ref())
    })
}

fn if_else(mut call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    call.collate(&[1, 2])?;
    let name = format!("(IF({}, {}, {}))", call.args[0].name, call.args[1].name, call.args[2].name);
    // An untyped null counts as false; nothing else is cast.
    let condition = match call.args[0].ty {
        DataType::Null => Typed::null(DataType::Boolean),
        _ => condition(&call, 0, 0, &name)?,
    };
    let ty = result_type(&call, &[1, 2], "if", &name)?;
    let then = cast_implicitly(&call.args[1], &ty, call.settings);
    let otherwise = cast_implicitly(&call.args[2], &ty, call.settings);
    Ok(choice(condition.expr, then, otherwise, name))
}

/// `then` where `condition` holds, else `otherwise`, both of one type.
fn choice(condition: Expr, then: Typed, otherwise: Typed, name: String) -> Typed {
    let nullable = then.nullable || otherwise.nullable;
    let expr =
        Expr::Case(Case::new(None, vec![(Box::new(condition), Box::new(then.expr))], Some(Box::new(otherwise.expr))));
    Typed::new(expr, then.ty, nullable, name)
}

fn coalesce(mut call: Call) -> Result<Typed> {
    if call.args.is_empty() {
        return Err(call.wrong_arity("> 0"));
    }
    let ty = call.unify(0..call.args.len())?;
    let nullable = call.args.iter().all(|a| a.nullable);
    let expr = expr_fn::coalesce(call.exprs());
    Ok(call.finish(expr, ty, nullable))
}

/// The error of `coalesce` names `coalesce`, whichever alias was called.
fn nvl(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    call.name = "coalesce".into();
    Ok(coalesce(call)?.named(name))
}

fn nvl2(call: Call) -> Result<Typed> {
    call.arity(3..=3)?;
    let name = call.display_name();
    let shown: Vec<&str> = call.args.iter().map(|a| a.name.as_str()).collect();
    let shown = format!("(IF(({} IS NOT NULL), {}, {}))", shown[0], shown[1], shown[2]);
    let ty = result_type(&call, &[1, 2], "if", &shown)?;
    let then = cast_implicitly(&call.args[1], &ty, call.settings);
    let otherwise = cast_implicitly(&call.args[2], &ty, call.settings);
    Ok(choice(Expr::IsNotNull(Box::new(call.args[0].expr.clone())), then, otherwise, name))
}

fn nullif(call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let name = call.display_name();
    let equal = crate::registry::function("=").ok_or_else(|| Error::internal("`=` is registered"))?;
    let Build::Scalar(build) = equal.build else {
        return Err(Error::internal("`=` is a scalar function"));
    };
    let value = call.args[0].clone();
    let args = vec![value.clone().named(super::predicate::COMMON_EXPRESSION), call.args[1].clone()];
    let equal = build(Call { origin: call.origin.clone(), ..Call::new("=", args, call.settings) })?;
    let null = null_of(&value.ty);
    Ok(choice(equal.expr, null, value, name))
}

fn null_of(ty: &DataType) -> Typed {
    Typed::null(ty.clone())
}

fn nanvl(mut call: Call) -> Result<Typed> {
    call.arity(2..=2)?;
    let both_float = call.args.iter().all(|a| a.ty == DataType::Float);
    if !both_float {
        for i in 0..2 {
            if coerce::implicit(&call.args[i], &Expected::Type(DataType::Double), call.settings).is_none() {
                return Err(call.unexpected_type(i, "(\"DOUBLE\" or \"FLOAT\")"));
            }
        }
        call.expect_all(&[Expected::Type(DataType::Double), Expected::Type(DataType::Double)])?;
    }
    let name = call.display_name();
    let nan = crate::registry::function("isnan").map(|f| &f.build);
    let Some(Build::Scalar(is_nan)) = nan else {
        return Err(Error::internal("isnan is a scalar function"));
    };
    let condition = is_nan(Call::new("isnan", vec![call.args[0].clone()], call.settings))?;
    Ok(choice(condition.expr, call.args[1].clone(), call.args[0].clone(), name))
}

/// `coalesce(x, 0)`.
fn zeroifnull(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    let zero = Typed::new(lit(0i32), DataType::Integer, false, "0");
    let args = vec![call.args[0].clone(), zero];
    Ok(coalesce(Call { origin: call.origin.clone(), ..Call::new("coalesce", args, call.settings) })?.named(name))
}

/// Null where `x = 0`.
fn nullifzero(call: Call) -> Result<Typed> {
    call.arity(1..=1)?;
    let name = call.display_name();
    let value = call.args[0].clone();
    let zero = Typed::new(Expr::Literal(ScalarValue::Int32(Some(0)), None), DataType::Integer, false, "0");
    let Some((l, r)) = coerce::unify_pair(value.clone(), zero, call.settings)? else {
        return Err(Error::analysis("DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES")
            .param("sqlExpr", format!("\"({} = 0)\"", value.name))
            .param("left", format!("\"{}\"", value.ty.sql()))
            .param("right", "\"INT\"")
            .at(call.origin.as_ref()));
    };
    let equal = comparison_expr(&l, Operator::Eq, &r);
    let null = null_of(&value.ty);
    Ok(choice(equal, null, value, name))
}
