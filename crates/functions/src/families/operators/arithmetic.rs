//! Typing of the binary arithmetic operators.

use datafusion::logical_expr::{Expr, Operator, binary_expr};
use datafusion::scalar::ScalarValue;
use spark::types::DataType;
use spark::{Error, Result};

use super::decimal::{self, Operation, allows_precision_loss};
use super::{decimal_kernels, float_kernels, int_kernels};
use crate::call::Call;
use crate::cast::{Mode, cast_with, implicit_owned};
use crate::coerce::{decimal_for, promote_string, tightest_type};
use crate::families::datetime::arithmetic as datetime;
use crate::families::interval;
use crate::kernel::{Kernel, KernelUdf, Options};
use crate::typed::Typed;
use crate::types::to_arrow;

/// A binary arithmetic operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    IntegralDivide,
    Remainder,
    Pmod,
}

impl Op {
    fn symbol(self) -> &'static str {
        match self {
            Op::Add => "+",
            Op::Subtract => "-",
            Op::Multiply => "*",
            Op::Divide => "/",
            Op::IntegralDivide => "div",
            Op::Remainder => "%",
            Op::Pmod => "pmod",
        }
    }

    /// The types the operator takes, as Spark words them.
    fn input_types(self) -> &'static str {
        match self {
            Op::Add | Op::Subtract => {
                "(\"NUMERIC\" or \"INTERVAL DAY TO SECOND\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL\")"
            }
            Op::Divide => "(\"DOUBLE\" or \"DECIMAL\")",
            Op::IntegralDivide => {
                "(\"BIGINT\" or \"DECIMAL\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL DAY TO SECOND\")"
            }
            Op::Multiply | Op::Remainder | Op::Pmod => "\"NUMERIC\"",
        }
    }

    fn decimal(self) -> Operation {
        match self {
            Op::Add | Op::Subtract => Operation::Add,
            Op::Multiply => Operation::Multiply,
            Op::Divide | Op::IntegralDivide => Operation::Divide,
            Op::Remainder | Op::Pmod => Operation::Remainder,
        }
    }

    fn float_operator(self) -> Option<Operator> {
        match self {
            Op::Add => Some(Operator::Plus),
            Op::Subtract => Some(Operator::Minus),
            Op::Multiply => Some(Operator::Multiply),
            _ => None,
        }
    }

    fn float_kernel(self) -> &'static Kernel {
        match self {
            Op::Remainder => &float_kernels::REMAINDER,
            Op::Pmod => &float_kernels::PMOD,
            _ => &float_kernels::DIVIDE,
        }
    }

    fn int_kernel(self) -> &'static Kernel {
        match self {
            Op::Add => &int_kernels::ADD,
            Op::Subtract => &int_kernels::SUBTRACT,
            Op::Multiply => &int_kernels::MULTIPLY,
            Op::Divide | Op::IntegralDivide => &int_kernels::INTEGRAL_DIVIDE,
            Op::Remainder => &int_kernels::REMAINDER,
            Op::Pmod => &int_kernels::PMOD,
        }
    }

    fn decimal_kernel(self) -> &'static Kernel {
        match self {
            Op::Add => &decimal_kernels::ADD,
            Op::Subtract => &decimal_kernels::SUBTRACT,
            Op::Multiply => &decimal_kernels::MULTIPLY,
            Op::Divide => &decimal_kernels::DIVIDE,
            Op::IntegralDivide => &decimal_kernels::INTEGRAL_DIVIDE,
            Op::Remainder => &decimal_kernels::REMAINDER,
            Op::Pmod => &decimal_kernels::PMOD,
        }
    }

    /// Yields null for a zero on the right, so that it may always be null.
    fn divides(self) -> bool {
        matches!(self, Op::Divide | Op::IntegralDivide | Op::Remainder | Op::Pmod)
    }
}

/// A binary operation while it is typed.
struct Binary<'a> {
    call: Call<'a>,
    op: Op,
    /// Null where the result does not fit.
    lenient: bool,
    name: String,
}

/// `l op r`; `lenient` for the `try_` functions.
///
/// # Errors
/// `DATATYPE_MISMATCH` where the operands do not go together.
pub fn arithmetic(call: Call, op: Op, lenient: bool) -> Result<Typed> {
    call.arity(2..=2)?;
    let called = lenient || op == Op::Pmod || call.name == "mod";
    let name = if called {
        call.display_name()
    } else {
        format!("({} {} {})", call.args[0].name, op.symbol(), call.args[1].name)
    };
    let mut call = call;
    if lenient && call.args.iter().any(|a| !a.ty.is_numeric()) {
        // Spark evaluates all of a `try_` function of anything but numbers under one guard.
        for arg in &mut call.args {
            arg.expr = KernelUdf::lenient_below(std::mem::take(&mut arg.expr));
        }
    }
    Binary { call, op, lenient, name }.build()
}

