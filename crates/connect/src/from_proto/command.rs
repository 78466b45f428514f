//! Commands.

use proto::spark_connect as pb;
use proto::spark_connect::command::CommandType;
use proto::spark_connect::merge_action::ActionType;
use proto::spark_connect::write_operation::save_table::TableSaveMethod;
use proto::spark_connect::write_operation::{SaveMode, SaveType};
use proto::spark_connect::write_operation_v2::Mode;
use spark::command::{
    Command, CreateView, MergeAction, MergeActionKind, MergeInto, WriteOperation, WriteOperationV2, WriteTarget,
};
use spark::{Error, Expr, Node, Plan, Result};

use super::errors::{bad_enum, extension, invalid, not_set};
use super::{Reader, sorted};

/// What the service does with a command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandKind {
    /// SQL text: a query, which is only analysed, or a command, which runs now.
    Sql(Plan),
    /// A command of the engine.
    Run(Box<Command>),
    /// Named resources (GPUs) of the server: there are none.
    GetResources,
}

fn run(command: Command) -> CommandKind {
    CommandKind::Run(Box::new(command))
}

impl Reader {
    /// A command message.
    pub fn command(&self, message: pb::Command) -> Result<CommandKind> {
        let kind = message.command_type.ok_or_else(|| not_set("spark.connect.Command", "COMMANDTYPE_NOT_SET"))?;
        match kind {
            CommandType::SqlCommand(m) => self.sql_command(m).map(CommandKind::Sql),
            CommandType::RegisterFunction(m) => {
                let udf = self.python_udf(m)?;
                Ok(run(Command::RegisterFunction(Box::new(udf))))
            }
            CommandType::WriteOperation(m) => self.write(m).map(run),
            CommandType::CreateDataframeView(m) => self.create_view(m).map(run),
            CommandType::WriteOperationV2(m) => self.write_v2(m).map(run),
            CommandType::CheckpointCommand(m) => self.checkpoint(m).map(run),
            CommandType::RemoveCachedRemoteRelationCommand(m) => {
                let id = m.relation.unwrap_or_default().relation_id;
                Ok(run(Command::RemoveCachedRemoteRelation { id }))
            }
            CommandType::MergeIntoTableCommand(m) => self.merge_into(m).map(run),
            CommandType::GetResourcesCommand(_) => Ok(CommandKind::GetResources),
            CommandType::Extension(any) => Err(extension(&any.type_url)),
            CommandType::WriteStreamOperationStart(m) => self.write_stream(m),
            other => Err(Error::unsupported(unsupported_name(&other))),
        }
    }

    /// A stream is written of what streams; nothing here does.
    fn write_stream(&self, message: pb::WriteStreamOperationStart) -> Result<CommandKind> {
        let mut streams = false;
        let mut plan = self.relation(message.input.unwrap_or_default())?;
        plan.visit_plans_mut(&mut |p| {
            streams |= match &p.node {
                Node::Table { is_streaming, .. } => *is_streaming,
                Node::DataSource(source) => source.is_streaming,
                _ => false,
            };
        });
        Err(match streams {
            true => Error::unsupported("streaming query start"),
            false => Error::analysis("WRITE_STREAM_NOT_ALLOWED")
                .with_message("Only a DataFrame that streams is written as a stream."),
        })
    }

    /// The input relation, or for older clients the text beside it.
    fn sql_command(&self, message: pb::SqlCommand) -> Result<Plan> {
        if let Some(input) = message.input {
            let plan = self.relation(input)?;
            return match plan.node {
                Node::Sql { .. } | Node::WithRelations { .. } => Ok(plan),
                _ => Err(invalid(
                    "SQL_COMMAND_EXPECTS_SQL_OR_WITH_RELATIONS",
                    "A SQL command holds SQL text, alone or with relations.",
                )
                .param("other", "relation")),
            };
        }
        #[allow(deprecated)]
        let sql = pb::Sql {
            query: message.sql,
            args: message.args,
            pos_args: message.pos_args,
            named_arguments: message.named_arguments,
            pos_arguments: message.pos_arguments,
        };
        self.sql(sql).map(Plan::from)
    }

    fn create_view(&self, message: pb::CreateDataFrameViewCommand) -> Result<Command> {
        Ok(Command::CreateView(CreateView {
            name: self.view_name(&message)?,
            columns: Vec::new(),
            comment: None,
            properties: Vec::new(),
            plan: self.relation(message.input.unwrap_or_default())?,
            text: None,
            metric_view: None,
            collation: None,
            schema_mode: None,
            temporary: true,
            global: message.is_global,
            replace: message.replace,
            if_not_exists: false,
        }))
    }

    /// The name of a temporary view. It is in no database, and one that is named is passed over.
    fn view_name(&self, message: &pb::CreateDataFrameViewCommand) -> Result<Vec<String>> {
        match self.text.table_name(&message.name) {
            Ok(mut name) if (1..=2).contains(&name.len()) => Ok(name.split_off(name.len() - 1)),
            _ => Err(Error::analysis("_LEGACY_ERROR_TEMP_1321")
                .param("viewName", &message.name)
                .with_message(format!("A temporary view cannot be called {}.", message.name))),
        }
    }

