//! `df.na` and `df.stat`, `describe` and `summary`.

use proto::spark_connect as pb;
use spark::{Literal, Node, Result};

use super::Reader;
use super::errors::invalid;

impl Reader {
    pub(super) fn fill_na(&self, message: pb::NaFill) -> Result<Node> {
        let (columns, values) = (message.cols.len(), message.values.len());
        if values == 0 {
            return Err(invalid("NA_FILL_VALUES_EMPTY", "There is no value to fill nulls with."));
        }
        if values > 1 && values != columns {
            return Err(invalid("NA_FILL_VALUES_LENGTH_MISMATCH", "Several values need as many columns."));
        }
        Ok(Node::FillNa {
            input: self.input(message.input)?,
            columns: message.cols,
            values: message.values.into_iter().map(|v| self.literal(v)).collect::<Result<_>>()?,
        })
    }

    pub(super) fn drop_na(&self, message: pb::NaDrop) -> Result<Node> {
        Ok(Node::DropNa {
            input: self.input(message.input)?,
            columns: message.cols,
            min_non_nulls: message.min_non_nulls,
        })
    }

    pub(super) fn replace(&self, message: pb::NaReplace) -> Result<Node> {
        let input = self.input(message.input)?;
        let mut replacements = Vec::with_capacity(message.replacements.len());
        for r in message.replacements {
            replacements.push((self.required_literal(r.old_value)?, self.required_literal(r.new_value)?));
        }
        Ok(Node::Replace { input, columns: message.cols, replacements })
    }

    pub(super) fn summary(&self, message: pb::StatSummary) -> Result<Node> {
        Ok(Node::Summary { input: self.input(message.input)?, statistics: message.statistics })
    }

    pub(super) fn describe(&self, message: pb::StatDescribe) -> Result<Node> {
        Ok(Node::Describe { input: self.input(message.input)?, columns: message.cols })
    }

    pub(super) fn crosstab(&self, message: pb::StatCrosstab) -> Result<Node> {
        Ok(Node::Crosstab { input: self.input(message.input)?, col1: message.col1, col2: message.col2 })
    }

    pub(super) fn cov(&self, message: pb::StatCov) -> Result<Node> {
        Ok(Node::Cov { input: self.input(message.input)?, col1: message.col1, col2: message.col2 })
    }

    pub(super) fn corr(&self, message: pb::StatCorr) -> Result<Node> {
        Ok(Node::Corr {
            input: self.input(message.input)?,
            col1: message.col1,
            col2: message.col2,
            method: message.method,
        })
    }

    pub(super) fn approx_quantile(&self, message: pb::StatApproxQuantile) -> Result<Node> {
        Ok(Node::ApproxQuantile {
            input: self.input(message.input)?,
            columns: message.cols,
            probabilities: message.probabilities,
            relative_error: message.relative_error,
        })
    }

    pub(super) fn freq_items(&self, message: pb::StatFreqItems) -> Result<Node> {
        Ok(Node::FreqItems { input: self.input(message.input)?, columns: message.cols, support: message.support })
    }

    pub(super) fn sample_by(&self, message: pb::StatSampleBy) -> Result<Node> {
        let input = self.input(message.input)?;
        let column = self.expr(message.col.unwrap_or_default())?;
        let mut fractions = Vec::with_capacity(message.fractions.len());
        for f in message.fractions {
            fractions.push((self.required_literal(f.stratum)?, f.fraction));
        }
        Ok(Node::SampleBy { input, column, fractions, seed: message.seed })
    }

    fn required_literal(&self, message: Option<pb::expression::Literal>) -> Result<Literal> {
        self.literal(message.unwrap_or_default())
    }
}
