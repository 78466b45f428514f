//! `spark.catalog` calls.

use proto::spark_connect as pb;
use proto::spark_connect::catalog::CatType;
use spark::command::CatalogCall;
use spark::{Result, StructType};

use super::errors::not_set;
use super::{Reader, sorted};

impl Reader {
    /// A catalog call; its result is a relation.
    pub(super) fn catalog(&self, message: pb::Catalog) -> Result<CatalogCall> {
        Ok(match message.cat_type.ok_or_else(|| not_set("spark.connect.Catalog", "CATTYPE_NOT_SET"))? {
            CatType::CurrentDatabase(_) => CatalogCall::CurrentDatabase,
            CatType::SetCurrentDatabase(m) => CatalogCall::SetCurrentDatabase { name: m.db_name },
            CatType::ListDatabases(m) => CatalogCall::ListDatabases { pattern: m.pattern },
            CatType::ListTables(m) => CatalogCall::ListTables { database: m.db_name, pattern: m.pattern },
            CatType::ListFunctions(m) => CatalogCall::ListFunctions { database: m.db_name, pattern: m.pattern },
            CatType::ListColumns(m) => CatalogCall::ListColumns { table: m.table_name, database: m.db_name },
            CatType::GetDatabase(m) => CatalogCall::GetDatabase { name: m.db_name },
            CatType::GetTable(m) => CatalogCall::GetTable { table: m.table_name, database: m.db_name },
            CatType::GetFunction(m) => CatalogCall::GetFunction { name: m.function_name, database: m.db_name },
            CatType::DatabaseExists(m) => CatalogCall::DatabaseExists { name: m.db_name },
            CatType::TableExists(m) => CatalogCall::TableExists { table: m.table_name, database: m.db_name },
            CatType::FunctionExists(m) => CatalogCall::FunctionExists { name: m.function_name, database: m.db_name },
            CatType::CreateExternalTable(m) => CatalogCall::CreateTable {
                name: m.table_name,
                path: m.path,
                source: m.source,
                description: String::new(),
                schema: self.optional_schema(m.schema)?,
                options: sorted(m.options),
            },
            CatType::CreateTable(m) => CatalogCall::CreateTable {
                name: m.table_name,
                path: m.path,
                source: m.source,
                description: m.description.unwrap_or_default(),
                schema: self.optional_schema(m.schema)?,
                options: sorted(m.options),
            },
            CatType::DropTempView(m) => CatalogCall::DropTempView { name: m.view_name },
            CatType::DropGlobalTempView(m) => CatalogCall::DropGlobalTempView { name: m.view_name },
            CatType::RecoverPartitions(m) => CatalogCall::RecoverPartitions { table: m.table_name },
            CatType::IsCached(m) => CatalogCall::IsCached { table: m.table_name },
            CatType::CacheTable(m) => {
                CatalogCall::CacheTable { table: m.table_name, storage_level: m.storage_level.map(|l| level_text(&l)) }
            }
            CatType::UncacheTable(m) => CatalogCall::UncacheTable { table: m.table_name },
            CatType::ClearCache(_) => CatalogCall::ClearCache,
            CatType::RefreshTable(m) => CatalogCall::RefreshTable { table: m.table_name },
            CatType::RefreshByPath(m) => CatalogCall::RefreshByPath { path: m.path },
            CatType::CurrentCatalog(_) => CatalogCall::CurrentCatalog,
            CatType::SetCurrentCatalog(m) => CatalogCall::SetCurrentCatalog { name: m.catalog_name },
            CatType::ListCatalogs(m) => CatalogCall::ListCatalogs { pattern: m.pattern },
            CatType::DropTable(m) => {
                CatalogCall::DropTable { table: m.table_name, if_exists: m.if_exists, purge: m.purge }
            }
            CatType::DropView(m) => CatalogCall::DropView { view: m.view_name, if_exists: m.if_exists },
            CatType::CreateDatabase(m) => CatalogCall::CreateDatabase {
                name: m.db_name,
                if_not_exists: m.if_not_exists,
                properties: sorted(m.properties),
            },
            CatType::DropDatabase(m) => {
                CatalogCall::DropDatabase { name: m.db_name, if_exists: m.if_exists, cascade: m.cascade }
            }
            CatType::ListPartitions(m) => CatalogCall::ListPartitions { table: m.table_name },
            CatType::ListViews(m) => CatalogCall::ListViews { database: m.db_name, pattern: m.pattern },
            CatType::GetTableProperties(m) => CatalogCall::GetTableProperties { table: m.table_name },
            CatType::GetCreateTableString(m) => {
                CatalogCall::GetCreateTableString { table: m.table_name, as_serde: m.as_serde }
            }
            CatType::TruncateTable(m) => CatalogCall::TruncateTable { table: m.table_name },
            CatType::AnalyzeTable(m) => CatalogCall::AnalyzeTable { table: m.table_name, no_scan: m.no_scan },
        })
    }

    fn optional_schema(&self, message: Option<pb::DataType>) -> Result<Option<StructType>> {
        message.map(|s| self.struct_type(&s)).transpose()
    }
}

/// The name of a storage level, as Spark prints it.
pub fn level_text(level: &pb::StorageLevel) -> String {
    let base = match (level.use_disk, level.use_memory, level.use_off_heap) {
        (_, _, true) => "OFF_HEAP",
        (true, true, _) => "MEMORY_AND_DISK",
        (true, false, _) => "DISK_ONLY",
        (false, true, _) => "MEMORY_ONLY",
        (false, false, _) => "NONE",
    };
    let serialized = if level.use_memory && !level.use_off_heap && !level.deserialized { "_SER" } else { "" };
    let copies = if level.replication > 1 { format!("_{}", level.replication) } else { String::new() };
    format!("{base}{serialized}{copies}")
}
