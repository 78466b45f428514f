//! `AnalyzePlan`: questions about a plan that return no rows.

use proto::spark_connect as pb;
use proto::spark_connect::analyze_plan_request::explain::ExplainMode;
use proto::spark_connect::analyze_plan_request::{self as request, Analyze};
use proto::spark_connect::analyze_plan_response::{self as response, Result as Answer};
use scheduler::cache::StorageLevel;
use spark::{DataType, Plan, Result, StructType};

use crate::from_proto::{Pending, Reader, invalid, on_plan_stack};
use crate::sessions::SessionHolder;
use crate::text::TextReader;
use crate::to_proto::data_type;
use crate::tree::tree_string;

/// The version of Spark whose behaviour this server follows.
const SPARK_VERSION: &str = "4.3.0";

/// Answers one question.
pub async fn analyze(holder: &SessionHolder, question: Option<Analyze>) -> Result<Answer> {
    let Some(question) = question else {
        return Err(invalid("UNKNOWN_ANALYZE_METHOD", "The request asks nothing: ANALYZE_NOT_SET.")
            .param("other", "ANALYZE_NOT_SET"));
    };
    let analysis = Analysis { holder, reader: holder.reader() };
    match question {
        Analyze::Schema(q) => analysis.schema(q).await,
        Analyze::Explain(q) => analysis.explain(q).await,
        Analyze::TreeString(q) => analysis.tree_string(q).await,
        Analyze::IsLocal(q) => {
            let is_local = holder.session.is_local(analysis.plan(q.plan)?).await?;
            Ok(Answer::IsLocal(response::IsLocal { is_local }))
        }
        Analyze::IsStreaming(q) => {
            let is_streaming = holder.session.is_streaming(analysis.plan(q.plan)?).await?;
            Ok(Answer::IsStreaming(response::IsStreaming { is_streaming }))
        }
        Analyze::InputFiles(q) => {
            let files = holder.session.input_files(analysis.plan(q.plan)?).await?;
            Ok(Answer::InputFiles(response::InputFiles { files }))
        }
        Analyze::SparkVersion(_) => Ok(Answer::SparkVersion(response::SparkVersion { version: SPARK_VERSION.into() })),
        Analyze::DdlParse(q) => analysis.ddl_parse(&q),
        Analyze::SameSemantics(q) => {
            let (target, other) = (analysis.plan(q.target_plan)?, analysis.plan(q.other_plan)?);
            let result = holder.session.same_semantics(target, other).await?;
            Ok(Answer::SameSemantics(response::SameSemantics { result }))
        }
        Analyze::SemanticHash(q) => {
            let result = holder.session.semantic_hash(analysis.plan(q.plan)?).await?;
            Ok(Answer::SemanticHash(response::SemanticHash { result }))
        }
        Analyze::Persist(q) => analysis.persist(q).await,
        Analyze::Unpersist(q) => {
            holder.session.unpersist(analysis.relation(q.relation)?).await?;
            Ok(Answer::Unpersist(response::Unpersist {}))
        }
        Analyze::GetStorageLevel(q) => {
            let level = holder.session.storage_level(analysis.relation(q.relation)?).await?;
            Ok(Answer::GetStorageLevel(response::GetStorageLevel { storage_level: Some(level_message(level)) }))
        }
        Analyze::JsonToDdl(q) => analysis.json_to_ddl(&q),
    }
}

struct Analysis<'a> {
    holder: &'a SessionHolder,
    reader: Reader,
}

impl Analysis<'_> {
    fn plan(&self, plan: Option<pb::Plan>) -> Result<Plan> {
        Pending::open(plan)?.read(|decoded| self.reader.relation(decoded.relation()?))
    }

    fn relation(&self, relation: Option<pb::Relation>) -> Result<Plan> {
        on_plan_stack(|| self.reader.relation(relation.unwrap_or_default()))
    }

    async fn schema(&self, question: request::Schema) -> Result<Answer> {
        let schema = self.holder.session.schema(self.plan(question.plan)?).await?;
        Ok(Answer::Schema(response::Schema { schema: Some(data_type::schema(&schema)) }))
    }

    async fn explain(&self, question: request::Explain) -> Result<Answer> {
        let mode = match question.explain_mode() {
            ExplainMode::Unspecified | ExplainMode::Simple => "SIMPLE",
            ExplainMode::Extended => "EXTENDED",
            ExplainMode::Codegen => "CODEGEN",
            ExplainMode::Cost => "COST",
            ExplainMode::Formatted => "FORMATTED",
        };
        let explain_string = self.holder.session.explain(self.plan(question.plan)?, mode).await?;
        Ok(Answer::Explain(response::Explain { explain_string }))
    }

    async fn tree_string(&self, question: request::TreeString) -> Result<Answer> {
        let schema = self.holder.session.schema(self.plan(question.plan)?).await?;
        let tree_string = tree_string(&schema, question.level);
        Ok(Answer::TreeString(response::TreeString { tree_string }))
    }

    /// A bare type, or the columns of a table.
    fn ddl_parse(&self, question: &request::DdlParse) -> Result<Answer> {
        let text = &question.ddl_string;
        let parsed = match self.reader.text.data_type(text) {
            Ok(parsed) => parsed,
            Err(as_type) => match self.reader.text.schema(text) {
                Ok(schema) => DataType::Struct(schema),
                // Whichever reading went further says what is wrong; several words are columns.
                Err(as_schema) if text.trim().contains(char::is_whitespace) => return Err(as_schema),
                Err(_) => return Err(as_type),
            },
        };
        Ok(Answer::DdlParse(response::DdlParse { parsed: Some(data_type::data_type(&parsed)) }))
    }

    fn json_to_ddl(&self, question: &request::JsonToDdl) -> Result<Answer> {
        let schema = schema_from_json(&self.reader.text, &question.json_string)?;
        Ok(Answer::JsonToDdl(response::JsonToDdl { ddl_string: schema.to_ddl() }))
    }

    async fn persist(&self, question: request::Persist) -> Result<Answer> {
        let level = question.storage_level.map_or(StorageLevel::DEFAULT, |l| StorageLevel {
            use_disk: l.use_disk,
            use_memory: l.use_memory,
            use_off_heap: l.use_off_heap,
            deserialized: l.deserialized,
            replication: l.replication,
        });
        self.holder.session.persist(self.relation(question.relation)?, level).await?;
        Ok(Answer::Persist(response::Persist {}))
    }
}

fn level_message(level: StorageLevel) -> pb::StorageLevel {
    pb::StorageLevel {
        use_disk: level.use_disk,
        use_memory: level.use_memory,
        use_off_heap: level.use_off_heap,
        deserialized: level.deserialized,
        replication: level.replication,
    }
}

/// A schema from `StructType.json`.
fn schema_from_json(text: &TextReader, json: &str) -> Result<StructType> {
    match text.json_type(json) {
        Some(DataType::Struct(schema)) => Ok(schema),
        _ => Err(spark::Error::new(spark::ErrorKind::IllegalArgument, "INVALID_JSON_DATA_TYPE")
            .param("invalidType", json)
            .with_message("The text is not the JSON form of a schema.")),
    }
}
