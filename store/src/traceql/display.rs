//! A tree back to text, in the spelling of Tempo's error messages and result labels.
use std::fmt::{Display, Formatter, Result};

use super::ast::*;
use super::lexer::is_attribute_char;
use super::value::Value;

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Eq => "=",
            Self::Neq => "!=",
            Self::Lt => "<",
            Self::Lte => "<=",
            Self::Gt => ">",
            Self::Gte => ">=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
            Self::And => "&&",
            Self::Or => "||",
            Self::Not => "!",
        })
    }
}

impl Display for Intrinsic {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Duration => "duration",
            Self::Name => "name",
            Self::Status => "status",
            Self::StatusMessage => "statusMessage",
            Self::Kind => "kind",
            Self::ChildCount => "span:childCount",
            Self::Parent => "parent",
            Self::SpanId => "span:id",
            Self::ParentId => "span:parentID",
            Self::TraceId => "trace:id",
            Self::TraceDuration => "traceDuration",
            Self::RootName => "rootName",
            Self::RootServiceName => "rootServiceName",
            Self::NestedSetLeft => "nestedSetLeft",
            Self::NestedSetRight => "nestedSetRight",
            Self::NestedSetParent => "nestedSetParent",
            Self::EventName => "event:name",
            Self::EventTimeSinceStart => "event:timeSinceStart",
            Self::LinkTraceId => "link:traceID",
            Self::LinkSpanId => "link:spanID",
            Self::InstrumentationName => "instrumentation:name",
            Self::InstrumentationVersion => "instrumentation:version",
        })
    }
}

impl Display for Attribute {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self::Named { scope, name, parent } = self else {
            let Self::Intrinsic(intrinsic) = self else { return Ok(()) };
            return Display::fmt(intrinsic, f);
        };
        if *parent {
            f.write_str("parent")?;
        }
        f.write_str(match scope {
            Scope::Any => "",
            Scope::Span if *parent => ".span",
            Scope::Resource if *parent => ".resource",
            Scope::Span => "span",
            Scope::Resource => "resource",
            Scope::Event => "event",
            Scope::Link => "link",
            Scope::Instrumentation => "instrumentation",
        })?;
        if name.chars().all(is_attribute_char) { write!(f, ".{name}") } else { write!(f, ".{name:?}") }
    }
}

/// A literal as it stands in a query: strings in backticks.
struct Literal<'a>(&'a Value);

impl Display for Literal<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Value::Str(text) => write!(f, "`{text}`"),
            other => f.write_str(&other.to_text()),
        }
    }
}

impl FieldExpr {
    fn is_leaf(&self) -> bool {
        matches!(self, Self::Static(_) | Self::Attribute(_))
    }
}

/// An operand: in brackets unless it is a leaf.
struct Operand<'a>(&'a FieldExpr);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0.is_leaf() { Display::fmt(self.0, f) } else { write!(f, "({})", self.0) }
    }
}

impl Display for FieldExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Static(value) => Display::fmt(&Literal(value), f),
            Self::Attribute(attribute) => Display::fmt(attribute, f),
            Self::Unary { op, operand } => write!(f, "{op}{}", Operand(operand)),
            Self::Binary { op, lhs, rhs } => write!(f, "{} {op} {}", Operand(lhs), Operand(rhs)),
        }
    }
}

impl Display for AggregateFn {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Count => "count",
            Self::Avg => "avg",
            Self::Max => "max",
            Self::Min => "min",
            Self::Sum => "sum",
        })
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.operand {
            None => write!(f, "{}()", self.function),
            Some(operand) => write!(f, "{}({operand})", self.function),
        }
    }
}

impl Display for ScalarExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Aggregate(aggregate) => Display::fmt(aggregate, f),
            Self::Static(value) => Display::fmt(&Literal(value), f),
            Self::Operation { op, lhs, rhs } => write!(f, "({lhs}) {op} ({rhs})"),
        }
    }
}

impl MetricsFn {
    /// The function's name, which is also the series' `__name__` when there is nothing to group by.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::CountOverTime => "count_over_time",
            Self::Min(_) => "min_over_time",
            Self::Max(_) => "max_over_time",
            Self::Avg(_) => "avg_over_time",
            Self::Sum(_) => "sum_over_time",
            Self::Quantile(..) => "quantile_over_time",
            Self::Histogram(_) => "histogram_over_time",
            Self::Compare { .. } => "compare",
        }
    }
}