    fn write(&self, message: pb::WriteOperation) -> Result<Command> {
        if message.with_schema_evolution {
            return Err(Error::unsupported("schema evolution on write"));
        }
        let mode = save_mode(message.mode)?;
        let target = match message.save_type {
            Some(SaveType::Path(path)) => WriteTarget::Path(path),
            Some(SaveType::Table(table)) => {
                let name = self.text.table_name(&table.table_name)?;
                match TableSaveMethod::try_from(table.save_method) {
                    Ok(TableSaveMethod::SaveAsTable) => WriteTarget::SaveAsTable(name),
                    Ok(TableSaveMethod::InsertInto) => WriteTarget::InsertInto(name),
                    _ => {
                        let message = "spark.connect.WriteOperation.SaveTable";
                        return Err(bad_enum(message, "save_method", table.save_method));
                    }
                }
            }
            None => WriteTarget::None,
        };
        Ok(Command::Write(WriteOperation {
            input: self.relation(message.input.unwrap_or_default())?,
            format: message.source.filter(|s| !s.is_empty()),
            target,
            mode: mode.into(),
            options: sorted(message.options),
            partition_by: message.partitioning_columns,
            sort_by: message.sort_column_names,
            bucket_by: message.bucket_by.map(|b| (b.num_buckets, b.bucket_column_names)),
            cluster_by: message.clustering_columns,
        }))
    }

    fn write_v2(&self, message: pb::WriteOperationV2) -> Result<Command> {
        let mode = match Mode::try_from(message.mode) {
            Ok(Mode::Create) => "create",
            Ok(Mode::Overwrite) => "overwrite",
            Ok(Mode::OverwritePartitions) => "overwrite_partitions",
            Ok(Mode::Append) => "append",
            Ok(Mode::Replace) => "replace",
            Ok(Mode::CreateOrReplace) => "create_or_replace",
            Ok(Mode::Unspecified) | Err(_) => {
                return Err(bad_enum("spark.connect.WriteOperationV2", "mode", message.mode));
            }
        };
        Ok(Command::WriteV2(WriteOperationV2 {
            input: self.relation(message.input.unwrap_or_default())?,
            table: self.text.table_name(&message.table_name)?,
            format: message.provider,
            mode: mode.into(),
            overwrite_condition: message.overwrite_condition.map(|c| self.expr(c)).transpose()?,
            partition_by: self.exprs(message.partitioning_columns)?,
            cluster_by: message.clustering_columns,
            options: sorted(message.options),
            properties: sorted(message.table_properties),
            schema_evolution: message.with_schema_evolution,
        }))
    }

    fn checkpoint(&self, message: pb::CheckpointCommand) -> Result<Command> {
        Ok(Command::Checkpoint {
            input: Box::new(self.relation(message.relation.unwrap_or_default())?),
            local: message.local,
            eager: message.eager,
        })
    }

    fn merge_into(&self, message: pb::MergeIntoTableCommand) -> Result<Command> {
        Ok(Command::MergeInto(Box::new(MergeInto {
            target: self.text.table_name(&message.target_table_name)?,
            source: self.relation(message.source_table_plan.unwrap_or_default())?,
            condition: self.expr(message.merge_condition.unwrap_or_default())?,
            matched: self.merge_actions(message.match_actions)?,
            not_matched: self.merge_actions(message.not_matched_actions)?,
            not_matched_by_source: self.merge_actions(message.not_matched_by_source_actions)?,
            schema_evolution: message.with_schema_evolution,
        })))
    }

    fn merge_actions(&self, messages: Vec<pb::Expression>) -> Result<Vec<MergeAction>> {
        messages.into_iter().map(|m| self.merge_action(m)).collect()
    }

    fn merge_action(&self, message: pb::Expression) -> Result<MergeAction> {
        let Some(pb::expression::ExprType::MergeAction(action)) = message.expr_type else {
            return Err(super::errors::assertion("the actions of a merge are merge actions"));
        };
        let action_type = action.action_type;
        let mut assignments = Vec::with_capacity(action.assignments.len());
        for a in action.assignments {
            assignments.push((self.expr(a.key.unwrap_or_default())?, self.expr(a.value.unwrap_or_default())?));
        }
        let kind = match ActionType::try_from(action_type) {
            Ok(ActionType::Delete) => MergeActionKind::Delete,
            Ok(ActionType::Insert) => MergeActionKind::Insert(assignments),
            Ok(ActionType::InsertStar) => MergeActionKind::InsertStar,
            Ok(ActionType::Update) => MergeActionKind::Update(assignments),
            Ok(ActionType::UpdateStar) => MergeActionKind::UpdateStar,
            Ok(ActionType::Invalid) | Err(_) => {
                return Err(bad_enum("spark.connect.MergeAction", "action_type", action_type));
            }
        };
        let condition: Option<Expr> = self.optional_expr(action.condition)?;
        Ok(MergeAction { condition, kind })
    }
}

fn save_mode(mode: i32) -> Result<&'static str> {
    match SaveMode::try_from(mode) {
        Ok(SaveMode::Append) => Ok("append"),
        Ok(SaveMode::Overwrite) => Ok("overwrite"),
        Ok(SaveMode::ErrorIfExists | SaveMode::Unspecified) => Ok("error"),
        Ok(SaveMode::Ignore) => Ok("ignore"),
        Err(_) => Err(bad_enum("spark.connect.WriteOperation", "mode", mode)),
    }
}

/// The commands this server knows by name only.
fn unsupported_name(kind: &CommandType) -> &'static str {
    match kind {
        CommandType::StreamingQueryCommand(_) => "streaming query command",
        CommandType::StreamingQueryManagerCommand(_) => "streaming query manager command",
        CommandType::StreamingQueryListenerBusCommand(_) => "streaming query listener",
        CommandType::RegisterTableFunction(_) => "Python table function",
        CommandType::RegisterDataSource(_) => "Python data source",
        CommandType::CreateResourceProfileCommand(_) => "resource profile",
        CommandType::MlCommand(_) => "machine learning",
        CommandType::ExecuteExternalCommand(_) => "external command",
        CommandType::PipelineCommand(_) => "declarative pipeline",
        _ => "command",
    }
}
