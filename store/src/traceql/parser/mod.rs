//! Tokens to a tree, by recursive descent.
//!
//! Precedence inside `{ }`, lowest first: `&&` and `||` together (from the left, as in Tempo), comparisons, `+ -`,
//! `!`, `* / %`, `^` (from the right). Between spansets `&&` and `||` bind weaker than the structural operators.
mod intrinsics;
mod metrics;

use super::QueryError;
use super::ast::*;
use super::lexer::{Lexeme, Token, tokenize};
use super::value::{Kind, Status, Value};
use intrinsics::{bare_intrinsic, scoped_intrinsic};

/// How deep brackets and operators may nest; keeps a hostile query from exhausting the stack.
const MAX_DEPTH: usize = 120;
/// How many operators a query may have; a chain of them is as deep a tree as it is long.
const MAX_OPERATORS: usize = 1_000;

/// Parses a query without checking its types.
///
/// # Errors
/// [`QueryError`] with the place of the first token that does not fit.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    if text.trim().is_empty() {
        return Err(QueryError::Empty);
    }
    let mut parser = Parser { lexemes: tokenize(text)?, at: 0, depth: 0, operators: 0 };
    let query = parser.query()?;
    parser.end()?;
    Ok(query)
}

/// Parses the name of one attribute or intrinsic, as the tag-values endpoint takes it.
///
/// # Errors
/// [`QueryError`], with columns that count an opening brace before the name, as Tempo's do.
pub fn parse_attribute(name: &str) -> Result<Attribute, QueryError> {
    let mut parser = Parser { lexemes: tokenize(&format!("{{{name}}}"))?, at: 0, depth: 0, operators: 0 };
    parser.expect("{")?;
    let attribute = match parser.primary()? {
        FieldExpr::Attribute(attribute) => attribute,
        _ => return Err(QueryError::Invalid(format!("{name} is not an attribute"))),
    };
    if !parser.accept("}") {
        return Err(parser.unexpected());
    }
    parser.end()?;
    Ok(attribute)
}

type Parsed<T> = Result<T, QueryError>;

struct Parser {
    lexemes: Vec<Lexeme>,
    at: usize,
    depth: usize,
    operators: usize,
}

impl Parser {
    // --- the query -----------------------------------------------------------------------------------------------

    fn query(&mut self) -> Parsed<Query> {
        let mut pipeline = self.first_stage()?;
        let mut metrics = None;
        let mut second_stage = Vec::new();
        while self.accept("|") {
            if metrics.is_some() {
                second_stage.push(self.ranking()?);
            } else if let Some(stage) = self.metrics_stage()? {
                metrics = Some(stage);
            } else {
                let stage = self.stage()?;
                pipeline.stages.push(stage);
            }
            if metrics.is_some()
                && let Some(op) = self.comparison_operator()
            {
                second_stage.push(SecondStage::Threshold(op, self.number()?));
            }
        }
        let hints = if self.accept_keyword("with") { self.hints()? } else { Vec::new() };
        Ok(Query { pipeline, metrics, second_stage, hints })
    }

    /// What a query may open with. A bracketed pipeline becomes an operand; alone it is the pipeline.
    fn first_stage(&mut self) -> Parsed<Pipeline> {
        let stage = self.stage()?;
        Ok(match stage {
            Stage::Spansets(SpansetExpr::Pipeline(inner)) => *inner,
            other => Pipeline { stages: vec![other] },
        })
    }

    fn stage(&mut self) -> Parsed<Stage> {
        match self.peek() {
            Token::Keyword("by") => {
                self.next();
                self.expect("(")?;
                let expression = self.field()?;
                self.expect(")")?;
                Ok(Stage::GroupBy(expression))
            }
            Token::Keyword("coalesce") => {
                self.next();
                self.expect("(")?;
                self.expect_only(")")?;
                Ok(Stage::Coalesce)
            }
            Token::Keyword("select") => {
                self.next();
                self.expect("(")?;
                let attributes = self.attribute_list()?;
                self.expect(")")?;
                Ok(Stage::Select(attributes))
            }
            Token::Symbol("{") => self.spansets(0).map(Stage::Spansets),
            Token::Symbol("(") if self.bracket_holds_spansets() => self.spansets(0).map(Stage::Spansets),
            _ => self.scalar_filter().map(Stage::Filter),
        }
    }

