//! The tree of a query. Built by [`super::parser`], printed by [`super::display`].
use super::value::Value;

/// A whole query: a pipeline on spansets, and for a metrics query what is computed from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub pipeline: Pipeline,
    /// `| rate() by(…)` and its kin.
    pub metrics: Option<MetricsStage>,
    /// `| topk(3)`, `> 5`: applied to the finished series, in order.
    pub second_stage: Vec<SecondStage>,
    /// `with(key=value, …)`.
    pub hints: Vec<(String, Value)>,
}

impl Query {
    /// `{ expression }`.
    pub fn from_filter(expression: FieldExpr) -> Self {
        let stages = vec![Stage::Spansets(SpansetExpr::Filter(expression))];
        Self { pipeline: Pipeline { stages }, metrics: None, second_stage: Vec::new(), hints: Vec::new() }
    }

    /// The literal of a hint, if the query gives it.
    pub fn hint(&self, name: &str) -> Option<&Value> {
        self.hints.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// Stages that each turn a list of spansets into another.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    pub stages: Vec<Stage>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// `{ … }`, possibly combined: keeps spans.
    Spansets(SpansetExpr),
    /// `count() > 2`: keeps spansets.
    Filter(ScalarFilter),
    /// `by(…)`: splits spansets.
    GroupBy(FieldExpr),
    /// `coalesce()`: joins spansets.
    Coalesce,
    /// `select(…)`: asks for more attributes in the answer.
    Select(Vec<Attribute>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum SpansetExpr {
    /// `{ expression }`; `{ }` is `{ true }`.
    Filter(FieldExpr),
    Operation {
        op: SpansetOp,
        lhs: Box<SpansetExpr>,
        rhs: Box<SpansetExpr>,
    },
    /// `({ … } | count() > 1)` as an operand.
    Pipeline(Box<Pipeline>),
}

/// How two spansets of one trace are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpansetOp {
    And,
    Or,
    /// `>`, `>>`, `<`, `<<`, `~` with the form in which they were written.
    Structural(Relation, Form),
}

/// What the right-hand span is to the left-hand one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Child,
    Descendant,
    Parent,
    Ancestor,
    Sibling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `>`: the right-hand spans that stand in the relation.
    Plain,
    /// `!>`: the right-hand spans that do not.
    Not,
    /// `&>`: both ends.
    Union,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ScalarFilter {
    pub op: Op,
    pub lhs: ScalarExpr,
    pub rhs: ScalarExpr,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ScalarExpr {
    Aggregate(Aggregate),
    Static(Value),
    Operation { op: Op, lhs: Box<ScalarExpr>, rhs: Box<ScalarExpr> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    pub function: AggregateFn,
    /// `None` for `count()` only.
    pub operand: Option<FieldExpr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateFn {
    Count,
    Avg,
    Max,
    Min,
    Sum,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FieldExpr {
    Static(Value),
    Attribute(Attribute),
    Unary { op: Op, operand: Box<FieldExpr> },
    Binary { op: Op, lhs: Box<FieldExpr>, rhs: Box<FieldExpr> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Regex,
    NotRegex,
    And,
    Or,
    Not,
}

impl Op {
    /// Whether the result is true or false whatever the operands are.
    pub fn is_boolean(self) -> bool {
        !matches!(self, Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Mod | Self::Pow)
    }

    /// The comparison with its sides swapped: `3 < x` is `x > 3`.
    pub fn flipped(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Lte => Self::Gte,
            Self::Gt => Self::Lt,
            Self::Gte => Self::Lte,
            other => other,
        }
    }
}

/// Where an attribute is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `.x`: the span's value, else the resource's.
    Any,
    Span,
    Resource,
    Event,
    Link,
    Instrumentation,
}

/// A named value of a span.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attribute {
    Named { scope: Scope, name: String, parent: bool },
    Intrinsic(Intrinsic),
}

/// What every span has without an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Intrinsic {
    Duration,
    Name,
    Status,
    StatusMessage,
    Kind,
    ChildCount,
    Parent,
    SpanId,
    ParentId,
    TraceId,
    TraceDuration,
    RootName,
    RootServiceName,
    NestedSetLeft,
    NestedSetRight,
    NestedSetParent,
    EventName,
    EventTimeSinceStart,
    LinkTraceId,
    LinkSpanId,
    InstrumentationName,
    InstrumentationVersion,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MetricsStage {
    pub function: MetricsFn,
    /// `by(…)`, in order.
    pub by: Vec<Attribute>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MetricsFn {
    Rate,
    CountOverTime,
    Min(Attribute),
    Max(Attribute),
    Avg(Attribute),
    Sum(Attribute),
    Quantile(Attribute, Vec<f64>),
    Histogram(Attribute),
    /// `compare({ … }, topn, start_ns, end_ns)`.
    Compare {
        selection: FieldExpr,
        top_n: usize,
        window: Option<(i64, i64)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SecondStage {
    TopK(usize),
    BottomK(usize),
    /// Keeps the points for which the comparison holds.
    Threshold(Op, f64),
}
