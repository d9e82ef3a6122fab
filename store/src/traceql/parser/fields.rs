//! Expressions on one span: attributes, intrinsics, literals and the operators between them.
use super::super::ast::*;
use super::super::lexer::Token;
use super::super::value::{Kind, Status, Value};
use super::intrinsics::{bare_intrinsic, scoped_intrinsic};
use super::{Parsed, Parser};

impl Parser {
    pub(super) fn field(&mut self) -> Parsed<FieldExpr> {
        self.binary(0)
    }

    fn binary(&mut self, minimum: u8) -> Parsed<FieldExpr> {
        self.enter()?;
        let mut lhs = self.unary()?;
        while let Some((op, binding)) = self.field_operator() {
            if binding < minimum {
                break;
            }
            self.count_operator()?;
            self.next();
            let rhs = self.binary(if op == Op::Pow { binding } else { binding + 1 })?;
            lhs = FieldExpr::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) };
        }
        self.depth -= 1;
        Ok(lhs)
    }

    pub(super) fn field_operator(&self) -> Option<(Op, u8)> {
        let Token::Symbol(symbol) = self.peek() else { return None };
        Some(match *symbol {
            "&&" => (Op::And, 0),
            "||" => (Op::Or, 0),
            "=" => (Op::Eq, 1),
            "!=" => (Op::Neq, 1),
            "<" => (Op::Lt, 1),
            "<=" => (Op::Lte, 1),
            ">" => (Op::Gt, 1),
            ">=" => (Op::Gte, 1),
            "=~" => (Op::Regex, 1),
            "!~" => (Op::NotRegex, 1),
            _ => return self.arithmetic_operator(),
        })
    }

    /// `+` binds with 2, `!` stands at 3, `*` with 4, `^` with 5.
    pub(super) fn arithmetic_operator(&self) -> Option<(Op, u8)> {
        let Token::Symbol(symbol) = self.peek() else { return None };
        Some(match *symbol {
            "+" => (Op::Add, 2),
            "-" => (Op::Sub, 2),
            "*" => (Op::Mul, 4),
            "/" => (Op::Div, 4),
            "%" => (Op::Mod, 4),
            "^" => (Op::Pow, 5),
            _ => return None,
        })
    }

    fn unary(&mut self) -> Parsed<FieldExpr> {
        if self.accept("-") {
            let operand = self.binary(3)?;
            return Ok(match operand {
                FieldExpr::Static(value @ (Value::Int(_) | Value::Float(_) | Value::Duration(_))) => {
                    FieldExpr::Static(negate(value))
                }
                operand => FieldExpr::Unary { op: Op::Sub, operand: Box::new(operand) },
            });
        }
        if self.accept("!") {
            let operand = self.binary(4)?;
            return Ok(FieldExpr::Unary { op: Op::Not, operand: Box::new(operand) });
        }
        if self.accept("(") {
            let inner = self.field()?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.primary()
    }

    pub(super) fn primary(&mut self) -> Parsed<FieldExpr> {
        if let Some(value) = self.literal() {
            return Ok(FieldExpr::Static(value));
        }
        if let Token::Identifier(name) = self.peek() {
            let message = format!("unknown identifier: {name}");
            return Err(self.error_here(message));
        }
        self.attribute().map(FieldExpr::Attribute)
    }

    pub(super) fn attribute_list(&mut self) -> Parsed<Vec<Attribute>> {
        let mut attributes = vec![self.attribute()?];
        while self.accept(",") {
            attributes.push(self.attribute()?);
        }
        Ok(attributes)
    }

    pub(super) fn attribute(&mut self) -> Parsed<Attribute> {
        let intrinsic = match self.peek() {
            Token::ScopeDot(scope) => {
                let (scope, parent) = match *scope {
                    "span." => (Scope::Span, false),
                    "resource." => (Scope::Resource, false),
                    "event." => (Scope::Event, false),
                    "link." => (Scope::Link, false),
                    "instrumentation." => (Scope::Instrumentation, false),
                    "parent." => (Scope::Any, true),
                    "parent.span." => (Scope::Span, true),
                    "parent.resource." => (Scope::Resource, true),
                    _ => (Scope::Any, false),
                };
                self.next();
                let Token::AttributeName(name) = self.peek() else { return Err(self.unexpected()) };
                let name = name.clone();
                self.next();
                return Ok(Attribute::Named { scope, name, parent });
            }
            Token::ScopeColon(scope) => {
                let scope = *scope;
                self.next();
                let Token::Keyword(word) = self.peek() else { return Err(self.unexpected()) };
                scoped_intrinsic(scope, word)
            }
            Token::Keyword(word) => bare_intrinsic(word),
            _ => None,
        };
        match intrinsic {
            Some(intrinsic) => {
                self.next();
                Ok(Attribute::Intrinsic(intrinsic))
            }
            None => Err(self.unexpected()),
        }
    }

    pub(super) fn literal(&mut self) -> Option<Value> {
        let value = match self.peek() {
            Token::String(text) => Value::Str(text.clone()),
            Token::Integer(number) => Value::Int(*number),
            Token::Float(number) => Value::Float(*number),
            Token::Duration(nanos) => Value::Duration(*nanos),
            Token::Keyword(word) => match *word {
                "nil" => Value::Nil,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "error" => Value::Status(Status::Error),
                "ok" => Value::Status(Status::Ok),
                "unset" => Value::Status(Status::Unset),
                other => Value::Kind(Kind::ALL.into_iter().find(|kind| kind.as_str() == other)?),
            },
            _ => return None,
        };
        self.next();
        Some(value)
    }
}

pub(super) fn negate(value: Value) -> Value {
    match value {
        Value::Int(number) => Value::Int(number.wrapping_neg()),
        Value::Float(number) => Value::Float(-number),
        Value::Duration(nanos) => Value::Duration(nanos.wrapping_neg()),
        other => other,
    }
}
