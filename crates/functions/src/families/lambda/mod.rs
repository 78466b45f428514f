//! Functions that take lambdas: `transform`, `filter`, `aggregate` and their kin. Typing; values are in
//! [`eval`].

pub mod eval;
mod merge_sort;

use std::sync::Arc;

use datafusion::logical_expr::{Expr, lambda as df_lambda};
use spark::types::DataType;
use spark::{Error, Result};

use super::aggregate::basic::is_orderable;
use super::lists::{Duplicates, contains_null, element};
use crate::call::Call;
use crate::coerce;
use crate::hof::{HofKernel, HofUdf};
use crate::kernel::{Kernel, KernelUdf, Options};
use crate::registry::{Build, Function, LambdaCall, TypedLambda};
use crate::typed::Typed;
use crate::types::to_arrow;

/// Functions of this family.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "transform", build: Build::Lambda(transform) },
    Function { name: "filter", build: Build::Lambda(filter) },
    Function { name: "exists", build: Build::Lambda(test) },
    Function { name: "forall", build: Build::Lambda(test) },
    Function { name: "aggregate", build: Build::Lambda(aggregate) },
    Function { name: "reduce", build: Build::Lambda(aggregate) },
    Function { name: "zip_with", build: Build::Lambda(zip_with) },
    Function { name: "array_sort", build: Build::Lambda(array_sort) },
    Function { name: "map_filter", build: Build::Lambda(map_filter) },
    Function { name: "map_zip_with", build: Build::Lambda(map_zip_with) },
    Function { name: "transform_keys", build: Build::Lambda(transform_map) },
    Function { name: "transform_values", build: Build::Lambda(transform_map) },
];

/// Scalar kernels of this family.
pub const KERNELS: &[Kernel] = &[Kernel::new("array_sort", eval::sort_nulls_last)];

type Parameters = Vec<(DataType, bool)>;

/// A call for errors and names, with what is known of the lambdas.
fn as_call<'a>(call: &LambdaCall<'a>, lambdas: &[(usize, &TypedLambda)]) -> Call<'a> {
    let args = (0..call.args.len())
        .map(|i| match call.value(i) {
            Some(v) => v.clone(),
            None => match lambdas.iter().find(|(at, _)| *at == i) {
                Some((_, l)) => Typed::new(l.expr.clone(), l.ty.clone(), l.nullable, &l.name),
                None => Typed::null(DataType::Null).named("lambdafunction()"),
            },
        })
        .collect();
    let mut out = Call::new(call.name.clone(), args, call.settings);
    out.origin = call.origin.clone();
    out
}

/// Value argument `i`.
fn value(call: &LambdaCall, i: usize) -> Result<Typed> {
    match call.value(i) {
        Some(v) => Ok(v.clone()),
        None => Err(Error::analysis("INVALID_LAMBDA_FUNCTION_CALL.PARAMETER_DOES_NOT_ACCEPT_LAMBDA_FUNCTION")
            .at(call.origin.as_ref())),
    }
}

fn arity(call: &LambdaCall, expected: std::ops::RangeInclusive<usize>) -> Result<()> {
    as_call(call, &[]).arity(expected)
}

/// The array in place `i`.
fn array(call: &LambdaCall, i: usize) -> Result<(Typed, DataType, bool)> {
    let v = value(call, i)?;
    match &v.ty {
        DataType::Array { .. } => {
            let (ty, nulls) = (element(&v.ty), contains_null(&v.ty));
            Ok((v, ty, nulls))
        }
        _ => Err(as_call(call, &[]).unexpected_type(i, "\"ARRAY\"")),
    }
}

/// The map in place `i`.
fn map(call: &LambdaCall, i: usize) -> Result<(Typed, DataType, DataType, bool)> {
    let v = value(call, i)?;
    match v.ty.clone() {
        DataType::Map { key, value, value_contains_null } => {
            Ok((v, (*key).clone(), (*value).clone(), value_contains_null))
        }
        _ => Err(as_call(call, &[]).unexpected_type(i, "\"MAP\"")),
    }
}