impl Binary<'_> {
    fn build(mut self) -> Result<Typed> {
        if let Some(temporal) = self.temporal() {
            return self.finish_temporal(temporal?);
        }
        self.resolve_nulls();
        let (l, r) = self.operands()?;
        let both = (l.ty.clone(), r.ty.clone());
        match both {
            (DataType::Decimal { precision: p1, scale: s1 }, DataType::Decimal { precision: p2, scale: s2 }) => {
                self.decimals(l, r, (p1, s1), (p2, s2))
            }
            (DataType::Float | DataType::Double, _) => self.floats(l, r),
            _ => self.integers(l, r),
        }
    }

    /// Arithmetic on dates, timestamps and intervals; `None` if neither side is one.
    fn temporal(&self) -> Option<Result<Typed>> {
        let is_temporal = |t: &DataType| {
            t.is_datetime()
                || t.is_timestamp_nanos()
                || t.is_ansi_interval()
                || matches!(t, DataType::CalendarInterval | DataType::Time(_))
        };
        if !self.call.args.iter().any(|a| is_temporal(&a.ty)) {
            return None;
        }
        let (l, r) = (self.call.args[0].clone(), self.call.args[1].clone());
        let (settings, origin) = (self.call.settings, self.call.origin.as_ref());
        let timed = [&l.ty, &r.ty].iter().any(|t| matches!(t, DataType::Time(_)));
        if let Some(null) = self.temporal_null(&l, &r) {
            return Some(Ok(null));
        }
        let typed = match self.op {
            Op::Add => datetime::add(l, r, settings, origin),
            Op::Subtract => datetime::subtract(l, r, settings, origin),
            Op::Multiply => interval::multiply(l, r, settings, origin),
            Op::Divide => interval::divide(l, r, settings, origin),
            Op::IntegralDivide => self.interval_quotient(&l, &r).map(Ok),
            _ => None,
        }?;
        Some(typed.and_then(|typed| match timed && !settings.time_type {
            true => Err(crate::cast::time_switched_off().at(origin)),
            false => Ok(typed),
        }))
    }

    /// A date or timestamp and an untyped null, which counts as an interval or a date.
    fn temporal_null(&self, l: &Typed, r: &Typed) -> Option<Typed> {
        let other = match (&l.ty, &r.ty) {
            (t, DataType::Null) => t,
            (DataType::Null, t) if self.op == Op::Add => t,
            _ => return None,
        };
        let (ty, name) = match (self.op, other) {
            (Op::Add, DataType::Date | DataType::Timestamp) => {
                (DataType::Timestamp, format!("{} + {}", l.name, r.name))
            }
            (Op::Add, nanos @ DataType::TimestampNanos { .. }) => (nanos.clone(), format!("{} + {}", l.name, r.name)),
            (Op::Add, DataType::TimestampNtz) => (DataType::TimestampNtz, format!("{} + {}", l.name, r.name)),
            (Op::Subtract, DataType::Date) => (DataType::DayTimeInterval { start: 0, end: 0 }, self.name.clone()),
            _ => return None,
        };
        Some(Typed::null(ty).named(name))
    }

    /// How many times one interval goes into another of its kind.
    fn interval_quotient(&self, l: &Typed, r: &Typed) -> Option<Typed> {
        let same_kind = matches!(
            (&l.ty, &r.ty),
            (DataType::YearMonthInterval { .. }, DataType::YearMonthInterval { .. })
                | (DataType::DayTimeInterval { .. }, DataType::DayTimeInterval { .. })
        );
        if !same_kind {
            return None;
        }
        let args = vec![l.expr.clone(), r.expr.clone()];
        let expr = KernelUdf::call(&int_kernels::INTERVAL_DIVIDE, to_arrow(&DataType::Long), self.options(), args);
        Some(Typed::new(expr, DataType::Long, true, self.name.clone()))
    }

    /// The `try_` forms yield null where the calculation fails.
    fn finish_temporal(self, typed: Typed) -> Result<Typed> {
        if !self.lenient {
            return Ok(typed);
        }
        Ok(Typed::new(KernelUdf::lenient(typed.expr), typed.ty, true, self.name))
    }

    /// An untyped null takes the other side's type if the operator does.
    fn resolve_nulls(&mut self) {
        let types = [self.call.args[0].ty.clone(), self.call.args[1].ty.clone()];
        for i in 0..2 {
            if types[i] == DataType::Null {
                let ty = match &types[1 - i] {
                    DataType::Null => DataType::Double,
                    other if other.is_string() && !self.call.settings.ansi => DataType::Double,
                    other if other.is_string() || other.is_numeric() => other.clone(),
                    _ => continue,
                };
                let name = self.call.args[i].name.clone();
                self.call.args[i] = Typed::null(ty).named(name);
            }
        }
    }

    /// Both sides as numbers of one kind, or the error that they are not.
    fn operands(&mut self) -> Result<(Typed, Typed)> {
        let settings = self.call.settings;
        // The call keeps the operands' types, for errors.
        let (l, r) = (taken(&mut self.call.args[0]), taken(&mut self.call.args[1]));
        let (mut l, mut r) = self.promote_strings(l, r);
        if !l.ty.is_numeric() || !r.ty.is_numeric() {
            return Err(if l.ty.same_type(&r.ty) { self.wrong_type(&l.ty) } else { self.diff_types() });
        }
        let is_decimal = |t: &DataType| matches!(t, DataType::Decimal { .. });
        let is_float = |t: &DataType| matches!(t, DataType::Float | DataType::Double);
        if self.op == Op::IntegralDivide
            && (l.ty.is_integral() && is_float(&r.ty) || is_float(&l.ty) && r.ty.is_integral())
        {
            return Err(self.diff_types());
        }
        if is_float(&l.ty) && is_decimal(&r.ty) || is_decimal(&l.ty) && is_float(&r.ty) {
            l = implicit_owned(l, &DataType::Double, settings);
            r = implicit_owned(r, &DataType::Double, settings);
        } else if is_decimal(&l.ty) || is_decimal(&r.ty) {
            (l, r) = (decimal_operand_owned(l, settings), decimal_operand_owned(r, settings));
        } else {
            let common = match self.op {
                Op::Divide => DataType::Double,
                Op::IntegralDivide if l.ty.is_integral() && r.ty.is_integral() => DataType::Long,
                _ => tightest_type(&l.ty, &r.ty, settings).ok_or_else(|| self.diff_types())?,
            };
            l = implicit_owned(l, &common, settings);
            r = implicit_owned(r, &common, settings);
        }
        if self.op == Op::IntegralDivide && is_float(&l.ty) {
            return Err(self.wrong_type(&l.ty));
        }
        Ok((l, r))
    }

    fn promote_strings(&self, l: Typed, r: Typed) -> (Typed, Typed) {
        let settings = self.call.settings;
        let target = |a: &DataType, b: &DataType| match (a.is_string(), settings.ansi) {
            (true, true) => promote_string(a, b),
            (true, false) if !b.is_ansi_interval() && *b != DataType::CalendarInterval => Some(DataType::Double),
            _ => None,
        };
        let left = target(&l.ty, &r.ty);
        let right = target(&r.ty, &l.ty);
        let lenient = self.lenient;
        let cast = |t: Typed, to: Option<DataType>| match to {
            // A `try_` function of anything but numbers yields null where its arguments fail, too.
            Some(to) if lenient => cast_with(&t, &to, Mode::Try, settings),
            Some(to) => implicit_owned(t, &to, settings),
            None => t,
        };
        (cast(l, left), cast(r, right))
    }

    /// The operation as Spark prints it inside errors: the `try_` functions are operators to it.
    fn shown(&self) -> String {
        if !self.lenient {
            return self.name.clone();
        }
        format!("({} {} {})", self.call.args[0].name, self.op.symbol(), self.call.args[1].name)
    }

    /// The type that an operand has when Spark compares both sides: whole numbers are divided as 64-bit
    /// ones, and outside ANSI mode strings count as doubles.
    fn side(&self, i: usize) -> DataType {
        let (ty, other) = (&self.call.args[i].ty, &self.call.args[1 - i].ty);
        if self.op == Op::IntegralDivide && ty.is_integral() {
            return DataType::Long;
        }
        let interval = other.is_ansi_interval() || *other == DataType::CalendarInterval;
        if ty.is_string() && !self.call.settings.ansi && !interval {
            return DataType::Double;
        }
        ty.clone()
    }

    fn diff_types(&self) -> Error {
        Error::analysis("DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES")
            .param("sqlExpr", format!("\"{}\"", self.shown()))
            .param("left", format!("\"{}\"", self.side(0).sql()))
            .param("right", format!("\"{}\"", self.side(1).sql()))
            .at(self.call.origin.as_ref())
    }

    fn wrong_type(&self, ty: &DataType) -> Error {
        Error::analysis("DATATYPE_MISMATCH.BINARY_OP_WRONG_TYPE")
            .param("sqlExpr", format!("\"{}\"", self.shown()))
            .param("inputType", self.op.input_types())
            .param("actualDataType", format!("\"{}\"", ty.sql()))
            .at(self.call.origin.as_ref())
    }

    fn options(&self) -> Options {
        let options = self.call.options();
        if self.lenient { options.with_extra("try") } else { options }
    }

    fn kernel(self, kernel: &'static Kernel, l: Typed, r: Typed, ty: DataType, nullable: bool) -> Typed {
        let expr = KernelUdf::call(kernel, to_arrow(&ty), self.options(), vec![l.expr, r.expr]);
        Typed::new(expr, ty, nullable, self.name)
    }

    fn decimals(self, l: Typed, r: Typed, a: (u8, i8), b: (u8, i8)) -> Result<Typed> {
        let ty = match self.op {
            Op::IntegralDivide => DataType::Long,
            _ => decimal::result_type(self.op.decimal(), a, b, allows_precision_loss(self.call.settings)),
        };
        let nullable = l.nullable || r.nullable || self.op.divides() || self.lenient || !self.call.settings.ansi;
        Ok(self.decimal_kernel_call(l, r, ty, nullable))
    }

    fn decimal_kernel_call(self, l: Typed, r: Typed, ty: DataType, nullable: bool) -> Typed {
        let kernel = self.op.decimal_kernel();
        self.kernel(kernel, l, r, ty, nullable)
    }

    fn floats(self, l: Typed, r: Typed) -> Result<Typed> {
        let ty = l.ty.clone();
        let nullable = l.nullable || r.nullable || self.op.divides();
        if let Some(operator) = self.op.float_operator() {
            return Ok(Typed::new(binary_expr(l.expr, operator, r.expr), ty, nullable || self.lenient, self.name));
        }
        if self.op == Op::Divide && is_nonzero_literal(&r.expr) {
            let expr = binary_expr(l.expr, Operator::Divide, r.expr);
            return Ok(Typed::new(expr, ty, true, self.name));
        }
        let kernel = self.op.float_kernel();
        Ok(self.kernel(kernel, l, r, ty, nullable))
    }

    fn integers(self, l: Typed, r: Typed) -> Result<Typed> {
        let ty = l.ty.clone();
        let nullable = l.nullable || r.nullable || self.op.divides() || self.lenient;
        if !self.lenient
            && !self.call.settings.ansi
            && let Some(operator) = self.op.float_operator()
        {
            return Ok(Typed::new(binary_expr(l.expr, operator, r.expr), ty, nullable, self.name));
        }
        let kernel = self.op.int_kernel();
        Ok(self.kernel(kernel, l, r, ty, nullable))
    }
}

