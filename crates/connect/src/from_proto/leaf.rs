//! Relations without input: tables, files, local data, SQL text, table functions.

use std::sync::Arc;

use proto::spark_connect as pb;
use proto::spark_connect::read::ReadType;
use spark::plan::DataSource;
use spark::{Error, Expr, Node, Plan, Result};

use super::errors::{invalid, not_set};
use super::{Reader, sorted};

impl Reader {
    pub(super) fn read(&self, message: pb::Read) -> Result<Node> {
        match message.read_type {
            Some(ReadType::NamedTable(table)) => Ok(Node::Table {
                name: self.text.table_name(&table.unparsed_identifier)?,
                options: sorted(table.options),
                is_streaming: message.is_streaming,
                time_travel: None,
            }),
            Some(ReadType::DataSource(source)) => Ok(Node::DataSource(DataSource {
                format: source.format.filter(|f| !f.is_empty()),
                schema: source.schema.filter(|s| !s.is_empty()),
                options: sorted(source.options),
                paths: source.paths,
                predicates: source.predicates,
                is_streaming: message.is_streaming,
            })),
            None => Err(not_set("spark.connect.Read", "READTYPE_NOT_SET")),
        }
    }

    /// SQL text; the arguments are expressions, or literals from older clients.
    pub(super) fn sql(&self, message: pb::Sql) -> Result<Node> {
        #[allow(deprecated)]
        let (literal_args, literal_pos) = (message.args, message.pos_args);
        let mut named_args = Vec::new();
        for (name, literal) in sorted(literal_args) {
            named_args.push((name, Expr::Literal(self.literal(literal)?)));
        }
        for (name, expr) in sorted(message.named_arguments) {
            let expr = self.expr(expr)?;
            check_argument(&name, &expr)?;
            named_args.push((name, expr));
        }
        let mut positional_args = self.exprs(message.pos_arguments)?;
        for (at, expr) in positional_args.iter().enumerate() {
            check_argument(&format!("_pos_{at}"), expr)?;
        }
        for literal in literal_pos {
            positional_args.push(Expr::Literal(self.literal(literal)?));
        }
        Ok(Node::Sql { text: message.query, named_args, positional_args })
    }

    pub(super) fn range(&self, message: &pb::Range) -> Result<Node> {
        if message.step == 0 {
            return Err(spark::Error::new(spark::ErrorKind::IllegalArgument, "")
                .with_message("The step of a range cannot be 0."));
        }
        if message.num_partitions.is_some_and(|n| n < 1) {
            return Err(super::errors::assertion("a range has at least one partition"));
        }
        Ok(Node::Range {
            start: message.start.unwrap_or(0),
            end: message.end,
            step: message.step,
            partitions: message.num_partitions,
        })
    }

    pub(super) fn table_function(&self, message: pb::UnresolvedTableValuedFunction) -> Result<Node> {
        Ok(Node::TableFunction { name: vec![message.function_name], args: self.exprs(message.arguments)? })
    }

    pub(super) fn cached_local_relation(&self, message: &pb::CachedLocalRelation) -> Result<Node> {
        local_relation(self.local.whole(&message.hash)?)
    }

    pub(super) fn chunked_local_relation(&self, message: &pb::ChunkedCachedLocalRelation) -> Result<Node> {
        if message.data_hashes.is_empty() && message.schema_hash.is_none() {
            return Err(invalid("CHUNKED_CACHED_LOCAL_RELATION_WITHOUT_DATA", "A chunked relation names no chunk."));
        }
        self.local.chunked(message)
    }

    pub(super) fn with_relations(&self, message: pb::WithRelations) -> Result<Node> {
        let root = Box::new(self.required_relation(message.root)?);
        let references = message.references.into_iter().map(|r| self.relation(r)).collect::<Result<Vec<Plan>>>()?;
        Ok(Node::WithRelations { root, references })
    }
}

pub(super) fn local_relation(message: pb::LocalRelation) -> Result<Node> {
    if message.data.is_none() && message.schema.is_none() {
        return Err(invalid("SCHEMA_REQUIRED_FOR_LOCAL_RELATION", "A local relation without data needs a schema."));
    }
    message.data.iter().try_for_each(|bytes| crate::ipc_check::stream(bytes))?;
    Ok(Node::LocalRelation {
        data: message.data.map(|bytes| Arc::from(bytes.as_ref())),
        schema: message.schema.filter(|s| !s.is_empty()),
    })
}

pub(super) fn user_data_source(message: &pb::CommonInlineUserDefinedDataSource) -> Result<Node> {
    Err(Error::unsupported(format!("Python data source {}", message.name)))
}

/// The functions that put constants together.
const CONSTRUCTORS: &[&str] = &["array", "map", "named_struct", "struct", "map_from_arrays", "map_from_entries"];

/// The arguments of a query are constants, or made of them; a name may be a variable's.
fn check_argument(name: &str, expr: &Expr) -> Result<()> {
    let (plain, origin) = match expr {
        Expr::At { child, origin } => (child.as_ref(), Some(origin)),
        plain => (plain, None),
    };
    match plain {
        Expr::Literal(_) | Expr::Attribute(_) => Ok(()),
        Expr::Alias { child, .. } => check_argument(name, child),
        Expr::Function(f) if f.name.last().is_some_and(|n| CONSTRUCTORS.contains(&n.to_lowercase().as_str())) => {
            f.args.iter().try_for_each(|arg| check_argument(name, arg))
        }
        _ => Err(spark::Error::analysis("INVALID_SQL_ARG")
            .param("name", name)
            .with_message(format!("The argument {name} of a query is a constant or made of constants."))
            .at(origin)),
    }
}