/// Types the lambda in place `i`. A plain expression stands for a lambda that ignores its parameters.
fn lambda(call: &mut LambdaCall, i: usize, params: &Parameters) -> Result<TypedLambda> {
    if let Some(count) = call.lambda_parameters(i)
        && count != params.len()
    {
        return Err(Error::analysis("INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH")
            .param("expectedNumArgs", count.to_string())
            .param("actualNumArgs", params.len().to_string())
            .with_message(format!("The lambda has {count} parameters; {} are given.", params.len()))
            .at(call.lambda_origin(i).or(call.origin.as_ref())));
    }
    if let Some(typed) = call.lambda(i, params)? {
        return Ok(typed);
    }
    let body = value(call, i)?;
    let names: Vec<String> = (0..params.len()).map(|p| format!("unused{p}")).collect();
    let shown: Vec<String> = names.iter().map(|_| ", namedlambdavariable()".to_string()).collect();
    let name = format!("lambdafunction({}{})", body.name, shown.concat());
    Ok(TypedLambda {
        expr: df_lambda(names, body.expr),
        ty: body.ty,
        nullable: body.nullable,
        name,
        parameters: params.len(),
    })
}

/// `name(values, lambdas)` as Spark prints it.
fn display(call: &LambdaCall, values: &[&Typed], lambdas: &[&TypedLambda]) -> String {
    let parts: Vec<&str> =
        values.iter().map(|v| v.name.as_str()).chain(lambdas.iter().map(|l| l.name.as_str())).collect();
    format!("{}({})", call.name, parts.join(", "))
}

/// The expression of a kernel over values and lambdas with these parameters.
fn hof(
    call: &LambdaCall,
    kernel: &str,
    values: &[&Typed],
    lambdas: &[(&TypedLambda, &Parameters)],
    ty: &DataType,
) -> Result<Expr> {
    let Some(kernel): Option<&'static HofKernel> = eval::KERNELS.iter().find(|k| k.name == kernel) else {
        return Err(Error::internal(format!("there is no kernel {kernel}")));
    };
    let options = Options {
        ansi: call.settings.ansi,
        extra: Some(Duplicates::option(call.settings).into()),
        context: call.origin.as_ref().map(|o| Arc::new((&**o).into())),
        ..Options::default()
    };
    let params = lambdas.iter().map(|(_, p)| p.iter().map(|(t, _)| to_arrow(t)).collect()).collect();
    let args = values.iter().map(|v| v.expr.clone()).chain(lambdas.iter().map(|(l, _)| l.expr.clone())).collect();
    Ok(HofUdf::new(kernel, to_arrow(ty), params, options).call(args))
}

/// The parameters of a lambda over elements: the element, and its index if asked for.
fn element_params(call: &LambdaCall, i: usize, ty: &DataType, nulls: bool) -> Parameters {
    let mut params = vec![(ty.clone(), nulls)];
    if call.lambda_parameters(i) == Some(2) {
        params.push((DataType::Integer, false));
    }
    params
}

fn transform(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 2..=2)?;
    let (list, ty, nulls) = array(&call, 0)?;
    let params = element_params(&call, 1, &ty, nulls);
    let body = lambda(&mut call, 1, &params)?;
    let out = DataType::array(body.ty.clone(), body.nullable);
    let expr = hof(&call, "transform", &[&list], &[(&body, &params)], &out)?;
    Ok(Typed::new(expr, out, list.nullable, display(&call, &[&list], &[&body])))
}

/// Refuses a lambda that does not answer a boolean.
fn expect_boolean(call: &LambdaCall, i: usize, body: &TypedLambda) -> Result<()> {
    match body.ty {
        DataType::Boolean | DataType::Null => Ok(()),
        _ => Err(as_call(call, &[(i, body)]).unexpected_type(i, "\"BOOLEAN\"")),
    }
}

fn filter(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 2..=2)?;
    let (list, ty, nulls) = array(&call, 0)?;
    let params = element_params(&call, 1, &ty, nulls);
    let body = lambda(&mut call, 1, &params)?;
    expect_boolean(&call, 1, &body)?;
    let expr = hof(&call, "filter", &[&list], &[(&body, &params)], &list.ty)?;
    Ok(Typed::new(expr, list.ty.clone(), list.nullable, display(&call, &[&list], &[&body])))
}