fn is_nonzero_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Float64(Some(v)), _) if *v != 0.0)
}

/// The operand, of which type and name stay behind.
fn taken(typed: &mut Typed) -> Typed {
    let expr = std::mem::take(&mut typed.expr);
    Typed {
        expr,
        ty: typed.ty.clone(),
        nullable: typed.nullable,
        name: String::new(),
        metadata: typed.metadata.clone(),
    }
}

/// An operand of decimal arithmetic: integral literals take as many digits as they have.
pub fn decimal_operand(typed: &Typed, settings: &spark::Settings) -> Typed {
    decimal_operand_owned(typed.clone(), settings)
}

fn decimal_operand_owned(typed: Typed, settings: &spark::Settings) -> Typed {
    let digits = |v: i64| DataType::decimal(v.unsigned_abs().to_string().len() as u8, 0);
    let fits = settings.conf.get_bool("spark.sql.legacy.literal.pickMinimumPrecision", true);
    let ty = match typed.literal().filter(|_| fits) {
        Some(ScalarValue::Int16(Some(v))) => Some(digits(i64::from(*v))),
        Some(ScalarValue::Int32(Some(v))) => Some(digits(i64::from(*v))),
        Some(ScalarValue::Int64(Some(v))) => Some(digits(*v)),
        _ => decimal_for(&typed.ty),
    };
    match ty {
        Some(ty) => implicit_owned(typed, &ty, settings),
        None => typed,
    }
}
