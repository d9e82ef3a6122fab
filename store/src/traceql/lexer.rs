//! Text to tokens. Positions are 1-based and count characters, as Tempo's errors do.
use super::QueryError;
use super::keywords::KEYWORDS;
use super::value::parse_duration;

/// A token and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Lexeme {
    pub token: Token,
    pub line: usize,
    pub col: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Identifier(String),
    String(String),
    Integer(i64),
    Float(f64),
    /// Nanoseconds.
    Duration(i64),
    /// `span.`, `resource.`, `.` …: what follows is an [`Token::AttributeName`].
    ScopeDot(&'static str),
    /// `span:`, `trace:` …: what follows is the name of an intrinsic.
    ScopeColon(&'static str),
    AttributeName(String),
    /// A word that the grammar knows.
    Keyword(&'static str),
    /// An operator or a bracket.
    Symbol(&'static str),
    End,
}

impl Token {
    /// The name under which a syntax error shows the token.
    pub fn shown(&self) -> String {
        match self {
            Self::Identifier(_) | Self::AttributeName(_) => "IDENTIFIER".to_owned(),
            Self::String(_) => "STRING".to_owned(),
            Self::Integer(_) => "INTEGER".to_owned(),
            Self::Float(_) => "FLOAT".to_owned(),
            Self::Duration(_) => "DURATION".to_owned(),
            Self::ScopeDot(text) | Self::ScopeColon(text) | Self::Keyword(text) | Self::Symbol(text) => {
                (*text).to_owned()
            }
            Self::End => "$end".to_owned(),
        }
    }
}

const SCOPE_DOTS: [&str; 9] =
    ["parent.resource.", "parent.span.", "parent.", "resource.", "span.", "event.", "link.", "instrumentation.", "."];
const SCOPE_COLONS: [&str; 5] = ["trace:", "span:", "event:", "link:", "instrumentation:"];

/// Longest first, so that `&>>` is not read as `&>` and `>`.
const SYMBOLS: [&str; 42] = [
    "&>>", "&<<", "!>>", "!<<", "&>", "&<", "&~", "!>", "!<", "!~", "!=", "=~", ">=", "<=", ">>", "<<", "&&", "||",
    "{", "}", "(", ")", ",", ":", "=", ">", "<", "~", "!", "|", "+", "-", "*", "/", "%", "^", "[", "]", "&", "@", ";",
    "?",
];

/// Cuts a query into tokens, the last of which is [`Token::End`].
///
/// # Errors
/// [`QueryError::Syntax`] for an unterminated string, a bad escape, a number that does not fit, and characters
/// that no token starts with.
pub fn tokenize(text: &str) -> Result<Vec<Lexeme>, QueryError> {
    let mut lexer = Lexer { rest: text, line: 1, col: 1, lexemes: Vec::new() };
    while lexer.next()? {}
    Ok(lexer.lexemes)
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    col: usize,
    lexemes: Vec<Lexeme>,
}

impl Lexer<'_> {
    /// Reads one token; false at the end.
    fn next(&mut self) -> Result<bool, QueryError> {
        self.skip_blanks()?;
        let Some(first) = self.rest.chars().next() else {
            self.push(Token::End);
            return Ok(false);
        };
        if first == '"' || first == '`' {
            let (value, length) = self.quoted(self.rest)?;
            self.push(Token::String(value));
            self.advance(length);
            return Ok(true);
        }
        if first == '\'' {
            return self.character().map(|()| true);
        }
        let second_is_digit = self.rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if first.is_ascii_digit() || (first == '.' && second_is_digit) {
            self.number()?;
            return Ok(true);
        }
        if let Some(scope) = SCOPE_DOTS.into_iter().find(|scope| self.rest.starts_with(scope)) {
            self.push(Token::ScopeDot(scope));
            self.advance(scope.len());
            return self.attribute_name().map(|()| true);
        }
        if let Some(scope) = SCOPE_COLONS.into_iter().find(|scope| self.rest.starts_with(scope)) {
            self.push(Token::ScopeColon(scope));
            self.advance(scope.len());
            return Ok(true);
        }
        if first.is_alphabetic() || first == '_' {
            let length = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
            let word = &self.rest[..length];
            let token = match KEYWORDS.into_iter().find(|keyword| *keyword == word) {
                Some(keyword) => Token::Keyword(keyword),
                None => Token::Identifier(word.to_owned()),
            };
            self.push(token);
            self.advance(length);
            return Ok(true);
        }
        match SYMBOLS.into_iter().find(|symbol| self.rest.starts_with(symbol)) {
            Some(symbol) => {
                self.push(Token::Symbol(symbol));
                self.advance(symbol.len());
                Ok(true)
            }
            None => Err(self.error(format!("syntax error: unexpected {first}"))),
        }
    }

    fn skip_blanks(&mut self) -> Result<(), QueryError> {
        loop {
            let blanks = self.rest.find(|c: char| !c.is_whitespace()).unwrap_or(self.rest.len());
            self.advance(blanks);
            let comment = if self.rest.starts_with("//") {
                self.rest.find('\n').unwrap_or(self.rest.len())
            } else if self.rest.starts_with("/*") {
                let Some(end) = self.rest.find("*/") else {
                    return Err(self.error("comment not terminated".to_owned()));
                };
                end + 2
            } else {
                return Ok(());
            };
            self.advance(comment);
        }
    }

    /// A character in single quotes, which is no text but an unknown name.
    fn character(&mut self) -> Result<(), QueryError> {
        let (value, length) = self.quoted(self.rest)?;
        if value.chars().count() != 1 {
            return Err(self.error("invalid char literal".to_owned()));
        }
        self.push(Token::Identifier(self.rest[..length].to_owned()));
        self.advance(length);
        Ok(())
    }

    /// The name behind `span.`: everything up to a blank or an operator; quoted parts may hold anything.
    fn attribute_name(&mut self) -> Result<(), QueryError> {
        let mut name = String::new();
        let mut length = 0;
        while let Some(next) = self.rest[length..].chars().next() {
            if next == '"' {
                let (part, used) = self.quoted(&self.rest[length..])?;
                name.push_str(&part);
                length += used;
            } else if is_attribute_char(next) {
                name.push(next);
                length += next.len_utf8();
            } else {
                break;
            }
        }
        if length == 0 {
            return Ok(());
        }
        self.push(Token::AttributeName(name));
        self.advance(length);
        Ok(())
    }

    /// An integer, a float or a duration, whichever is the longest reading.
    fn number(&mut self) -> Result<(), QueryError> {
        let length =
            self.rest.find(|c: char| !c.is_ascii_digit() && c != '.' && !c.is_alphabetic()).unwrap_or(self.rest.len());
        let word = &self.rest[..length];
        if let Some(nanos) = parse_duration(word, true).filter(|_| word.ends_with(char::is_alphabetic)) {
            self.push(Token::Duration(nanos));
            self.advance(length);
            return Ok(());
        }
        let mut digits = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(length);
        digits += exponent_length(&self.rest[digits..]);
        let number = &self.rest[..digits];
        let token = if number.contains(['.', 'e', 'E']) {
            number.parse().map(Token::Float).ok()
        } else {
            number.parse().map(Token::Integer).ok()
        };
        match token {
            Some(token) => {
                self.push(token);
                self.advance(digits);
                Ok(())
            }
            None => Err(self.error(format!("could not parse number: {number}"))),
        }
    }

    /// The value of a string literal at the start of `text`, and its length in bytes with the quotes.
    fn quoted(&self, text: &str) -> Result<(String, usize), QueryError> {
        let quote = text.chars().next().filter(|first| matches!(first, '`' | '\'')).unwrap_or('"');
        let mut value = String::new();
        let mut chars = text.char_indices().skip(1);
        while let Some((at, next)) = chars.next() {
            if next == quote {
                return Ok((value, at + 1));
            }
            if next == '\n' && quote != '`' {
                break;
            }
            if next != '\\' || quote == '`' {
                value.push(next);
                continue;
            }
            let Some((_, escaped)) = chars.next() else { break };
            match escaped {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                'a' => value.push('\u{7}'),
                'b' => value.push('\u{8}'),
                'f' => value.push('\u{c}'),
                'v' => value.push('\u{b}'),
                '\\' | '"' | '\'' => value.push(escaped),
                'x' | 'u' | 'U' => {
                    let count = match escaped {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let code: String = chars.by_ref().take(count).map(|(_, digit)| digit).collect();
                    let decoded = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                    value.push(decoded.ok_or_else(|| self.error("invalid char escape".to_owned()))?);
                }
                _ => return Err(self.error("invalid char escape".to_owned())),
            }
        }
        Err(self.error("literal not terminated".to_owned()))
    }

    fn push(&mut self, token: Token) {
        self.lexemes.push(Lexeme { token, line: self.line, col: self.col });
    }

    fn advance(&mut self, bytes: usize) {
        for next in self.rest[..bytes].chars() {
            if next == '\n' {
                self.line += 1;
                self.col = 1;
            } else {
                self.col += 1;
            }
        }
        self.rest = &self.rest[bytes..];
    }

    fn error(&self, message: String) -> QueryError {
        QueryError::Syntax { line: self.line, col: self.col, message }
    }
}

/// Length of `e-9` and the like at the start of `text`, or 0.
fn exponent_length(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return 0 };
    let signed = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let digits = signed.find(|c: char| !c.is_ascii_digit()).unwrap_or(signed.len());
    if digits == 0 { 0 } else { 1 + (rest.len() - signed.len()) + digits }
}

/// Whether a character may stand in an attribute's name without quotes.
pub fn is_attribute_char(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c, '{' | '}' | '(' | ')' | '=' | '~' | '!' | '<' | '>' | '&' | '|' | '^' | ',' | '"')
}
