//! The part of the grammar behind a pipeline: metrics functions, rankings, thresholds, hints.
use super::super::ast::*;
use super::super::lexer::Token;
use super::super::value::Value;
use super::{Parsed, Parser};

impl Parser {
    /// The metrics function at this place, or `None` when another stage stands here.
    pub(super) fn metrics_stage(&mut self) -> Parsed<Option<MetricsStage>> {
        let Token::Keyword(word) = self.peek() else { return Ok(None) };
        let word = *word;
        if !(word == "rate" || word == "compare" || word.ends_with("_over_time")) {
            return Ok(None);
        }
        self.next();
        self.expect("(")?;
        let function = match word {
            "rate" | "count_over_time" => {
                self.expect_only(")")?;
                if word == "rate" { MetricsFn::Rate } else { MetricsFn::CountOverTime }
            }
            "compare" => self.compare()?,
            "quantile_over_time" => {
                let attribute = self.attribute()?;
                self.expect_only(",")?;
                let mut quantiles = vec![self.number()?];
                while self.accept(",") {
                    quantiles.push(self.number()?);
                }
                self.expect(")")?;
                MetricsFn::Quantile(attribute, quantiles)
            }
            _ => {
                let attribute = self.attribute()?;
                self.expect(")")?;
                match word {
                    "min_over_time" => MetricsFn::Min(attribute),
                    "max_over_time" => MetricsFn::Max(attribute),
                    "avg_over_time" => MetricsFn::Avg(attribute),
                    "sum_over_time" => MetricsFn::Sum(attribute),
                    _ => MetricsFn::Histogram(attribute),
                }
            }
        };
        let mut by = Vec::new();
        if !matches!(function, MetricsFn::Compare { .. }) && self.accept_keyword("by") {
            self.expect("(")?;
            by = self.attribute_list()?;
            self.expect(")")?;
        }
        Ok(Some(MetricsStage { function, by }))
    }

    fn compare(&mut self) -> Parsed<MetricsFn> {
        let SpansetExpr::Filter(selection) = self.spanset_operand()? else { return Err(self.unexpected()) };
        let mut numbers = Vec::new();
        while self.accept(",") {
            let Token::Integer(number) = self.peek() else { return Err(self.unexpected()) };
            numbers.push(*number);
            self.next();
        }
        self.expect(")")?;
        let window = match numbers[..] {
            [_, start, end, ..] => Some((start, end)),
            _ => None,
        };
        let top_n = numbers.first().map_or(10, |number| usize::try_from(*number).unwrap_or(0));
        Ok(MetricsFn::Compare { selection, top_n, window })
    }

    /// `topk(n)` or `bottomk(n)` behind the metrics function.
    pub(super) fn ranking(&mut self) -> Parsed<SecondStage> {
        let top = match self.peek() {
            Token::Keyword("topk") => true,
            Token::Keyword("bottomk") => false,
            _ => return Err(self.unexpected()),
        };
        self.next();
        self.expect("(")?;
        let Token::Integer(count) = self.peek() else { return Err(self.unexpected()) };
        let count = usize::try_from(*count).unwrap_or(0);
        self.next();
        self.expect(")")?;
        Ok(if top { SecondStage::TopK(count) } else { SecondStage::BottomK(count) })
    }

    pub(super) fn comparison_operator(&mut self) -> Option<Op> {
        let (op, _) = self.field_operator()?;
        if !matches!(op, Op::Eq | Op::Neq | Op::Lt | Op::Lte | Op::Gt | Op::Gte) {
            return None;
        }
        self.next();
        Some(op)
    }

    /// A plain number; durations count in seconds, as the values of metrics do.
    pub(super) fn number(&mut self) -> Parsed<f64> {
        let sign = if self.accept("-") { -1.0 } else { 1.0 };
        let number = match self.peek() {
            Token::Integer(number) => *number as f64,
            Token::Float(number) => *number,
            Token::Duration(nanos) => *nanos as f64 / 1e9,
            _ => return Err(self.unexpected()),
        };
        self.next();
        Ok(sign * number)
    }

    pub(super) fn hints(&mut self) -> Parsed<Vec<(String, Value)>> {
        self.expect("(")?;
        let mut hints = Vec::new();
        loop {
            let Token::Identifier(name) = self.peek() else { return Err(self.unexpected()) };
            let name = name.clone();
            self.next();
            self.expect("=")?;
            let Some(value) = self.literal() else { return Err(self.unexpected()) };
            hints.push((name, value));
            if !self.accept(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(hints)
    }
}