fn test(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 2..=2)?;
    let (list, ty, nulls) = array(&call, 0)?;
    let params = vec![(ty, nulls)];
    let body = lambda(&mut call, 1, &params)?;
    expect_boolean(&call, 1, &body)?;
    let unknown = call.settings.conf.get_bool("spark.sql.legacy.followThreeValuedLogicInArrayExists", true);
    let two_valued = !unknown && call.name == "exists";
    let kernel = if two_valued { "exists_or_not".to_string() } else { call.name.clone() };
    let expr = hof(&call, &kernel, &[&list], &[(&body, &params)], &DataType::Boolean)?;
    let nullable = list.nullable || (body.nullable && !two_valued);
    Ok(Typed::new(expr, DataType::Boolean, nullable, display(&call, &[&list], &[&body])))
}

fn aggregate(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 3..=4)?;
    let (list, ty, nulls) = array(&call, 0)?;
    let zero = value(&call, 1)?;
    let merge_params = vec![(zero.ty.clone(), true), (ty, nulls)];
    let finish_params = vec![(zero.ty.clone(), true)];
    let merge = lambda(&mut call, 2, &merge_params)?;
    let given = call.args.len() == 4;
    let finish = if given { lambda(&mut call, 3, &finish_params)? } else { identity(&zero.ty) };
    if !merge.ty.same_type(&zero.ty) {
        let mut shown = as_call(&call, &[(2, &merge)]);
        if !given {
            shown.args.push(Typed::new(finish.expr.clone(), finish.ty.clone(), true, &finish.name));
        }
        return Err(shown.unexpected_type(2, &format!("\"{}\"", zero.ty.sql())));
    }
    let lambdas = [(&merge, &merge_params), (&finish, &finish_params)];
    let expr = hof(&call, "aggregate", &[&list, &zero], &lambdas, &finish.ty)?;
    let nullable = list.nullable || finish.nullable;
    let name = display(&call, &[&list, &zero], &[&merge, &finish]);
    Ok(Typed::new(expr, finish.ty, nullable, name))
}

/// `x -> x`.
fn identity(ty: &DataType) -> TypedLambda {
    let field = Arc::new(arrow::datatypes::Field::new("acc", to_arrow(ty), true));
    let variable = datafusion::logical_expr::expr::LambdaVariable::new("acc".into(), Some(field));
    TypedLambda {
        expr: df_lambda(vec!["acc".to_string()], Expr::LambdaVariable(variable)),
        ty: ty.clone(),
        nullable: true,
        name: "lambdafunction(namedlambdavariable(), namedlambdavariable())".into(),
        parameters: 1,
    }
}

fn zip_with(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 3..=3)?;
    let (a, left, _) = array(&call, 0)?;
    let (b, right, _) = array(&call, 1)?;
    let params = vec![(left, true), (right, true)];
    let body = lambda(&mut call, 2, &params)?;
    let ty = DataType::array(body.ty.clone(), body.nullable);
    let expr = hof(&call, "zip_with", &[&a, &b], &[(&body, &params)], &ty)?;
    Ok(Typed::new(expr, ty, a.nullable || b.nullable, display(&call, &[&a, &b], &[&body])))
}

/// How Spark prints the comparator it puts in where none is given.
const DEFAULT_COMPARATOR: &str = "lambdafunction((IF(((namedlambdavariable() IS NULL) AND \
    (namedlambdavariable() IS NULL)), 0, (IF((namedlambdavariable() IS NULL), 1, (IF((namedlambdavariable() IS \
    NULL), -1, (IF((namedlambdavariable() < namedlambdavariable()), -1, (IF((namedlambdavariable() > \
    namedlambdavariable()), 1, 0)))))))))), namedlambdavariable(), namedlambdavariable())";

