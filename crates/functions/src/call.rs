//! A call of a function during analysis: its resolved arguments, and the steps most definitions share.

use std::ops::RangeInclusive;
use std::sync::Arc;

use datafusion::logical_expr::Expr;
use spark::error::QueryContext;
use spark::types::DataType;
use spark::{Error, Origin, Result, Settings};

use crate::coerce::{self, Expected};
use crate::families::datetime::legacy::TimeParser;
use crate::kernel::{Kernel, KernelUdf, Options};
use crate::typed::Typed;
use crate::types::to_arrow;

/// A call to be typed. Definitions check and coerce `args`, then turn it into a [`Typed`] with one of
/// the finishing methods.
pub struct Call<'a> {
    /// The name Spark prints: lower case, the alias under which the function was called.
    pub name: String,
    pub args: Vec<Typed>,
    /// Names of named arguments, aligned with `args`; empty strings for positional ones.
    pub arg_names: Vec<String>,
    pub distinct: bool,
    /// `IGNORE NULLS`/`RESPECT NULLS` where written.
    pub ignore_nulls: Option<bool>,
    /// `FILTER (WHERE …)`, boolean.
    pub filter: Option<Typed>,
    /// `WITHIN GROUP (ORDER BY …)`: key, ascending, nulls first.
    pub order: Vec<(Typed, bool, bool)>,
    /// Written as an operator or keyword rather than a call.
    pub is_operator: bool,
    pub settings: &'a Settings,
    pub origin: Option<Arc<Origin>>,
}

impl<'a> Call<'a> {
    /// A plain call.
    pub fn new(name: impl Into<String>, args: Vec<Typed>, settings: &'a Settings) -> Self {
        Call {
            name: name.into(),
            arg_names: vec![String::new(); args.len()],
            args,
            distinct: false,
            ignore_nulls: None,
            filter: None,
            order: Vec::new(),
            is_operator: false,
            settings,
            origin: None,
        }
    }

    /// Checks the number of arguments.
    ///
    /// # Errors
    /// `WRONG_NUM_ARGS.WITHOUT_SUGGESTION`.
    pub fn arity(&self, expected: RangeInclusive<usize>) -> Result<()> {
        if expected.contains(&self.args.len()) {
            return Ok(());
        }
        let text = if expected.start() == expected.end() {
            expected.start().to_string()
        } else if *expected.end() == usize::MAX {
            format!("> {}", expected.start().saturating_sub(1))
        } else {
            let all: Vec<String> = expected.map(|n| n.to_string()).collect();
            format!("[{}]", all.join(", "))
        };
        Err(self.wrong_arity(text))
    }

    /// The error for a wrong number of arguments; `expected` as Spark words it (`2`, `[1, 2]`, `> 0`).
    pub fn wrong_arity(&self, expected: impl Into<String>) -> Error {
        let expected = expected.into();
        Error::analysis("WRONG_NUM_ARGS.WITHOUT_SUGGESTION")
            .param("functionName", spark::types::quote_identifier(&self.name))
            .param("expectedNum", &expected)
            .param("actualNum", self.args.len().to_string())
            .param("docroot", "https://spark.apache.org/docs/latest")
            .with_message(format!("{} takes {expected} arguments, not {}.", self.name, self.args.len()))
            .at(self.origin.as_ref())
    }

    /// Casts argument `i` as Spark does implicitly, or refuses it.
    ///
    /// # Errors
    /// `DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE`.
    pub fn expect(&mut self, i: usize, expected: Expected) -> Result<()> {
        if expected.accepts(&self.args[i].ty) {
            return Ok(());
        }
        match coerce::implicit(&self.args[i], &expected, self.settings) {
            Some(typed) => {
                self.args[i] = typed;
                Ok(())
            }
            None => Err(self.unexpected_type(i, &expected.describe())),
        }
    }

    /// Gives argument `i` a type where it is an untyped null: that which Spark gives it where it asks for `expected`.
    ///
    /// # Errors
    /// Never for a null; [`Call::expect`] is not asked about others.
    pub fn typed_null(&mut self, i: usize, expected: Expected) -> Result<()> {
        if self.args.get(i).is_some_and(|a| a.ty == DataType::Null) { self.expect(i, expected) } else { Ok(()) }
    }

    /// [`Call::expect`] for arguments in order; stops at the shorter list.
    ///
    /// # Errors
    /// As [`Call::expect`].
    pub fn expect_all(&mut self, expected: &[Expected]) -> Result<()> {
        for (i, e) in expected.iter().enumerate().take(self.args.len()) {
            self.expect(i, e.clone())?;
        }
        Ok(())
    }

    /// Puts binary arguments back that were cast to strings, for a function that only looks at bytes: they
    /// need not be valid UTF-8 then.
    pub fn bytes_of_strings(&mut self) {
        for arg in &mut self.args {
            if let Some(bytes) = crate::cast::bytes_beneath(arg) {
                *arg = bytes;
            }
        }
    }

    /// Casts the arguments in `range` to their common type.
    ///
    /// # Errors
    /// `DATATYPE_MISMATCH.DATA_DIFF_TYPES`.
    pub fn unify(&mut self, range: std::ops::Range<usize>) -> Result<DataType> {
        self.collate(&range.clone().collect::<Vec<_>>())?;
        let types: Vec<DataType> = self.args[range.clone()].iter().map(|a| a.ty.clone()).collect();
        let Some(common) = coerce::common_type(&types, self.settings) else {
            let types: Vec<String> = types.iter().map(|t| format!("\"{}\"", t.sql())).collect();
            return Err(self
                .mismatch("DATA_DIFF_TYPES")
                .param("functionName", spark::types::quote_identifier(&self.name))
                .param("dataType", format!("({})", types.join(" or "))));
        };
        for i in range {
            let arg = std::mem::replace(&mut self.args[i], Typed::null(DataType::Null));
            self.args[i] = crate::cast::implicit_owned(arg, &common, self.settings);
        }
        Ok(common)
    }

