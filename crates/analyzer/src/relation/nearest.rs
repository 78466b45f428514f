//! Joins that keep the best matches of every row of the left side: as-of joins and nearest-by joins.
//!
//! The sides are joined, the matches of each left row are numbered from the best, and the numbers
//! wanted are kept.

use functions::{Typed, fold};
use spark::plan::{AsOfJoin, JoinType, NearestByJoin};
use spark::types::DataType;
use spark::{Error, ErrorKind, Expr, Literal, Result};

use crate::context::Analyzer;
use crate::expr::Scope;
use crate::relation::aggregate::contains_aggregate;
use crate::relation::columns::all_columns;
use crate::relation::join::both_sides;
use crate::scope::{Attr, Rel};

/// How far a nearest-by join can go.
const MAX_RESULTS: i32 = 100_000;

/// Which matches of a left row are the best.
struct Best {
    ranking: Typed,
    ascending: bool,
    /// Of equal matches, those that come later on the right side go first.
    latest_first: bool,
    count: i64,
}

impl Analyzer<'_> {
    pub(super) fn as_of_join(&mut self, join: &AsOfJoin) -> Result<Rel> {
        let left = self.relation(&join.left)?;
        let right = self.relation(&join.right)?;
        let kind = as_of_join_type(&join.join_type)?;
        let direction = Direction::named(&join.direction)?;
        let both = both_sides(&left, &right);
        let mut scope = Scope::new(&both, "AS OF JOIN");
        let l = self.resolve(&join.left_as_of, &mut scope)?;
        let r = self.resolve(&join.right_as_of, &mut scope)?;
        let tolerance = join.tolerance.as_ref().map(|t| self.tolerance(t)).transpose()?;
        let mut condition = self.as_of_condition(&l, &r, tolerance.as_ref(), join.allow_exact_matches, direction)?;
        for name in &join.using {
            let equal = self.same_named(name, &left, &right)?;
            condition = self.both(condition, Some(equal))?;
        }
        if let Some(expr) = &join.condition {
            let typed = self.condition(expr, &mut scope)?;
            condition = self.both(condition, Some(typed))?;
        }
        let ranking = self.distance(l, r, direction)?;
        let best = Best { ranking, ascending: true, latest_first: true, count: 1 };
        self.best_matches(left, right, kind, condition, best)
    }

    /// The columns of both sides of that name are equal.
    fn same_named(&mut self, name: &str, left: &Rel, right: &Rel) -> Result<Typed> {
        let parts = spark::expr::UnresolvedAttribute {
            parts: vec![name.to_string()],
            plan_id: None,
            is_metadata_column: false,
        };
        let l = self.attribute(&parts, &mut Scope::new(left, "AS OF JOIN"))?;
        let r = self.attribute(&parts, &mut Scope::new(right, "AS OF JOIN"))?;
        self.call("=", vec![l, r])
    }

    fn both(&mut self, a: Option<Typed>, b: Option<Typed>) -> Result<Option<Typed>> {
        match (a, b) {
            (Some(a), Some(b)) => self.call("and", vec![a, b]).map(Some),
            (a, b) => Ok(a.or(b)),
        }
    }

    /// A tolerance: constant and not negative.
    fn tolerance(&mut self, expr: &Expr) -> Result<Typed> {
        let empty = super::one_row();
        let unfoldable = || {
            Error::analysis("AS_OF_JOIN.TOLERANCE_IS_UNFOLDABLE")
                .with_message("The tolerance of an as-of join must be a constant.")
        };
        let typed = match self.resolve(expr, &mut Scope::new(&empty, "AS OF JOIN")) {
            Ok(typed) if typed.foldable() => typed,
            Ok(_) => return Err(unfoldable()),
            Err(e) if e.condition().starts_with("UNRESOLVED_COLUMN") => return Err(unfoldable()),
            Err(e) => return Err(e),
        };
        let sign = self.call("sign", vec![typed.clone()])?;
        let zero = self.constant(Literal::Double(0.0))?;
        let negative = self.call("<", vec![sign, zero])?;
        if fold::evaluate(&negative)? == datafusion::scalar::ScalarValue::Boolean(Some(true)) {
            return Err(Error::analysis("AS_OF_JOIN.TOLERANCE_IS_NON_NEGATIVE")
                .with_message("The tolerance of an as-of join must not be negative."));
        }
        Ok(typed)
    }

    /// What pairs of an as-of join must satisfy.
    fn as_of_condition(
        &mut self,
        l: &Typed,
        r: &Typed,
        tolerance: Option<&Typed>,
        exact: bool,
        direction: Direction,
    ) -> Result<Option<Typed>> {
        let (at_least, at_most) = if exact { (">=", "<=") } else { (">", "<") };
        let base = match direction {
            Direction::Backward => Some(self.call(at_least, vec![l.clone(), r.clone()])?),
            Direction::Forward => Some(self.call(at_most, vec![l.clone(), r.clone()])?),
            Direction::Nearest if exact => None,
            Direction::Nearest => {
                let equal = self.call("=", vec![l.clone(), r.clone()])?;
                Some(self.call("not", vec![equal])?)
            }
        };
        let Some(tolerance) = tolerance else { return Ok(base) };
        let mut out = base;
        if direction != Direction::Forward {
            let earliest = self.call("-", vec![l.clone(), tolerance.clone()])?;
            let near = self.call(at_least, vec![r.clone(), earliest])?;
            out = self.both(out, Some(near))?;
        }
        if direction != Direction::Backward {
            let latest = self.call("+", vec![l.clone(), tolerance.clone()])?;
            let near = self.call(at_most, vec![r.clone(), latest])?;
            out = self.both(out, Some(near))?;
        }
        Ok(out)
    }

    /// How far apart the two sides of a pair are.
    fn distance(&mut self, l: Typed, r: Typed, direction: Direction) -> Result<Typed> {
        match direction {
            Direction::Backward => self.call("-", vec![l, r]),
            Direction::Forward => self.call("-", vec![r, l]),
            Direction::Nearest => {
                let later = self.call(">", vec![l.clone(), r.clone()])?;
                let forth = self.call("-", vec![l.clone(), r.clone()])?;
                let back = self.call("-", vec![r, l])?;
                self.call("if", vec![later, forth, back])
            }
        }
    }

    pub(super) fn nearest_by_join(&mut self, join: &NearestByJoin) -> Result<Rel> {
        let kind = check_nearest_by(join, self.settings.cross_join)?;
        let left = self.relation(&join.left)?;
        let right = self.relation(&join.right)?;
        let both = both_sides(&left, &right);
        let ranking = self.resolve(&join.ranking, &mut Scope::new(&both, "NEAREST BY"))?;
        if contains_aggregate(&ranking.expr) {
            return Err(Error::analysis("UNSUPPORTED_EXPR_FOR_OPERATOR")
                .param("invalidExprSqls", format!("\"{}\"", ranking.name))
                .param("operator", "NearestByJoin"));
        }
        if !crate::expr::window::orderable(&ranking.ty) {
            return Err(Error::analysis("NEAREST_BY_JOIN.NON_ORDERABLE_RANKING_EXPRESSION")
                .param("expression", format!("\"{}\"", ranking.name))
                .param("type", format!("\"{}\"", ranking.ty.sql())));
        }
        let best = Best {
            ranking,
            ascending: join.direction.eq_ignore_ascii_case("distance"),
            latest_first: false,
            count: i64::from(join.num_results),
        };
        self.best_matches(left, right, kind, None, best)
    }

    /// `left JOIN right ON condition`, with the best matches of each left row; a match without a rank is
    /// none.
    fn best_matches(
        &mut self,
        left: Rel,
        right: Rel,
        kind: JoinType,
        condition: Option<Typed>,
        best: Best,
    ) -> Result<Rel> {
        let (numbered_left, left_row) = self.with_row_number(&left)?;
        let (numbered_right, right_row) = self.with_row_number(&right)?;
        let ranked = self.call("isnotnull", vec![best.ranking.clone()])?;
        let condition = self.both(condition, Some(ranked))?;
        let joined = self.join_on(&numbered_left, &numbered_right, kind, condition)?;
        let (ranked, ranking) = self.with_value(&joined, best.ranking)?;
        let mut order = vec![self.order(ranking, best.ascending, Some(false))?];
        if best.latest_first {
            order.push(self.order(right_row.typed(), false, Some(false))?);
        }
        let mut place = datafusion::functions_window::expr_fn::row_number();
        if let datafusion::logical_expr::Expr::WindowFunction(w) = &mut place {
            w.params.partition_by = vec![left_row.expr()];
            w.params.order_by = order.iter().map(|o| o.sort()).collect();
        }
        let mut values = all_columns(&ranked);
        let place = datafusion::logical_expr::cast(place, arrow_schema::DataType::Int64);
        values.push((Typed::new(place, DataType::Long, false, "row_number()"), None, "place".into()));
        let placed = self.project_values(&ranked, values)?;
        let place = placed.output.last().map(Attr::typed).ok_or_else(|| Error::internal("a column was added"))?;
        let limit = self.constant(Literal::Long(best.count))?;
        let wanted = self.call("<=", vec![place, limit])?;
        let kept = self.filter_typed(&placed, wanted, &placed)?;
        let shown = joined.output.iter().filter(|a| a.id != left_row.id && a.id != right_row.id).cloned().collect();
        Ok(kept.renamed(shown))
    }

    /// The relation with a column that tells its rows apart and grows along them.
    fn with_row_number(&mut self, rel: &Rel) -> Result<(Rel, Attr)> {
        let number = self.call("monotonically_increasing_id", Vec::new())?;
        let mut values = all_columns(rel);
        values.push((number, None, "row".into()));
        let numbered = self.project_values(rel, values)?;
        let attr = numbered.output.last().cloned().ok_or_else(|| Error::internal("a column was added"))?;
        Ok((numbered, attr))
    }
}