    /// Whether the innermost token behind a run of `(` opens a spanset or its grouping.
    fn bracket_holds_spansets(&self) -> bool {
        let inner = self.lexemes[self.at..].iter().find(|lexeme| lexeme.token != Token::Symbol("("));
        inner.is_some_and(|lexeme| {
            matches!(lexeme.token, Token::Symbol("{") | Token::Keyword("by" | "coalesce" | "select"))
        })
    }

    // --- spansets ------------------------------------------------------------------------------------------------

    /// `minimum` 0: `&&`, `||`; 1: structural operators only.
    fn spansets(&mut self, minimum: u8) -> Parsed<SpansetExpr> {
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

    fn spanset_operand(&mut self) -> Parsed<SpansetExpr> {
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

    // --- scalars -------------------------------------------------------------------------------------------------

    fn scalar_filter(&mut self) -> Parsed<ScalarFilter> {
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

    // --- fields --------------------------------------------------------------------------------------------------

    fn field(&mut self) -> Parsed<FieldExpr> {
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

    fn field_operator(&self) -> Option<(Op, u8)> {
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
    fn arithmetic_operator(&self) -> Option<(Op, u8)> {
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

    fn primary(&mut self) -> Parsed<FieldExpr> {
        if let Some(value) = self.literal() {
            return Ok(FieldExpr::Static(value));
        }
        if let Token::Identifier(name) = self.peek() {
            let message = format!("unknown identifier: {name}");
            return Err(self.error_here(message));
        }
        self.attribute().map(FieldExpr::Attribute)
    }

    fn attribute_list(&mut self) -> Parsed<Vec<Attribute>> {
        let mut attributes = vec![self.attribute()?];
        while self.accept(",") {
            attributes.push(self.attribute()?);
        }
        Ok(attributes)
    }

    fn attribute(&mut self) -> Parsed<Attribute> {
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

    fn literal(&mut self) -> Option<Value> {
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

    // --- tokens --------------------------------------------------------------------------------------------------

    fn peek(&self) -> &Token {
        &self.lexemes[self.at].token
    }

    fn next(&mut self) {
        // The last lexeme is `End`; standing on it, there is nothing to move to.
        self.at = (self.at + 1).min(self.lexemes.len() - 1);
    }

    fn accept(&mut self, symbol: &'static str) -> bool {
        let found = *self.peek() == Token::Symbol(symbol);
        if found {
            self.next();
        }
        found
    }

    fn accept_keyword(&mut self, word: &'static str) -> bool {
        let found = *self.peek() == Token::Keyword(word);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, symbol: &'static str) -> Parsed<()> {
        if self.accept(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Like [`Self::expect`] where nothing else could stand: the error says so.
    fn expect_only(&mut self, symbol: &'static str) -> Parsed<()> {
        if self.accept(symbol) {
            return Ok(());
        }
        let message = format!("syntax error: unexpected {}, expecting {symbol}", self.peek().shown());
        Err(self.error_here(message))
    }

    fn end(&self) -> Parsed<()> {
        if *self.peek() == Token::End { Ok(()) } else { Err(self.unexpected()) }
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.error_here("query is nested too deeply".to_owned())) } else { Ok(()) }
    }

    fn count_operator(&mut self) -> Parsed<()> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            Err(self.error_here("query has too many operators".to_owned()))
        } else {
            Ok(())
        }
    }

    fn unexpected(&self) -> QueryError {
        self.error_here(format!("syntax error: unexpected {}", self.peek().shown()))
    }

    fn error_here(&self, message: String) -> QueryError {
        let Lexeme { line, col, .. } = self.lexemes[self.at];
        QueryError::Syntax { line, col, message }
    }
}

fn negate(value: Value) -> Value {
    match value {
        Value::Int(number) => Value::Int(number.wrapping_neg()),
        Value::Float(number) => Value::Float(-number),
        Value::Duration(nanos) => Value::Duration(nanos.wrapping_neg()),
        other => other,
    }
}
