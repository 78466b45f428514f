//! Joins and set operations.

use proto::spark_connect as pb;
use proto::spark_connect::join::JoinType as Wire;
use proto::spark_connect::set_operation::SetOpType;
use spark::plan::{AsOfJoin, Join, JoinCriteria, JoinType, NearestByJoin, SetOp, SetOpKind, Tupled};
use spark::{Expr, Node, Result};

use super::Reader;
use super::errors::{bad_enum, invalid};

impl Reader {
    pub(super) fn join(&self, message: pb::Join) -> Result<Node> {
        let tupled = message.join_data_type.map(|t| Tupled { left: t.is_left_struct, right: t.is_right_struct });
        let left = self.required_relation(message.left)?;
        let right = self.required_relation(message.right)?;
        let criteria = match (message.join_condition, message.using_columns) {
            (Some(_), using) if !using.is_empty() => {
                return Err(invalid(
                    "USING_COLUMNS_OR_JOIN_CONDITION_SET_IN_JOIN",
                    "A join has either a condition or columns in common.",
                ));
            }
            (Some(condition), _) => JoinCriteria::On(self.expr(condition)?),
            (None, using) if using.is_empty() => JoinCriteria::None,
            (None, using) => JoinCriteria::Using(using),
        };
        let join_type = join_type("spark.connect.Join", message.join_type)?;
        Ok(Node::Join(Box::new(Join { left, right, join_type, criteria, lateral: false, tupled })))
    }

    pub(super) fn lateral_join(&self, message: pb::LateralJoin) -> Result<Node> {
        let left = self.required_relation(message.left)?;
        let right = self.required_relation(message.right)?;
        let criteria = match message.join_condition {
            Some(condition) => JoinCriteria::On(self.expr(condition)?),
            None => JoinCriteria::None,
        };
        let join_type = join_type("spark.connect.LateralJoin", message.join_type)?;
        Ok(Node::Join(Box::new(Join { left, right, join_type, criteria, lateral: true, tupled: None })))
    }

    pub(super) fn as_of_join(&self, message: pb::AsOfJoin) -> Result<Node> {
        Ok(Node::AsOfJoin(Box::new(AsOfJoin {
            left: self.required_relation(message.left)?,
            right: self.required_relation(message.right)?,
            left_as_of: self.expr(message.left_as_of.unwrap_or_default())?,
            right_as_of: self.expr(message.right_as_of.unwrap_or_default())?,
            condition: self.present(message.join_expr)?,
            using: message.using_columns,
            join_type: message.join_type,
            tolerance: self.present(message.tolerance)?,
            allow_exact_matches: message.allow_exact_matches,
            direction: message.direction,
        })))
    }

    pub(super) fn nearest_by_join(&self, message: pb::NearestByJoin) -> Result<Node> {
        Ok(Node::NearestByJoin(Box::new(NearestByJoin {
            left: self.required_relation(message.left)?,
            right: self.required_relation(message.right)?,
            ranking: self.expr(message.ranking_expression.unwrap_or_default())?,
            num_results: message.num_results,
            join_type: message.join_type,
            mode: message.mode,
            direction: message.direction,
        })))
    }

    pub(super) fn zip(&self, message: pb::Zip) -> Result<Node> {
        Ok(Node::Zip {
            left: Box::new(self.required_relation(message.left)?),
            right: Box::new(self.required_relation(message.right)?),
        })
    }

    pub(super) fn set_operation(&self, message: pb::SetOperation) -> Result<Node> {
        let by_name = message.by_name.unwrap_or(false);
        let allow_missing_columns = message.allow_missing_columns.unwrap_or(false);
        let kind = set_op_kind(&message, by_name, allow_missing_columns)?;
        let (Some(left), Some(right)) = (message.left_input, message.right_input) else {
            return Err(invalid("SET_OPERATION_MUST_HAVE_TWO_INPUTS", "A set operation has two inputs."));
        };
        Ok(Node::SetOp(Box::new(SetOp {
            left: self.relation(*left)?,
            right: self.relation(*right)?,
            kind,
            all: message.is_all.unwrap_or(false),
            by_name,
            allow_missing_columns,
        })))
    }

    fn present(&self, message: Option<pb::Expression>) -> Result<Option<Expr>> {
        message.map(|m| self.expr(m)).transpose()
    }
}

fn set_op_kind(message: &pb::SetOperation, by_name: bool, allow_missing: bool) -> Result<SetOpKind> {
    match message.set_op_type() {
        SetOpType::Union if allow_missing && !by_name => Err(invalid(
            "UNION_BY_NAME_ALLOW_MISSING_COL_REQUIRES_BY_NAME",
            "Columns may be missing only where they are matched by name.",
        )),
        SetOpType::Union => Ok(SetOpKind::Union),
        SetOpType::Intersect if by_name => {
            Err(invalid("INTERSECT_DOES_NOT_SUPPORT_UNION_BY_NAME", "INTERSECT does not match columns by name."))
        }
        SetOpType::Intersect => Ok(SetOpKind::Intersect),
        SetOpType::Except if by_name => {
            Err(invalid("EXCEPT_DOES_NOT_SUPPORT_UNION_BY_NAME", "EXCEPT does not match columns by name."))
        }
        SetOpType::Except => Ok(SetOpKind::Except),
        SetOpType::Unspecified => Err(bad_enum("spark.connect.SetOperation", "set_op_type", message.set_op_type)),
    }
}

fn join_type(full_name: &str, number: i32) -> Result<JoinType> {
    match Wire::try_from(number) {
        Ok(Wire::Inner) => Ok(JoinType::Inner),
        Ok(Wire::FullOuter) => Ok(JoinType::FullOuter),
        Ok(Wire::LeftOuter) => Ok(JoinType::LeftOuter),
        Ok(Wire::RightOuter) => Ok(JoinType::RightOuter),
        Ok(Wire::LeftAnti) => Ok(JoinType::LeftAnti),
        Ok(Wire::LeftSemi) => Ok(JoinType::LeftSemi),
        Ok(Wire::Cross) => Ok(JoinType::Cross),
        Ok(Wire::Unspecified) | Err(_) => Err(bad_enum(full_name, "join_type", number)),
    }
}
