//! Spansets: filters in braces, and the operators between them (`&&`, `||`, `>>` and its kin).
use super::super::ast::*;
use super::super::lexer::Token;
use super::super::value::Value;
use super::{Parsed, Parser};

impl Parser {
    /// `minimum` 0: `&&`, `||`; 1: structural operators only.
    pub(super) fn spansets(&mut self, minimum: u8) -> Parsed<SpansetExpr> {
        self.enter()?;
        let mut lhs = self.spanset_operand()?;
        while let Some((op, binding)) = self.spanset_operator() {
            if binding < minimum {
                break;
            }
            self.count_operator()?;
            self.next();
            let rhs = self.spansets(binding + 1)?;
            lhs = SpansetExpr::Operation { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
        }
        self.depth -= 1;
        Ok(lhs)
    }

    fn spanset_operator(&self) -> Option<(SpansetOp, u8)> {
        let Token::Symbol(symbol) = self.peek() else { return None };
        let op = match *symbol {
            "&&" => return Some((SpansetOp::And, 0)),
            "||" => return Some((SpansetOp::Or, 0)),
            ">" => SpansetOp::Structural(Relation::Child, Form::Plain),
            ">>" => SpansetOp::Structural(Relation::Descendant, Form::Plain),
            "<" => SpansetOp::Structural(Relation::Parent, Form::Plain),
            "<<" => SpansetOp::Structural(Relation::Ancestor, Form::Plain),
            "~" => SpansetOp::Structural(Relation::Sibling, Form::Plain),
            "!>" => SpansetOp::Structural(Relation::Child, Form::Not),
            "!>>" => SpansetOp::Structural(Relation::Descendant, Form::Not),
            "!<" => SpansetOp::Structural(Relation::Parent, Form::Not),
            "!<<" => SpansetOp::Structural(Relation::Ancestor, Form::Not),
            "!~" => SpansetOp::Structural(Relation::Sibling, Form::Not),
            "&>" => SpansetOp::Structural(Relation::Child, Form::Union),
            "&>>" => SpansetOp::Structural(Relation::Descendant, Form::Union),
            "&<" => SpansetOp::Structural(Relation::Parent, Form::Union),
            "&<<" => SpansetOp::Structural(Relation::Ancestor, Form::Union),
            "&~" => SpansetOp::Structural(Relation::Sibling, Form::Union),
            _ => return None,
        };
        Some((op, 1))
    }

    pub(super) fn spanset_operand(&mut self) -> Parsed<SpansetExpr> {
        if self.accept("(") {
            self.enter()?;
            let first = self.stage()?;
            let mut stages = vec![first];
            while self.accept("|") {
                let stage = self.stage()?;
                stages.push(stage);
            }
            self.expect(")")?;
            self.depth -= 1;
            return Ok(match stages.pop() {
                Some(Stage::Spansets(inner)) if stages.is_empty() => inner,
                last => {
                    stages.extend(last);
                    SpansetExpr::Pipeline(Box::new(Pipeline { stages }))
                }
            });
        }
        self.expect("{")?;
        if self.accept("}") {
            return Ok(SpansetExpr::Filter(FieldExpr::Static(Value::Bool(true))));
        }
        let expression = self.field()?;
        self.expect("}")?;
        Ok(SpansetExpr::Filter(expression))
    }
}