/// On which side of a left row its match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Backward,
    Forward,
    Nearest,
}

impl Direction {
    fn named(name: &str) -> Result<Self> {
        match name.to_lowercase().as_str() {
            "backward" => Ok(Direction::Backward),
            "forward" => Ok(Direction::Forward),
            "nearest" => Ok(Direction::Nearest),
            _ => Err(Error::analysis("AS_OF_JOIN.UNSUPPORTED_DIRECTION")
                .param("direction", name)
                .param("supported", "'forward', 'backward', 'nearest'")),
        }
    }
}

fn as_of_join_type(name: &str) -> Result<JoinType> {
    let unsupported = |kind: &str| {
        Err(Error::new(ErrorKind::IllegalArgument, "")
            .with_message(format!("An as-of join is inner or left outer, not {kind}.")))
    };
    match name.to_lowercase().replace('_', "").as_str() {
        "inner" => Ok(JoinType::Inner),
        "left" | "leftouter" => Ok(JoinType::LeftOuter),
        other => unsupported(other),
    }
}

/// Checks the arguments of a nearest-by join; clients check them too, but not all.
fn check_nearest_by(join: &NearestByJoin, cross_join: bool) -> Result<JoinType> {
    let condition = |sub: &str| Error::analysis(format!("NEAREST_BY_JOIN.{sub}"));
    let kind = match join.join_type.to_lowercase().replace('_', "").as_str() {
        "inner" => JoinType::Inner,
        "left" | "leftouter" => JoinType::LeftOuter,
        _ => {
            return Err(condition("UNSUPPORTED_JOIN_TYPE")
                .param("joinType", &join.join_type)
                .param("supported", "'INNER', 'LEFT OUTER'"));
        }
    };
    if !(1..=MAX_RESULTS).contains(&join.num_results) {
        return Err(condition("NUM_RESULTS_OUT_OF_RANGE")
            .param("numResults", join.num_results.to_string())
            .param("min", "1")
            .param("max", MAX_RESULTS.to_string()));
    }
    if !["approx", "exact"].iter().any(|m| join.mode.eq_ignore_ascii_case(m)) {
        return Err(condition("UNSUPPORTED_MODE").param("mode", &join.mode).param("supported", "'approx', 'exact'"));
    }
    if !["distance", "similarity"].iter().any(|d| join.direction.eq_ignore_ascii_case(d)) {
        return Err(condition("UNSUPPORTED_DIRECTION")
            .param("direction", &join.direction)
            .param("supported", "'distance', 'similarity'"));
    }
    if !cross_join {
        return Err(condition("CROSS_JOIN_NOT_ENABLED"));
    }
    Ok(kind)
}
