//! Tokens to a tree, by recursive descent.
//!
//! Precedence inside `{ }`, lowest first: `&&` and `||` together (from the left, as in Tempo), comparisons, `+ -`,
//! `!`, `* / %`, `^` (from the right). Between spansets `&&` and `||` bind weaker than the structural operators.
mod fields;
mod intrinsics;
mod metrics;
mod scalars;
mod spansets;

use super::QueryError;
use super::ast::*;
use super::lexer::{Lexeme, Token, tokenize};

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
