//! The `FROM` clause: tables, subqueries, functions, joins, samples, pivots.

use spark::expr::{Subquery, SubqueryKind, SubqueryPlan};
use spark::plan::{
    DataSource, Join, JoinCriteria, JoinType, NearestByJoin, Options, Sample, SqlPivot, TimeTravel, Unpivot,
};
use spark::{Error, Expr, Literal, Node, Plan, Result};

use crate::keywords::Kw;
use crate::lexer::Tok;
use crate::parser::Parser;

/// The alias that Spark gives a subquery without one.
const GENERATED_ALIAS: &str = "__auto_generated_subquery_name";

/// Formats that `` format.`path` `` reads.
const FILE_FORMATS: &[&str] = &["parquet", "csv", "json", "orc", "text", "avro", "xml", "binaryfile", "arrow"];

impl Parser<'_> {
    /// `FROM a, b, … [LATERAL VIEW …] [PIVOT …]`.
    pub fn relations_clause(&mut self) -> Result<Plan> {
        let mark = self.mark();
        self.expect_kw(Kw::FROM)?;
        self.eat_kw(Kw::LATERAL);
        let mut plan = self.relation()?;
        while self.eat_sym(",") {
            let lateral = self.eat_kw(Kw::LATERAL);
            let start = self.mark();
            let right = match self.options.ansi_relation_precedence {
                true => self.relation()?,
                false => self.nested(Self::relation_primary)?,
            };
            if lateral {
                self.check_lateral(mark, start, &right)?;
            }
            plan = self.join(mark, plan, right, JoinType::Inner, JoinCriteria::None, lateral);
            // A comma binds no less than a join, unless the standard's precedence is asked for.
            while let Some(extended) = self.relation_extension(mark, &mut plan)? {
                plan = extended;
            }
        }
        Ok(plan)
    }

    /// True if nothing but a closing mark is `ahead`.
    fn at_end_after(&self, ahead: usize) -> bool {
        matches!(self.peek_at(ahead), Tok::Eof | Tok::Sym(")" | "," | ";"))
    }

    fn join(
        &self,
        mark: usize,
        left: Plan,
        right: Plan,
        join_type: JoinType,
        criteria: JoinCriteria,
        lateral: bool,
    ) -> Plan {
        self.located(mark, Node::Join(Box::new(Join { left, right, join_type, criteria, lateral, tupled: None })))
    }

    /// `LATERAL` stands before a subquery or a table function and nothing else; `start` is the place behind it.
    fn check_lateral(&self, word: usize, start: usize, right: &Plan) -> Result<()> {
        let mut plan = right;
        while let Node::SubqueryAlias { input, .. } = &plan.node {
            plan = input;
        }
        match &plan.node {
            Node::Table { .. } | Node::DataSource(_) | Node::TableByIdentifier { .. } => {}
            _ if self.tokens_keyword(start) == Some(Kw::VALUES) => {}
            _ => return Ok(()),
        }
        Err(self
            .error(word, "INVALID_SQL_SYNTAX.LATERAL_WITHOUT_SUBQUERY_OR_TABLE_VALUED_FUNC")
            .with_message("LATERAL stands before a subquery or a table function"))
    }

    /// A relation with its joins and pivots.
    pub fn relation(&mut self) -> Result<Plan> {
        self.nested(|p| {
            let mark = p.mark();
            let mut plan = p.relation_primary()?;
            while let Some(extended) = p.relation_extension(mark, &mut plan)? {
                plan = extended;
            }
            Ok(plan)
        })
    }

    /// One join, pivot or unpivot over `left`, if one follows. `left` is taken out then.
    fn relation_extension(&mut self, mark: usize, left: &mut Plan) -> Result<Option<Plan>> {
        let take = |left: &mut Plan| std::mem::replace(left, Node::OneRow.into());
        if self.at_kw_sym(Kw::PIVOT, "(") {
            let input = take(left);
            return self.pivot(mark, input).map(Some);
        }
        if self.at_kw(Kw::UNPIVOT) && (self.sym_at(1, "(") || self.keyword_at(2) == Some(Kw::NULLS)) {
            let input = take(left);
            return self.unpivot(mark, input).map(Some);
        }
        if !self.at_join() {
            return Ok(None);
        }
        let left = take(left);
        self.join_relation(mark, left).map(Some)
    }

    /// True if a join follows.
    pub fn at_join(&self) -> bool {
        let mut ahead = 0;
        while let Some(keyword) = self.keyword_at(ahead) {
            match keyword {
                Kw::JOIN => return true,
                Kw::NATURAL
                | Kw::INNER
                | Kw::CROSS
                | Kw::LEFT
                | Kw::RIGHT
                | Kw::FULL
                | Kw::OUTER
                | Kw::SEMI
                | Kw::ANTI
                | Kw::ASOF => ahead += 1,
                _ => break,
            }
        }
        // Only a join begins with these, so what is wrong is what follows.
        ahead > 0 && self.at_any(&[Kw::NATURAL, Kw::INNER, Kw::CROSS, Kw::LEFT, Kw::RIGHT, Kw::FULL])
    }

    pub fn join_relation(&mut self, mark: usize, left: Plan) -> Result<Plan> {
        if self.at_kw(Kw::ASOF) {
            return self.asof_join(mark);
        }
        let word = self.mark();
        let natural = self.eat_kw(Kw::NATURAL);
        let join_type = self.join_type()?;
        self.expect_kw(Kw::JOIN)?;
        let lateral = self.eat_kw(Kw::LATERAL);
        let incompatible = match (natural, lateral, join_type) {
            (true, true, _) => Some(("LATERAL", "NATURAL")),
            (true, false, JoinType::Cross) => Some(("NATURAL", "CROSS")),
            _ => None,
        };
        let start = self.mark();
        let right = self.relation_primary()?;
        if lateral {
            self.check_lateral(word, start, &right)?;
        }
        if self.at_any(&[Kw::APPROX, Kw::EXACT]) && self.keyword_at(1) == Some(Kw::NEAREST) {
            return self.nearest_by(mark, word, left, right, join_type, lateral);
        }
        if let Some((one, other)) = incompatible {
            return Err(self
                .error(word, "INCOMPATIBLE_JOIN_TYPES")
                .param("joinType1", one)
                .param("joinType2", other)
                .with_message(format!("A join is not both {one} and {other}")));
        }
        let criteria = if natural {
            JoinCriteria::Natural
        } else if self.at_kw(Kw::ON) {
            self.advance();
            JoinCriteria::On(self.expression()?)
        } else if self.at_kw(Kw::USING) {
            self.advance();
            let using = JoinCriteria::Using(self.identifier_list()?);
            if lateral {
                return Err(self
                    .error(word, "UNSUPPORTED_FEATURE.LATERAL_JOIN_USING")
                    .with_message("A lateral join has ON, not USING"));
            }
            using
        } else {
            JoinCriteria::None
        };
        if lateral
            && matches!(join_type, JoinType::RightOuter | JoinType::FullOuter | JoinType::LeftSemi | JoinType::LeftAnti)
        {
            return Err(self
                .error(word, "INVALID_LATERAL_JOIN_TYPE")
                .param("joinType", join_type_name(join_type))
                .with_message("A lateral join is inner, cross or left outer"));
        }
        Ok(self.join(word, left, right, join_type, criteria, lateral))
    }

    /// `APPROX|EXACT NEAREST [n] BY DISTANCE|SIMILARITY expr` after the relations of a join.
    fn nearest_by(
        &mut self,
        mark: usize,
        word: usize,
        left: Plan,
        right: Plan,
        join_type: JoinType,
        lateral: bool,
    ) -> Result<Plan> {
        let mode = self.advance();
        let mode = self.text_of(mode).to_lowercase();
        self.advance();
        let num_results = if self.peek() == Tok::Int { self.integer()? } else { 1 };
        self.expect_kw(Kw::BY)?;
        let Some(direction) = self.eat_any(&[Kw::DISTANCE, Kw::SIMILARITY]) else { return Err(self.syntax_error()) };
        let ranking = self.value()?;
        if lateral {
            return Err(self
                .error(word, "UNSUPPORTED_FEATURE.LATERAL_JOIN_NEAREST_BY")
                .with_message("A lateral join has no NEAREST BY"));
        }
        let join = NearestByJoin {
            left,
            right,
            ranking,
            num_results: num_results.try_into().map_err(|_| self.syntax_error())?,
            join_type: if join_type == JoinType::LeftOuter { "left".into() } else { "inner".into() },
            mode,
            direction: direction.text().to_lowercase(),
        };
        Ok(self.located(mark, Node::NearestByJoin(Box::new(join))))
    }

    /// `ASOF JOIN b MATCH_CONDITION (…) [ON …|USING …]`, which Spark has behind a setting that is off.
    fn asof_join(&mut self, mark: usize) -> Result<Plan> {
        self.expect_kws(&[Kw::ASOF, Kw::JOIN])?;
        self.relation_primary()?;
        self.expect_kw(Kw::MATCH_CONDITION)?;
        self.expect_sym("(")?;
        self.expression()?;
        self.expect_sym(")")?;
        if self.eat_kw(Kw::ON) {
            self.expression()?;
        } else if self.eat_kw(Kw::USING) {
            self.identifier_list()?;
        }
        Err(self
            .error(mark + 1, "UNSUPPORTED_FEATURE.ASOF_JOIN")
            .param("config", "\"spark.sql.join.asofJoin.enabled\"")
            .with_message("ASOF JOIN is off"))
    }

    fn join_type(&mut self) -> Result<JoinType> {
        let keyword = self.eat_any(&[Kw::INNER, Kw::CROSS, Kw::LEFT, Kw::RIGHT, Kw::FULL, Kw::SEMI, Kw::ANTI]);
        Ok(match keyword {
            None | Some(Kw::INNER) => JoinType::Inner,
            Some(Kw::CROSS) => JoinType::Cross,
            Some(Kw::SEMI) => JoinType::LeftSemi,
            Some(Kw::ANTI) => JoinType::LeftAnti,
            Some(Kw::LEFT) => match self.eat_any(&[Kw::OUTER, Kw::SEMI, Kw::ANTI]) {
                Some(Kw::SEMI) => JoinType::LeftSemi,
                Some(Kw::ANTI) => JoinType::LeftAnti,
                _ => JoinType::LeftOuter,
            },
            Some(side) => {
                self.eat_kw(Kw::OUTER);
                if side == Kw::RIGHT { JoinType::RightOuter } else { JoinType::FullOuter }
            }
        })
    }

    /// A relation without joins.
    pub fn relation_primary(&mut self) -> Result<Plan> {
        let mark = self.mark();
        if self.at_sym("(") {
            return self.parenthesized_relation(mark);
        }
        if self.at_kw(Kw::VALUES) && !matches!(self.peek_at(1), Tok::Sym("," | ")" | "." | ";") | Tok::Eof) {
            return self.inline_table();
        }
        if self.at_kw(Kw::STREAM) && (self.name_at(1) || self.sym_at(1, "(")) && self.keyword_at(1) != Some(Kw::AS) {
            return self.stream(mark);
        }
        let quoted = self.peek_at(2) == Tok::Quoted;
        let joins =
            self.keyword_at(0).is_some_and(Kw::is_strict_non_reserved) && self.at_join() && !self.at_end_after(1);
        if !self.name_at(0) || joins {
            return Err(self.syntax_error());
        }
        if self.at_kw(Kw::IDENTIFIER) && self.sym_at(1, "(") && !self.string_at(2) {
            return self.relation_by_identifier(mark, quoted);
        }
        let name = self.object_name()?;
        if self.at_sym("(") {
            if let [only] = name.as_slice() {
                if only.eq_ignore_ascii_case("unnest") {
                    return self.unnest(mark);
                }
                if only.eq_ignore_ascii_case("json_table") {
                    return Err(Error::unsupported("JSON_TABLE").at(Some(&self.origin(mark))));
                }
            }
            return self.table_function(mark, name);
        }
        self.table(mark, name, quoted)
    }

    /// A table by name, with time travel, options, sample and alias.
    fn table(&mut self, mark: usize, name: Vec<String>, quoted: bool) -> Result<Plan> {
        let time_travel = self.time_travel()?.map(Box::new);
        let options = self.relation_options()?;
        let node = match file_source(&name, quoted) {
            Some((format, path)) if time_travel.is_none() => {
                Node::DataSource(DataSource { format: Some(format), paths: vec![path], options, ..Default::default() })
            }
            _ => Node::Table { name, options, is_streaming: false, time_travel },
        };
        let plan = self.located(mark, node);
        let plan = self.sample(plan)?;
        self.aliased(mark, plan)
    }

    fn relation_by_identifier(&mut self, mark: usize, quoted: bool) -> Result<Plan> {
        self.advance();
        self.expect_sym("(")?;
        let name = Box::new(self.expression()?);
        self.expect_sym(")")?;
        if let Some(text) = crate::name::constant_text(&name, self.options) {
            let name = self.parse_name_text(mark, &text)?;
            return if self.at_sym("(") { self.table_function(mark, name) } else { self.table(mark, name, quoted) };
        }
        if self.at_sym("(") {
            return Err(
                Error::unsupported("a table function by IDENTIFIER of an expression").at(Some(&self.origin(mark)))
            );
        }
        let options = self.relation_options()?;
        let plan = self.located(mark, Node::TableByIdentifier { name, options });
        let plan = self.sample(plan)?;
        self.aliased(mark, plan)
    }

    fn stream(&mut self, mark: usize) -> Result<Plan> {
        self.advance();
        let parenthesized = self.eat_sym("(");
        let name = self.object_name()?;
        if parenthesized {
            self.expect_sym(")")?;
        }
        let options = self.relation_options()?;
        let plan = self.located(mark, Node::Table { name, options, is_streaming: true, time_travel: None });
        self.aliased(mark, plan)
    }

    /// `WITH ('k' = 'v')` after a table.
    fn relation_options(&mut self) -> Result<Options> {
        if !(self.at_kw(Kw::WITH) && self.sym_at(1, "(")) {
            return Ok(Vec::new());
        }
        self.advance();
        self.properties()
    }

    /// `[FOR] TIMESTAMP|VERSION AS OF …`.
    fn time_travel(&mut self) -> Result<Option<TimeTravel>> {
        if self.options.at_versions && self.at_sym("@") && self.touches(1) {
            return self.version_at();
        }
        let skip = self.at_kw(Kw::FOR) as usize;
        let by = self.keyword_at(skip);
        let timestamp = matches!(by, Some(Kw::TIMESTAMP | Kw::SYSTEM_TIME));
        let version = matches!(by, Some(Kw::VERSION | Kw::SYSTEM_VERSION));
        if !(timestamp || version)
            || self.keyword_at(skip + 1) != Some(Kw::AS)
            || self.keyword_at(skip + 2) != Some(Kw::OF)
        {
            // Only behind `FOR` can it be nothing else.
            if skip == 1 {
                let known = (timestamp || version) as usize;
                self.came_to(1 + known + (known == 1 && self.keyword_at(2) == Some(Kw::AS)) as usize);
            }
            return Ok(None);
        }
        for _ in 0..skip + 3 {
            self.advance();
        }
        if timestamp {
            return self.value().map(|e| Some(TimeTravel::Timestamp(e)));
        }
        let version = if self.at_string() { self.string()? } else { self.integer()?.to_string() };
        Ok(Some(TimeTravel::Version(version)))
    }

    /// `t@v5`.
    fn version_at(&mut self) -> Result<Option<TimeTravel>> {
        let text = self.text_of(self.token(1));
        let digits = text.strip_prefix(['v', 'V']).filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()));
        let Some(version) = digits.map(str::to_string) else { return Err(self.syntax_error()) };
        self.advance();
        self.advance();
        Ok(Some(TimeTravel::Version(version)))
    }

    /// `(query)` or `(relation)`, with sample and alias.
    fn parenthesized_relation(&mut self, mark: usize) -> Result<Plan> {
        if let Some(plan) = self.parenthesized_query()? {
            let plan = self.sample(plan)?;
            let aliased = self.at_table_alias();
            let plan = self.aliased(mark, plan)?;
            if aliased {
                return Ok(plan);
            }
            let alias = vec![GENERATED_ALIAS.to_string()];
            return Ok(self.located(mark, Node::SubqueryAlias { input: Box::new(plan), alias, columns: vec![] }));
        }
        self.expect_sym("(")?;
        let plan = self.relation()?;
        self.expect_sym(")")?;
        let plan = self.sample(plan)?;
        self.aliased(mark, plan)
    }

    /// True if an alias is next.
    pub fn at_table_alias(&self) -> bool {
        if self.at_kw(Kw::AS) {
            return true;
        }
        if !self.strict_name_at(0) {
            return false;
        }
        let Some(keyword) = self.keyword_at(0) else { return true };
        let ends = matches!(self.peek_at(1), Tok::Eof | Tok::Sym(")" | "," | ";")) || self.at_pipe(1);
        ends || !(self.at_clause() || self.continues_relation(keyword))
    }

    /// Words that may follow a relation and are no alias where they do.
    fn continues_relation(&self, keyword: Kw) -> bool {
        match keyword {
            Kw::TABLESAMPLE => self.sym_at(1, "(") || self.sym_at(2, "("),
            Kw::SELECT | Kw::MAP | Kw::REDUCE => true,
            Kw::SET => true,
            Kw::ASOF => self.keyword_at(1) == Some(Kw::JOIN),
            Kw::MATCH_CONDITION => self.sym_at(1, "("),
            Kw::APPROX | Kw::EXACT => self.keyword_at(1) == Some(Kw::NEAREST),
            _ => false,
        }
    }

    /// `[AS] alias [(columns)]` over `plan`.
    pub fn aliased(&mut self, mark: usize, plan: Plan) -> Result<Plan> {
        let Some((alias, columns)) = self.table_alias()? else { return Ok(plan) };
        Ok(self.located(mark, Node::SubqueryAlias { input: Box::new(plan), alias: vec![alias], columns }))
    }

    /// `[AS] alias` over `plan`, without names of columns.
    fn named(&mut self, mark: usize, plan: Plan) -> Result<Plan> {
        if !self.at_table_alias() {
            return Ok(plan);
        }
        let as_word = self.eat_kw(Kw::AS);
        if as_word && !self.strict_name_at(0) {
            return Err(self.syntax_error());
        }
        let alias = vec![self.identifier()?];
        Ok(self.located(mark, Node::SubqueryAlias { input: Box::new(plan), alias, columns: Vec::new() }))
    }

    /// The alias and its columns.
    pub fn table_alias(&mut self) -> Result<Option<(String, Vec<String>)>> {
        if !self.at_table_alias() {
            self.open_alias.0 = self.mark();
            return Ok(None);
        }
        // `FROM t AS`: the word is the alias.
        let word_only = self.at_kw(Kw::AS) && self.at_end_after(1);
        if !word_only {
            self.eat_kw(Kw::AS);
        }
        if !word_only && !self.strict_name_at(0) {
            return Err(if self.at_end_after(1) { self.extra_input() } else { self.syntax_error() });
        }
        let alias = self.identifier()?;
        let mut columns = Vec::new();
        if self.at_sym("(") {
            let list = self.mark();
            let names = self.identifier_list();
            columns = self.or_extra(names, list)?;
        }
        Ok(Some((alias, columns)))
    }

    /// `VALUES row, row, … [alias]`.
    pub fn inline_table(&mut self) -> Result<Plan> {
        let mark = self.mark();
        self.expect_kw(Kw::VALUES)?;
        let rows = self.comma_list(|p| p.expression().map(values_row))?;
        let last = self.origin(mark);
        let alias = self.table_alias()?;
        let named = alias.as_ref().map(|(_, columns)| columns.len()).filter(|n| *n > 0);
        let expected = named.or_else(|| rows.first().map(Vec::len)).unwrap_or_default();
        if let Some((index, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != expected) {
            return Err(self
                .error(mark, "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH")
                .param("expectedNumCols", expected.to_string())
                .param("actualNumCols", row.len().to_string())
                .param("rowIndex", index.to_string())
                .with_message(format!("Row {index} of VALUES has {} columns, not {expected}", row.len())));
        }
        let table = Plan { plan_id: None, origin: Some(last), node: Node::InlineTable { rows } };
        Ok(match alias {
            Some((alias, columns)) => {
                self.located(mark, Node::SubqueryAlias { input: Box::new(table), alias: vec![alias], columns })
            }
            None => table,
        })
    }

    // ---- table functions

    /// `name(args) [WITH ORDINALITY] [alias]`; the name is taken already.
    fn table_function(&mut self, mark: usize, name: Vec<String>) -> Result<Plan> {
        self.expect_sym("(")?;
        let args = if self.at_sym(")") { Vec::new() } else { self.comma_list(Self::table_function_argument)? };
        self.list_end()?;
        // Spark places the call with its alias.
        let alias = self.table_alias()?;
        let plan = self.located(mark, Node::TableFunction { name, args });
        Ok(match alias {
            Some((alias, columns)) => {
                self.located(mark, Node::SubqueryAlias { input: Box::new(plan), alias: vec![alias], columns })
            }
            None => plan,
        })
    }

    /// `UNNEST(arrays) [WITH ORDINALITY] [alias]`; the ordinality is an argument by name.
    fn unnest(&mut self, mark: usize) -> Result<Plan> {
        let mut args = self.paren_list(Self::expression)?;
        if self.eat_kws(&[Kw::WITH, Kw::ORDINALITY]) {
            let value = Box::new(Expr::Literal(Literal::Boolean(true)));
            args.push(Expr::NamedArgument { name: "with_ordinality".into(), value });
        }
        let plan = self.located(mark, Node::TableFunction { name: vec!["unnest".into()], args });
        self.aliased(mark, plan)
    }

    fn table_function_argument(&mut self) -> Result<Expr> {
        let mark = self.mark();
        if self.name_at(0) && self.sym_at(1, "=>") {
            let name = self.identifier()?;
            self.advance();
            let value = Box::new(self.table_or_value()?);
            return Ok(self.at(mark, Expr::NamedArgument { name, value }));
        }
        self.table_or_value()
    }

    /// `TABLE t`, `TABLE(t)`, `TABLE(query)` with its partitioning, or a value.
    fn table_or_value(&mut self) -> Result<Expr> {
        let mark = self.mark();
        let is_table = self.at_kw(Kw::TABLE) && (self.sym_at(1, "(") || self.name_at(1));
        if !is_table {
            return self.expression();
        }
        self.advance();
        let plan = if self.at_sym("(") {
            match self.parenthesized_query()? {
                Some(plan) => plan,
                None => {
                    self.advance();
                    let plan = self.plain_table()?;
                    self.expect_sym(")")?;
                    plan
                }
            }
        } else {
            let plan = self.plain_table()?;
            if let Node::Table { name, .. } = &plan.node {
                let shown = crate::error::shown_name(name);
                let condition = "INVALID_SQL_SYNTAX.INVALID_TABLE_FUNCTION_IDENTIFIER_ARGUMENT_MISSING_PARENTHESES";
                return Err(self
                    .error(mark, condition)
                    .param("argumentName", &shown)
                    .with_message(format!("A table as an argument has parentheses: TABLE({shown})")));
            }
            plan
        };
        let kind = self.table_partitioning()?;
        let subquery = Subquery { kind, plan: SubqueryPlan::Plan(Box::new(plan)) };
        Ok(self.at(mark, Expr::Subquery(Box::new(subquery))))
    }

    fn plain_table(&mut self) -> Result<Plan> {
        let mark = self.mark();
        let name = self.object_name()?;
        Ok(self.located(mark, Node::Table { name, options: vec![], is_streaming: false, time_travel: None }))
    }

    fn table_partitioning(&mut self) -> Result<SubqueryKind> {
        let with_single_partition = self.eat_kws(&[Kw::WITH, Kw::SINGLE, Kw::PARTITION]);
        let mut partition_by = Vec::new();
        if self.at_any(&[Kw::PARTITION, Kw::DISTRIBUTE]) && self.keyword_at(1) == Some(Kw::BY) {
            self.advance();
            self.advance();
            partition_by = if self.at_sym("(") { self.paren_list(Self::expression)? } else { vec![self.expression()?] };
        }
        let mut order_by = Vec::new();
        if self.at_any(&[Kw::ORDER, Kw::SORT]) && self.keyword_at(1) == Some(Kw::BY) {
            self.advance();
            self.advance();
            order_by = if self.at_sym("(") { self.paren_list(Self::sort_item)? } else { vec![self.sort_item()?] };
        }
        Ok(SubqueryKind::TableArg { partition_by, order_by, with_single_partition })
    }

    // ---- samples and pivots

    /// `TABLESAMPLE (…) [REPEATABLE (seed)]` over `plan`, if it is next.
    pub fn sample(&mut self, plan: Plan) -> Result<Plan> {
        if !(self.at_kw(Kw::TABLESAMPLE) && (self.sym_at(1, "(") || self.sym_at(2, "("))) {
            return Ok(plan);
        }
        let mark = self.mark();
        self.advance();
        let system = self.eat_any(&[Kw::SYSTEM, Kw::BERNOULLI]) == Some(Kw::SYSTEM);
        self.expect_sym("(")?;
        let method = match self.at_sym(")") {
            true => {
                Err(Error::parse("_LEGACY_ERROR_TEMP_0014").with_message("TABLESAMPLE needs the size of the sample"))
            }
            false => self.sample_method(plan)?,
        };
        self.expect_sym(")")?;
        let seed = self.sample_seed()?;
        let (mut node, is_percent) = method.map_err(|e| e.at(Some(&self.origin(mark))))?;
        if system && !is_percent {
            return Err(self
                .error(mark, "UNSUPPORTED_FEATURE.TABLESAMPLE_SYSTEM_SAMPLE_METHOD")
                .param("sampleMethod", "ROWS")
                .with_message("TABLESAMPLE SYSTEM takes a percentage"));
        }
        if let Node::Sample(sample) = &mut node {
            sample.seed = seed;
        }
        Ok(self.located(mark, node))
    }

    /// `REPEATABLE (seed)`, if it is next.
    fn sample_seed(&mut self) -> Result<Option<i64>> {
        if !self.eat_kw(Kw::REPEATABLE) {
            return Ok(None);
        }
        self.expect_sym("(")?;
        let seed = self.integer()?;
        self.expect_sym(")")?;
        Ok(Some(seed))
    }

    /// What stands in the parentheses of `TABLESAMPLE`; true if it is a percentage. The inner error is
    /// one of meaning.
    #[allow(clippy::type_complexity)]
    fn sample_method(&mut self, plan: Plan) -> Result<Result<(Node, bool)>> {
        let fraction = |input: Plan, upper: f64| {
            Node::Sample(Box::new(Sample {
                input,
                lower: 0.0,
                upper,
                with_replacement: false,
                seed: None,
                deterministic_order: false,
            }))
        };
        if self.eat_kw(Kw::BUCKET) {
            let numerator = self.integer()? as f64;
            self.expect_kws(&[Kw::OUT, Kw::OF])?;
            let denominator = self.integer()? as f64;
            if self.eat_kw(Kw::ON) {
                self.expression()?;
                return Ok(Err(no_such_sample("BUCKET x OUT OF y ON colname")));
            }
            let fraction_of = numerator / denominator;
            if !(0.0..=1.0).contains(&fraction_of) {
                return Ok(Err(impossible_fraction(fraction_of)));
            }
            return Ok(Ok((fraction(plan, fraction_of), true)));
        }
        if self.number_at(0) && self.keyword_at(1) == Some(Kw::PERCENT)
            || self.at_sym("-") && self.keyword_at(2) == Some(Kw::PERCENT)
        {
            let negative = self.eat_sym("-");
            let token = self.advance();
            let value: f64 = self.text_of(token).parse().map_err(|_| self.syntax_error())?;
            let percent = if negative { -value } else { value };
            self.advance();
            let fraction_of = percent / 100.0;
            // A little more than the whole is a rounding error.
            if !(-1e-6..=1.0 + 1e-6).contains(&fraction_of) {
                return Ok(Err(impossible_fraction(fraction_of)));
            }
            return Ok(Ok((fraction(plan, fraction_of), true)));
        }
        let at = self.mark();
        let limit = self.expression()?;
        let limit = self.placed_value(at, limit);
        if self.eat_kw(Kw::ROWS) {
            return Ok(Ok((Node::Limit { input: Box::new(plan), limit }, false)));
        }
        let shown = self.source_since(at).to_string();
        let (digits, unit) = shown.split_at(shown.len().saturating_sub(1));
        if matches!(unit, "b" | "B" | "k" | "K" | "m" | "M" | "g" | "G") && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Err(no_such_sample("byteLengthLiteral")));
        }
        Ok(Err(Error::parse("_LEGACY_ERROR_TEMP_0016")
            .param("bytesStr", &shown)
            .with_message(format!("{shown} is no size of a sample: it has PERCENT or ROWS"))))
    }

    /// `PIVOT (aggregates FOR column IN (values)) [alias]`.
    pub fn pivot(&mut self, mark: usize, input: Plan) -> Result<Plan> {
        let word = self.mark();
        self.expect_kw(Kw::PIVOT)?;
        self.expect_sym("(")?;
        let aggregates = self.comma_list(Self::named_expression)?;
        self.expect_kw(Kw::FOR)?;
        let columns = if self.at_sym("(") { self.paren_list(Self::dotted_name)? } else { vec![self.dotted_name()?] };
        self.expect_kw(Kw::IN)?;
        let values = self.paren_list(Self::named_expression)?;
        self.expect_sym(")")?;
        // Spark places the columns at the whole clause.
        let columns = columns.into_iter().map(|parts| self.at(word, Expr::attribute(parts))).collect();
        let pivot = SqlPivot { input, aggregates, columns, values };
        let plan = self.located(mark, Node::Pivot(Box::new(pivot)));
        self.named(mark, plan)
    }

    /// `UNPIVOT [INCLUDE|EXCLUDE NULLS] (value FOR name IN (columns)) [alias]`.
    pub fn unpivot(&mut self, mark: usize, input: Plan) -> Result<Plan> {
        self.expect_kw(Kw::UNPIVOT)?;
        let include_nulls = match self.eat_any(&[Kw::INCLUDE, Kw::EXCLUDE]) {
            Some(keyword) => {
                self.expect_kw(Kw::NULLS)?;
                keyword == Kw::INCLUDE
            }
            None => false,
        };
        self.expect_sym("(")?;
        let multi = self.at_sym("(");
        let value_columns = if multi { self.identifier_list()? } else { vec![self.identifier()?] };
        self.expect_kw(Kw::FOR)?;
        let variable_column = self.identifier()?;
        self.expect_kw(Kw::IN)?;
        let values = self.paren_list(|p| p.unpivot_column(multi))?;
        self.expect_sym(")")?;
        let unpivot = Unpivot { input, ids: None, values: Some(values), variable_column, value_columns, include_nulls };
        let plan = self.located(mark, Node::Unpivot(Box::new(unpivot)));
        self.named(mark, plan)
    }

    /// A column, or a set of columns, with its alias.
    fn unpivot_column(&mut self, multi: bool) -> Result<(Vec<Expr>, Option<String>)> {
        let column = |p: &mut Self| {
            let at = p.mark();
            let parts = p.dotted_name()?;
            Ok(p.at(at, Expr::attribute(parts)))
        };
        let columns = if multi { self.paren_list(column)? } else { vec![column(self)?] };
        let alias = if self.eat_kw(Kw::AS) || self.name_at(0) { Some(self.identifier()?) } else { None };
        Ok((columns, alias))
    }
}

