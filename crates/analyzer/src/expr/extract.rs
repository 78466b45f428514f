//! Values inside values: `struct.field`, `array[i]`, `map[key]`, `withField`, `dropFields`.

use datafusion::functions::core::expr_fn::get_field;
use functions::Call;
use functions::Typed;
use spark::types::{DataType, StructField, StructType};
use spark::{Error, Expr, Literal, Result};

use crate::context::Analyzer;
use crate::expr::Scope;

impl Analyzer<'_> {
    /// `base.name`.
    ///
    /// # Errors
    /// `FIELD_NOT_FOUND`, `INVALID_EXTRACT_BASE_FIELD_TYPE`, `AMBIGUOUS_REFERENCE_TO_FIELDS`.
    pub fn field(&mut self, base: Typed, name: &str) -> Result<Typed> {
        match &base.ty {
            DataType::Struct(fields) => {
                let field = self.find_field(fields, name)?;
                Ok(struct_field(&base, &field).named(format!("{}.{}", base.name, field.name)))
            }
            DataType::Array { element, .. } if matches!(**element, DataType::Struct(_)) => {
                let key = self.literal_string(name);
                let printed = format!("{}.{name}", base.name);
                Ok(self.extract_call(base, key, None)?.named(printed))
            }
            DataType::Map { .. } => {
                let printed = format!("{}[{name}]", base.name);
                let key = self.literal_string(name);
                Ok(self.extract_call(base, key, None)?.named(printed))
            }
            other => Err(invalid_base(&base.name, other)),
        }
    }

    /// The field of a struct by name.
    ///
    /// # Errors
    /// As [`Analyzer::field`].
    pub fn find_field(&self, fields: &StructType, name: &str) -> Result<StructField> {
        let found: Vec<&StructField> = fields.fields.iter().filter(|f| self.same_name(&f.name, name)).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => {
                let all: Vec<String> = fields.fields.iter().map(|f| spark::types::quote_identifier(&f.name)).collect();
                Err(Error::analysis("FIELD_NOT_FOUND")
                    .param("fieldName", spark::types::quote_identifier(name))
                    .param("fields", all.join(", "))
                    .with_message(format!("There is no field {name} in a struct of {}.", all.join(", "))))
            }
            many => Err(Error::analysis("AMBIGUOUS_REFERENCE_TO_FIELDS")
                .param("field", spark::types::quote_identifier(name))
                .param("count", many.len().to_string())),
        }
    }

    pub(super) fn extract_value(&mut self, child: &Expr, key: &Expr, scope: &mut Scope) -> Result<Typed> {
        let base = self.resolve(child, scope)?;
        let key = self.resolve(key, scope)?;
        let literal = functions::fold::string(&key);
        let result = match (&base.ty, literal) {
            (DataType::Struct(_), Some(name)) => self.field(base, &name),
            (DataType::Array { element, .. }, Some(name))
                if matches!(**element, DataType::Struct(_)) && key.ty.is_string() =>
            {
                self.field(base, &name)
            }
            (DataType::Struct(_), None) => {
                Err(Error::analysis("INVALID_EXTRACT_FIELD_TYPE").param("extraction", format!("\"{}\"", key.name)))
            }
            (DataType::Array { .. } | DataType::Map { .. }, _) => {
                let printed = format!("{}[{}]", base.name, key.name);
                self.extract_call(base, key, scope.origin.as_ref()).map(|t| t.named(printed))
            }
            (other, _) => Err(invalid_base(&base.name, other)),
        };
        const UNPLACED: [&str; 3] =
            ["AMBIGUOUS_REFERENCE_TO_FIELDS", "FIELD_NOT_FOUND", "INVALID_EXTRACT_BASE_FIELD_TYPE"];
        result.map_err(|e| match UNPLACED.contains(&e.condition()) {
            true => e.nowhere(),
            false => e.at(scope.origin.as_ref()),
        })
    }

    /// Extraction from an array, map or variant, by the function that knows the semantics.
    fn extract_call(
        &mut self,
        base: Typed,
        key: Typed,
        origin: Option<&std::sync::Arc<spark::Origin>>,
    ) -> Result<Typed> {
        let function = functions::registry::function("$extract")
            .ok_or_else(|| Error::unsupported("extraction from arrays and maps"))?;
        let functions::Build::Scalar(build) = function.build else {
            return Err(Error::internal("extraction is a scalar function"));
        };
        let mut call = Call::new("$extract", vec![base, key], &self.settings);
        call.origin = origin.cloned();
        build(call)
    }

    /// A string literal.
    pub fn literal_string(&self, text: &str) -> Typed {
        let value = datafusion::scalar::ScalarValue::Utf8(Some(text.to_string()));
        Typed::new(datafusion::logical_expr::Expr::Literal(value, None), DataType::STRING, false, text)
    }

    pub(super) fn update_fields(
        &mut self,
        child: &Expr,
        path: &str,
        value: Option<&Expr>,
        scope: &mut Scope,
    ) -> Result<Typed> {
        let base = self.resolve(child, scope)?;
        let value = value.map(|v| self.resolve(v, scope)).transpose()?;
        let parts = self.parse_identifier(path)?;
        let op = if value.is_some() { "WithField" } else { "dropfield" };
        let change = format!("{op}({})", value.as_ref().map_or("", |v| v.name.as_str()));
        // Changes of what is changed already are of one list.
        let name = match (child.unpositioned(), base.name.strip_suffix(')')) {
            (Expr::UpdateFields { .. }, Some(before)) => format!("{before}, {change})"),
            _ => format!("update_fields({}, {change})", base.name),
        };
        let rebuilt = matches!(child.unpositioned(), Expr::UpdateFields { .. });
        let updated = self.update_path(base, &parts, value, rebuilt).map_err(|e| match e.condition() {
            "DATATYPE_MISMATCH.CANNOT_DROP_ALL_FIELDS" | "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE" => {
                e.param("sqlExpr", format!("\"{name}\"")).at(scope.origin.as_ref())
            }
            _ => e,
        })?;
        Ok(updated.named(name))
    }

    /// `base` with a change at `path`. The fields of one that was `rebuilt` know themselves whether they can be
    /// null where it is not.
    fn update_path(&mut self, base: Typed, path: &[String], value: Option<Typed>, rebuilt: bool) -> Result<Typed> {
        let DataType::Struct(fields) = &base.ty else {
            return Err(Error::analysis("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE")
                .param("sqlExpr", format!("\"{}\"", base.name))
                .param("paramIndex", "first")
                .param("requiredType", "\"STRUCT\"")
                .param("inputSql", format!("\"{}\"", base.name))
                .param("inputType", format!("\"{}\"", base.ty.sql())));
        };
        let Some((first, rest)) = path.split_first() else { return Ok(base) };
        let mut members: Vec<(String, Typed)> = Vec::new();
        let mut replaced = false;
        for field in &fields.fields {
            let mut current = struct_field(&base, field);
            if rebuilt {
                current.nullable = field.nullable;
            }
            if !self.same_name(&field.name, first) {
                members.push((field.name.clone(), current));
                continue;
            }
            replaced = true;
            if !rest.is_empty() {
                members.push((field.name.clone(), self.update_path(current, rest, value.clone(), false)?));
            } else if let Some(value) = &value {
                members.push((first.clone(), value.clone()));
            }
        }
        match (replaced, value) {
            (false, Some(value)) if rest.is_empty() => members.push((first.clone(), value)),
            (false, Some(_)) => {
                return Err(self
                    .find_field(fields, first)
                    .err()
                    .unwrap_or_else(|| Error::internal("a field was expected to be missing")));
            }
            _ => {}
        }
        if members.is_empty() {
            return Err(Error::analysis("DATATYPE_MISMATCH.CANNOT_DROP_ALL_FIELDS")
                .param("sqlExpr", format!("\"{}\"", base.name)));
        }
        self.rebuild_struct(&base, members)
    }

    /// A struct of `members`, null where `base` is.
    fn rebuild_struct(&mut self, base: &Typed, members: Vec<(String, Typed)>) -> Result<Typed> {
        let mut args = Vec::new();
        for (name, value) in members {
            args.push(self.literal_string(&name));
            args.push(value);
        }
        let built = self.call("named_struct", args)?;
        if !base.nullable {
            return Ok(built);
        }
        let is_null = Typed::new(base.expr.clone().is_null(), DataType::Boolean, false, "");
        let null = Typed::null(built.ty.clone());
        self.call("if", vec![is_null, null, built])
    }

    /// Calls a built-in scalar function on typed arguments.
    ///
    /// # Errors
    /// As the function's typing.
    pub fn call(&mut self, name: &str, args: Vec<Typed>) -> Result<Typed> {
        match functions::registry::function(name).map(|f| &f.build) {
            Some(functions::Build::Scalar(build) | functions::Build::Aggregate(build)) => {
                build(Call::new(name, args, &self.settings))
            }
            _ => Err(Error::unsupported(format!("the function {name}"))),
        }
    }

    /// A literal's typed expression.
    pub fn constant(&mut self, literal: Literal) -> Result<Typed> {
        let expr = functions::scalar::literal_expr(&literal)?;
        let name = crate::names::literal(&literal, &self.settings);
        Ok(Typed::new(expr, literal.data_type(), literal.is_null(), name))
    }
}

/// A field of a struct value, without a name of its own.
pub(crate) fn struct_field(base: &Typed, field: &StructField) -> Typed {
    let mut typed = Typed::new(
        get_field(base.expr.clone(), field.name.clone()),
        field.data_type.clone(),
        base.nullable || field.nullable,
        field.name.clone(),
    );
    typed.metadata = field.metadata.clone();
    typed
}

fn invalid_base(name: &str, ty: &DataType) -> Error {
    Error::analysis("INVALID_EXTRACT_BASE_FIELD_TYPE")
        .param("base", format!("\"{name}\""))
        .param("other", format!("\"{}\"", ty.sql()))
        .with_message(format!("A value of type {} has no fields or elements.", ty.sql()))
}