fn array_sort(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 1..=2)?;
    let (list, ty, nulls) = array(&call, 0)?;
    if call.args.len() == 1 {
        if !is_orderable(&ty) {
            return Err(as_call(&call, &[])
                .mismatch("INVALID_ORDERING_TYPE")
                .param("functionName", "`array_sort`")
                .param("dataType", format!("\"{}\"", list.ty.sql())));
        }
        let name = format!("array_sort({}, {DEFAULT_COMPARATOR})", list.name);
        let expr = {
            let options = super::array::by_element(&as_call(&call, &[]), &ty);
            KernelUdf::call(&KERNELS[0], to_arrow(&list.ty), options, vec![list.expr.clone()])
        };
        return Ok(Typed::new(expr, list.ty.clone(), list.nullable, name));
    }
    let params = vec![(ty.clone(), nulls), (ty, nulls)];
    let body = lambda(&mut call, 1, &params)?;
    if body.ty != DataType::Integer {
        return Err(as_call(&call, &[(1, &body)])
            .mismatch("UNEXPECTED_RETURN_TYPE")
            .param("functionName", "`lambdafunction`")
            .param("expectedType", "\"INT\"")
            .param("actualType", format!("\"{}\"", body.ty.sql())));
    }
    let expr = hof(&call, "array_sort", &[&list], &[(&body, &params)], &list.ty)?;
    Ok(Typed::new(expr, list.ty.clone(), list.nullable, display(&call, &[&list], &[&body])))
}

fn map_filter(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 2..=2)?;
    let (m, key, value, nulls) = map(&call, 0)?;
    let params = vec![(key, false), (value, nulls)];
    let body = lambda(&mut call, 1, &params)?;
    expect_boolean(&call, 1, &body)?;
    let expr = hof(&call, "map_filter", &[&m], &[(&body, &params)], &m.ty)?;
    Ok(Typed::new(expr, m.ty.clone(), m.nullable, display(&call, &[&m], &[&body])))
}

fn map_zip_with(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 3..=3)?;
    let (a, key_a, value_a, null_a) = map(&call, 0)?;
    let (b, key_b, value_b, null_b) = map(&call, 1)?;
    let common = match call.settings.ansi {
        true => super::array::common_element(&key_a, &key_b, call.settings),
        false => coerce::wider_type(&key_a, &key_b, call.settings),
    };
    let Some(key) = common else {
        return Err(as_call(&call, &[])
            .mismatch("MAP_ZIP_WITH_DIFF_TYPES")
            .param("functionName", "`map_zip_with`")
            .param("leftType", format!("\"{}\"", key_a.sql()))
            .param("rightType", format!("\"{}\"", key_b.sql())));
    };
    let cast = |m: &Typed, v: &DataType, nulls| {
        coerce::cast_implicitly(m, &DataType::map(key.clone(), v.clone(), nulls), call.settings)
    };
    let (a, b) = (cast(&a, &value_a, null_a), cast(&b, &value_b, null_b));
    let params = vec![(key.clone(), false), (value_a, true), (value_b, true)];
    let body = lambda(&mut call, 2, &params)?;
    let ty = DataType::map(key, body.ty.clone(), body.nullable);
    let expr = hof(&call, "map_zip_with", &[&a, &b], &[(&body, &params)], &ty)?;
    Ok(Typed::new(expr, ty, a.nullable || b.nullable, display(&call, &[&a, &b], &[&body])))
}

fn transform_map(mut call: LambdaCall) -> Result<Typed> {
    arity(&call, 2..=2)?;
    let (m, key, value, nulls) = map(&call, 0)?;
    let params = vec![(key.clone(), false), (value.clone(), nulls)];
    let body = lambda(&mut call, 1, &params)?;
    let ty = if call.name == "transform_keys" {
        DataType::map(body.ty.clone(), value, nulls)
    } else {
        DataType::map(key, body.ty.clone(), body.nullable)
    };
    let kernel = call.name.clone();
    let expr = hof(&call, &kernel, &[&m], &[(&body, &params)], &ty)?;
    Ok(Typed::new(expr, ty, m.nullable, display(&call, &[&m], &[&body])))
}
