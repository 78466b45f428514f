//! `df.stat`, `describe`, `summary`.

use spark::expr::CastMode;
use spark::types::DataType;
use spark::{Error, Expr, Literal, Plan, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::expr::list::Bound;
use crate::scope::{Attr, Rel};

const DESCRIBE: [&str; 5] = ["count", "mean", "stddev", "min", "max"];
const SUMMARY: [&str; 8] = ["count", "mean", "stddev", "min", "25%", "50%", "75%", "max"];

impl Analyzer<'_> {
    /// One row with one array of the quantiles of each column.
    pub(super) fn approx_quantile(
        &mut self,
        input: &Plan,
        columns: &[String],
        probabilities: &[f64],
        relative_error: f64,
    ) -> Result<Rel> {
        let rel = self.relation(input)?;
        let accuracy = if relative_error <= 0.0 { f64::from(i32::MAX) } else { (1.0 / relative_error).ceil() };
        let wanted = Literal::Array {
            element_type: DataType::Double,
            values: probabilities.iter().map(|p| Literal::Double(*p)).collect(),
        };
        let none = Literal::Array { element_type: DataType::Double, values: Vec::new() };
        let mut quantiles = Vec::new();
        for name in columns {
            let typed = self.resolve(&Expr::attribute([name]), &mut Scope::new(&rel, "approxQuantile"))?;
            if !typed.ty.is_numeric() {
                return Err(Error::new(spark::ErrorKind::IllegalArgument, "").with_message(format!(
                    "Quantiles are of columns of numbers; {name} is of type {}.",
                    typed.ty.simple_string()
                )));
            }
            // What is no number is left out.
            let column = as_double(self.bound(Bound { typed, attr: None }));
            let missing = Expr::Literal(Literal::Null(DataType::Double));
            let column = Expr::call("nanvl", vec![column, missing]);
            let accuracy = Expr::Literal(Literal::Integer(accuracy.min(f64::from(i32::MAX)) as i32));
            let found = Expr::call("percentile_approx", vec![column, Expr::Literal(wanted.clone()), accuracy]);
            quantiles.push(Expr::call("coalesce", vec![found, Expr::Literal(none.clone())]));
        }
        let array = Expr::call("array", quantiles);
        self.project_rel(&rel, &[array.alias("approx_quantile")])
    }

    pub(super) fn describe(&mut self, input: &Plan, columns: &[String]) -> Result<Rel> {
        let rel = self.relation(input)?;
        let mut chosen = Vec::new();
        for name in columns {
            let found = rel.output.iter().find(|a| self.same_name(&a.name, name)).cloned();
            chosen
                .push(found.ok_or_else(|| self.unresolved(std::slice::from_ref(name), &Scope::new(&rel, "describe")))?);
        }
        if columns.is_empty() {
            chosen = rel.output.clone();
        }
        let statistics: Vec<String> = DESCRIBE.iter().map(|s| s.to_string()).collect();
        self.statistics(&rel, chosen, &statistics)
    }

    pub(super) fn summary(&mut self, input: &Plan, statistics: &[String]) -> Result<Rel> {
        let rel = self.relation(input)?;
        let statistics = match statistics.is_empty() {
            true => SUMMARY.iter().map(|s| s.to_string()).collect(),
            false => statistics.to_vec(),
        };
        let columns = rel.output.clone();
        self.statistics(&rel, columns, &statistics)
    }

    /// One row for each statistic, one string column for each numeric or string column.
    fn statistics(&mut self, rel: &Rel, columns: Vec<Attr>, statistics: &[String]) -> Result<Rel> {
        let columns: Vec<Attr> = columns.into_iter().filter(|a| a.ty.is_numeric() || a.ty.is_string()).collect();
        let mut computed = Vec::new();
        for (i, statistic) in statistics.iter().enumerate() {
            for (j, column) in columns.iter().enumerate() {
                let value = self.statistic(statistic, column)?;
                let text = Expr::Cast { child: Box::new(value), to: DataType::STRING, mode: CastMode::Legacy };
                computed.push(text.alias(format!("s{i}_{j}")));
            }
        }
        let row = if computed.is_empty() { super::one_row() } else { self.project_rel(rel, &computed)? };
        let mut rows = Vec::new();
        for (i, statistic) in statistics.iter().enumerate() {
            let mut members = vec![Expr::Literal(Literal::String(statistic.clone())).alias("summary")];
            for (j, column) in columns.iter().enumerate() {
                members.push(Expr::attribute([format!("s{i}_{j}")]).alias(column.name.clone()));
            }
            rows.push(Expr::call("struct", members));
        }
        let inline = Expr::call("inline", vec![Expr::call("array", rows)]);
        let out = self.project_rel(&row, &[inline])?;
        let output = out.output.iter().map(|a| Attr { nullable: true, ..a.clone() }).collect();
        Ok(out.renamed(output))
    }

    /// The aggregate for a statistic's name.
    fn statistic(&mut self, statistic: &str, column: &Attr) -> Result<Expr> {
        let value = self.bound(Bound { typed: column.typed(), attr: Some(column.clone()) });
        let number = match column.ty.is_numeric() {
            true => value.clone(),
            false => Expr::Cast { child: Box::new(value.clone()), to: DataType::Double, mode: CastMode::Try },
        };
        Ok(match statistic.to_ascii_lowercase().as_str() {
            "count" => Expr::call("count", vec![value]),
            "count_distinct" => Expr::Function(Box::new(spark::expr::UnresolvedFunction {
                name: vec!["count".into()],
                args: vec![value],
                distinct: true,
                ..Default::default()
            })),
            "approx_count_distinct" => Expr::call("approx_count_distinct", vec![value]),
            "mean" => Expr::call("avg", vec![number]),
            "stddev" => Expr::call("stddev", vec![number]),
            "min" => Expr::call("min", vec![value]),
            "max" => Expr::call("max", vec![value]),
            other => {
                let percent = other.strip_suffix('%').and_then(|p| p.trim().parse::<f64>().ok());
                if percent.is_some_and(|p| !(0.0..=100.0).contains(&p)) {
                    return Err(Error::new(spark::ErrorKind::IllegalArgument, "")
                        .with_message(format!("The percentile {statistic} is not from 0% to 100%.")));
                }
                let Some(percent) = percent else {
                    return Err(Error::new(spark::ErrorKind::IllegalArgument, "UNRECOGNIZED_STATISTIC")
                        .param("stats", format!("'{statistic}'"))
                        .with_message(format!("{statistic} is not a statistic that summary knows.")));
                };
                Expr::call("percentile_approx", vec![number, Expr::Literal(Literal::Double(percent / 100.0))])
            }
        })
    }

    /// One row with one array of the frequent items of each column.
    pub(super) fn freq_items(&mut self, input: &Plan, columns: &[String], support: Option<f64>) -> Result<Rel> {
        let support = support.unwrap_or(0.01);
        if !(1e-4..=1.0).contains(&support) {
            return Err(Error::new(spark::ErrorKind::IllegalArgument, "")
                .with_message(format!("The support of freqItems is from 0.0001 to 1, not {support}.")));
        }
        let rel = self.relation(input)?;
        let mut items = Vec::new();
        for name in columns {
            let typed = self.resolve(&Expr::attribute([name]), &mut Scope::new(&rel, "freqItems"))?;
            let counted = functions::families::aggregate::frequent::freq_items(&typed, (1.0 / support) as usize);
            let counted = self.bound(Bound { typed: counted, attr: None });
            items.push(counted.alias(format!("{name}_freqItems")));
        }
        self.project_rel(&rel, &items)
    }

    pub(super) fn two_columns(&mut self, input: &Plan, function: &str, prefix: &str, a: &str, b: &str) -> Result<Rel> {
        let rel = self.relation(input)?;
        let mut numbers = Vec::new();
        for name in [a, b] {
            if !rel.output.iter().any(|c| self.same_name(&c.name, name)) && !name.contains(['.', '`']) {
                return Err(self.no_such_field(name, &rel.output));
            }
            let typed = self.resolve(&Expr::attribute([name]), &mut Scope::new(&rel, "stat"))?;
            if !typed.ty.is_numeric() {
                return Err(Error::new(spark::ErrorKind::IllegalArgument, "").with_message(format!(
                    "{prefix} is of columns of numbers; {name} is of type {}.",
                    typed.ty.simple_string()
                )));
            }
            // What is missing counts as 0.
            numbers.push(Expr::call("coalesce", vec![as_double(self.bound(Bound { typed, attr: None })), double(0.0)]));
        }
        let of_nothing = if prefix == "corr" { f64::NAN } else { 0.0 };
        let call = Expr::call("coalesce", vec![Expr::call(function, numbers), double(of_nothing)]);
        self.project_rel(&rel, &[call.alias(format!("{prefix}({a}, {b})"))])
    }

    /// Counts of pairs: a row for each value of `a`, a column for each value of `b`.
    pub(super) fn crosstab(&mut self, input: &Plan, a: &str, b: &str) -> Result<Rel> {
        let text = |name: &str| Expr::Cast {
            child: Box::new(Expr::attribute([name])),
            to: DataType::STRING,
            mode: CastMode::Legacy,
        };
        let or_null = |e: Expr| Expr::call("coalesce", vec![e, Expr::Literal(Literal::String("null".into()))]);
        let first = format!("{a}_{b}");
        let prepared = spark::Node::Project {
            input: Box::new(input.clone()),
            exprs: vec![or_null(text(a)).alias(first.clone()), or_null(text(b)).alias("v")],
        };
        let pivot = spark::Node::Aggregate(Box::new(spark::plan::Aggregate {
            input: prepared.into(),
            kind: spark::plan::GroupKind::Pivot { column: Expr::attribute(["v"]), values: Vec::new() },
            grouping: vec![Expr::attribute([first.clone()])],
            aggregates: vec![Expr::call("count", vec![Expr::Literal(Literal::Integer(1))])],
            prepend_grouping: true,
        }));
        let filled = spark::Node::FillNa { input: Plan::boxed(pivot), columns: vec![], values: vec![Literal::Long(0)] };
        let mut counted = self.relation(&filled.into())?;
        if let Some(value) = counted.output.first_mut() {
            value.nullable = true;
        }
        Ok(counted)
    }
}

fn double(x: f64) -> Expr {
    Expr::Literal(Literal::Double(x))
}

fn as_double(child: Expr) -> Expr {
    Expr::Cast { child: Box::new(child), to: DataType::Double, mode: CastMode::Session }
}