/// A way to sample that Spark reads and does not have.
fn impossible_fraction(fraction: f64) -> Error {
    Error::parse("INVALID_TABLESAMPLE_FRACTION")
        .param("fraction", format!("{fraction:?}"))
        .with_message(format!("A sample of the fraction {fraction} is impossible"))
}

fn no_such_sample(method: &str) -> Error {
    Error::parse("_LEGACY_ERROR_TEMP_0015")
        .param("msg", method)
        .with_message(format!("A table is not sampled by {method}"))
}

/// `` parquet.`path` ``.
fn file_source(name: &[String], quoted: bool) -> Option<(String, String)> {
    let [format, path] = name else { return None };
    let format = format.to_ascii_lowercase();
    (quoted && FILE_FORMATS.contains(&format.as_str())).then(|| (format, path.clone()))
}

/// The columns of one row of `VALUES`.
fn values_row(expr: Expr) -> Vec<Expr> {
    match expr {
        Expr::At { child, origin } => match *child {
            Expr::Row(items) => items,
            Expr::Function(function) if function.name.len() == 1 && function.name[0].eq_ignore_ascii_case("struct") => {
                function.args
            }
            other => vec![Expr::At { child: Box::new(other), origin }],
        },
        other => vec![other],
    }
}

fn join_type_name(join_type: JoinType) -> &'static str {
    match join_type {
        JoinType::Inner => "INNER",
        JoinType::FullOuter => "FULL OUTER",
        JoinType::LeftOuter => "LEFT OUTER",
        JoinType::RightOuter => "RIGHT OUTER",
        JoinType::LeftAnti => "LEFT ANTI",
        JoinType::LeftSemi => "LEFT SEMI",
        JoinType::Cross => "CROSS",
    }
}
