//! Filters on aggregates: `count() > 2`, `avg(duration) > 1s`.
use super::super::ast::*;
use super::super::lexer::Token;
use super::fields::negate;
use super::{Parsed, Parser};

impl Parser {
    pub(super) fn scalar_filter(&mut self) -> Parsed<ScalarFilter> {
        let lhs = self.scalar(0)?;
        let Some(op) = self.comparison_operator() else { return Err(self.unexpected()) };
        let rhs = self.scalar(0)?;
        Ok(ScalarFilter { op, lhs, rhs })
    }

    fn scalar(&mut self, minimum: u8) -> Parsed<ScalarExpr> {
        self.enter()?;
        let mut lhs = self.scalar_operand()?;
        while let Some((op, binding)) = self.arithmetic_operator() {
            if binding < minimum {
                break;
            }
            self.count_operator()?;
            self.next();
            let rhs = self.scalar(if op == Op::Pow { binding } else { binding + 1 })?;
            lhs = ScalarExpr::Operation { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
        }
        self.depth -= 1;
        Ok(lhs)
    }

    fn scalar_operand(&mut self) -> Parsed<ScalarExpr> {
        if self.accept("(") {
            let inner = self.scalar(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let function = match self.peek() {
            Token::Keyword("count") => AggregateFn::Count,
            Token::Keyword("avg") => AggregateFn::Avg,
            Token::Keyword("max") => AggregateFn::Max,
            Token::Keyword("min") => AggregateFn::Min,
            Token::Keyword("sum") => AggregateFn::Sum,
            _ => {
                let negative = self.accept("-");
                if !matches!(self.peek(), Token::Integer(_) | Token::Float(_) | Token::Duration(_)) {
                    return Err(self.unexpected());
                }
                return match self.literal() {
                    Some(value) => Ok(ScalarExpr::Static(if negative { negate(value) } else { value })),
                    None => Err(self.unexpected()),
                };
            }
        };
        self.next();
        self.expect("(")?;
        if function == AggregateFn::Count {
            self.expect_only(")")?;
            return Ok(ScalarExpr::Aggregate(Aggregate { function, operand: None }));
        }
        let operand = self.field()?;
        self.expect(")")?;
        Ok(ScalarExpr::Aggregate(Aggregate { function, operand: Some(operand) }))
    }
}