    /// Gives the strings among the arguments in places `indices` one collation, if nothing else is there.
    ///
    /// # Errors
    /// `COLLATION_MISMATCH.EXPLICIT`.
    pub fn collate(&mut self, indices: &[usize]) -> Result<()> {
        let texts = indices.iter().filter(|i| self.args[**i].ty != DataType::Null);
        let texts: Vec<usize> = texts.copied().collect();
        if texts.iter().all(|i| crate::families::collation::string_inside(&self.args[*i].ty)) {
            crate::families::collation::unify(self, &texts)?;
        }
        Ok(())
    }

    /// The call under the name that Spark's errors have for it.
    pub fn in_errors(&mut self, name: &str) {
        self.name = name.to_string();
    }

    /// The error for an argument of a wrong type; `required` as Spark words it, quoted.
    pub fn unexpected_type(&self, i: usize, required: &str) -> Error {
        let arg = &self.args[i];
        self.mismatch("UNEXPECTED_INPUT_TYPE")
            .param("paramIndex", ordinal(i + 1))
            .param("requiredType", required)
            .param("inputSql", format!("\"{}\"", arg.name))
            .param("inputType", format!("\"{}\"", arg.ty.sql()))
            .with_message(format!(
                "Argument {} of {} must be {required}, not {}.",
                i + 1,
                self.display_name(),
                arg.ty.sql()
            ))
    }

    /// `DATATYPE_MISMATCH.<sub>` with the call as `sqlExpr`.
    pub fn mismatch(&self, sub: &str) -> Error {
        Error::analysis(format!("DATATYPE_MISMATCH.{sub}"))
            .param("sqlExpr", format!("\"{}\"", self.bare_name()))
            .at(self.origin.as_ref())
    }

    /// [`Call::display_name`] without `DISTINCT` and `FILTER`, which errors about arguments leave out.
    fn bare_name(&self) -> String {
        if !self.distinct && self.filter.is_none() {
            return self.display_name();
        }
        let args: Vec<&str> = self.args.iter().map(|a| a.name.as_str()).collect();
        format!("{}({})", self.name, args.join(", "))
    }

    /// `name(arg, arg)`, `(arg op arg)`, or Spark's form with `DISTINCT` and `FILTER`.
    pub fn display_name(&self) -> String {
        let args: Vec<&str> = self.args.iter().map(|a| a.name.as_str()).collect();
        if let [left, right] = args[..]
            && self.name.chars().all(|c| c.is_ascii_punctuation() && c != '_' && c != '$')
        {
            return format!("({left} {} {right})", self.name);
        }
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        let mut text = format!("{}({distinct}{})", self.name, args.join(", "));
        if let Some(filter) = &self.filter {
            text.push_str(&format!(" FILTER (WHERE {})", filter.name));
        }
        text
    }

    /// True if any argument may be null.
    pub fn any_nullable(&self) -> bool {
        self.args.iter().any(|a| a.nullable)
    }

    /// Default kernel options: ANSI mode, time zone and position of the call.
    pub fn options(&self) -> Options {
        Options {
            ansi: self.settings.ansi,
            time_zone: None,
            extra: None,
            tolerant: false,
            time_parser: TimeParser::default(),
            context: self.origin.as_ref().map(|o| Arc::new(QueryContext::from(&**o))),
        }
    }

    /// Options with the session's time zone.
    pub fn options_tz(&self) -> Options {
        Options { time_zone: Some(self.settings.time_zone.clone()), ..self.options() }
    }

    /// Options with the session's time zone and what it makes of datetime patterns.
    pub fn options_pattern(&self) -> Options {
        Options { time_parser: TimeParser::of(self.settings), ..self.options_tz() }
    }

    /// Finishes with `kernel` over the arguments, default options and the default name.
    pub fn kernel(self, kernel: &'static Kernel, ty: DataType, nullable: bool) -> Typed {
        let options = self.options();
        self.kernel_with(kernel, options, ty, nullable)
    }

    /// Finishes with `kernel` over the arguments and these options.
    pub fn kernel_with(self, kernel: &'static Kernel, options: Options, ty: DataType, nullable: bool) -> Typed {
        let name = self.display_name();
        let args: Vec<Expr> = self.args.into_iter().map(|a| a.expr).collect();
        Typed::new(KernelUdf::call(kernel, to_arrow(&ty), options, args), ty, nullable, name)
    }

    /// Finishes with an expression of one's own and the default name.
    pub fn finish(self, expr: Expr, ty: DataType, nullable: bool) -> Typed {
        let name = self.display_name();
        Typed::new(expr, ty, nullable, name)
    }

    /// The arguments' expressions.
    pub fn exprs(&self) -> Vec<Expr> {
        self.args.iter().map(|a| a.expr.clone()).collect()
    }
}

/// `first`, `second`, `third`, `4th`, … as Spark words argument positions.
pub fn ordinal(n: usize) -> String {
    const NAMES: [&str; 3] = ["first", "second", "third"];
    match NAMES.get(n.wrapping_sub(1)) {
        Some(name) => (*name).to_string(),
        None => format!("{n}th"),
    }
}
