//! Tokens to a tree, by recursive descent.
//!
//! Precedence inside `{ }`, lowest first: `&&` and `||` together (from the left, as in Tempo), comparisons, `+ -`,
//! `!`, `* / %`, `^` (from the right). Between spansets `&&` and `||` bind weaker than the structural operators.
use super::QueryError;
use super::ast::*;
use super::lexer::{Lexeme, Token, tokenize};
use super::value::{Kind, Status, Value};

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

    // --- metrics -------------------------------------------------------------------------------------------------

    /// The metrics function at this place, or `None` when another stage stands here.
    fn metrics_stage(&mut self) -> Parsed<Option<MetricsStage>> {
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
                let mut quantiles = Vec::new();
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
    fn ranking(&mut self) -> Parsed<SecondStage> {
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

    fn comparison_operator(&mut self) -> Option<Op> {
        let (op, _) = self.field_operator()?;
        if !matches!(op, Op::Eq | Op::Neq | Op::Lt | Op::Lte | Op::Gt | Op::Gte) {
            return None;
        }
        self.next();
        Some(op)
    }

    /// A plain number; durations count in seconds, as the values of metrics do.
    fn number(&mut self) -> Parsed<f64> {
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

    fn hints(&mut self) -> Parsed<Vec<(String, Value)>> {
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

fn bare_intrinsic(word: &str) -> Option<Intrinsic> {
    Some(match word {
        "duration" => Intrinsic::Duration,
        "name" => Intrinsic::Name,
        "status" => Intrinsic::Status,
        "statusMessage" => Intrinsic::StatusMessage,
        "kind" => Intrinsic::Kind,
        "childCount" => Intrinsic::ChildCount,
        "parent" => Intrinsic::Parent,
        "rootName" => Intrinsic::RootName,
        "rootServiceName" => Intrinsic::RootServiceName,
        "traceDuration" => Intrinsic::TraceDuration,
        "nestedSetLeft" => Intrinsic::NestedSetLeft,
        "nestedSetRight" => Intrinsic::NestedSetRight,
        "nestedSetParent" => Intrinsic::NestedSetParent,
        _ => return None,
    })
}

fn scoped_intrinsic(scope: &str, word: &str) -> Option<Intrinsic> {
    Some(match (scope, word) {
        ("span:", "name") => Intrinsic::Name,
        ("span:", "status") => Intrinsic::Status,
        ("span:", "statusMessage") => Intrinsic::StatusMessage,
        ("span:", "duration") => Intrinsic::Duration,
        ("span:", "kind") => Intrinsic::Kind,
        ("span:", "id") => Intrinsic::SpanId,
        ("span:", "parentID") => Intrinsic::ParentId,
        ("span:", "childCount") => Intrinsic::ChildCount,
        ("trace:", "id") => Intrinsic::TraceId,
        ("trace:", "duration") => Intrinsic::TraceDuration,
        ("trace:", "rootName") => Intrinsic::RootName,
        ("trace:", "rootService") => Intrinsic::RootServiceName,
        ("event:", "name") => Intrinsic::EventName,
        ("event:", "timeSinceStart") => Intrinsic::EventTimeSinceStart,
        ("link:", "traceID") => Intrinsic::LinkTraceId,
        ("link:", "spanID") => Intrinsic::LinkSpanId,
        ("instrumentation:", "name") => Intrinsic::InstrumentationName,
        ("instrumentation:", "version") => Intrinsic::InstrumentationVersion,
        _ => return None,
    })
}
