//! What parses and still is no query: types that do not fit, and forms that Tempo refuses.
//!
//! The messages are Tempo's, so that a query fails alike in both.
use super::QueryError;
use super::ast::*;
use super::value::Value;

/// What an expression yields, as far as the text alone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    /// An attribute: known per span only.
    Attribute,
    Nil,
    Int,
    Float,
    Duration,
    String,
    Bool,
    Status,
    Kind,
}

impl Type {
    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Duration)
    }
}

/// Attributes behind `by` of a metrics query.
const MAX_GROUP_BYS: usize = 5;

type Checked<T = ()> = Result<T, QueryError>;

fn refuse<T>(message: String) -> Checked<T> {
    Err(QueryError::Invalid(message))
}

/// Checks a parsed query.
///
/// # Errors
/// [`QueryError::Invalid`] that shows the expression at fault.
pub fn check(query: &Query) -> Checked {
    pipeline(&query.pipeline)?;
    let Some(stage) = &query.metrics else { return Ok(()) };
    for attribute in &stage.by {
        named(attribute)?;
    }
    // The bucket of a value takes the place of one.
    let is_bucketed = matches!(stage.function, MetricsFn::Quantile(..) | MetricsFn::Histogram(_));
    if stage.by.len() + usize::from(is_bucketed) > MAX_GROUP_BYS {
        return refuse(format!("metrics group by {} values not yet supported", stage.by.len()));
    }
    if query.second_stage.iter().any(|stage| matches!(stage, SecondStage::TopK(0) | SecondStage::BottomK(0))) {
        return refuse("limit must be greater than 0".to_owned());
    }
    if let MetricsFn::Quantile(_, quantiles) = &stage.function
        && let Some(wrong) = quantiles.iter().find(|quantile| !(0.0..=1.0).contains(*quantile))
    {
        return refuse(format!("quantile must be between 0 and 1: {wrong}"));
    }
    match &stage.function {
        MetricsFn::Rate | MetricsFn::CountOverTime => Ok(()),
        MetricsFn::Min(attribute)
        | MetricsFn::Max(attribute)
        | MetricsFn::Avg(attribute)
        | MetricsFn::Sum(attribute)
        | MetricsFn::Quantile(attribute, _)
        | MetricsFn::Histogram(attribute) => {
            let found = named(attribute)?;
            if found == Type::Attribute || found.is_number() {
                return Ok(());
            }
            refuse(format!("aggregate field expressions must resolve to a number type: {attribute}"))
        }
        MetricsFn::Compare { selection, .. } => filter(selection),
    }
}

fn pipeline(pipeline: &Pipeline) -> Checked {
    pipeline.stages.iter().try_for_each(|stage| match stage {
        Stage::Spansets(expression) => spansets(expression),
        Stage::Filter(scalar) => scalar_filter(scalar),
        Stage::GroupBy(expression) => {
            field(expression)?;
            if references_span(expression) {
                return Ok(());
            }
            refuse(format!("grouping field expressions must reference the span: by({expression})"))
        }
        Stage::Coalesce => Ok(()),
        Stage::Select(attributes) => attributes.iter().try_for_each(|attribute| named(attribute).map(|_| ())),
    })
}

fn spansets(expression: &SpansetExpr) -> Checked {
    match expression {
        SpansetExpr::Filter(expression) => filter(expression),
        SpansetExpr::Operation { lhs, rhs, .. } => {
            spansets(lhs)?;
            spansets(rhs)
        }
        SpansetExpr::Pipeline(inner) => pipeline(inner),
    }
}

fn filter(expression: &FieldExpr) -> Checked {
    match field(expression)? {
        Type::Bool | Type::Attribute => Ok(()),
        _ => refuse(format!("span filter field expressions must resolve to a boolean: {{ {expression} }}")),
    }
}

fn scalar_filter(filter: &ScalarFilter) -> Checked {
    let left = scalar(&filter.lhs)?;
    let right = scalar(&filter.rhs)?;
    // Tempo's own texts, unfilled placeholder included: clients may look for them.
    if !matches!(filter.lhs, ScalarExpr::Aggregate(_)) {
        return refuse("scalar filter lhs of type (%v) not yet supported".to_owned());
    }
    if !matches!(filter.rhs, ScalarExpr::Static(_)) {
        return refuse("scalar filter rhs of type (%v) not yet supported".to_owned());
    }
    if left != right && left != Type::Attribute && !(left.is_number() && right.is_number()) {
        return refuse(format!(
            "binary operations must operate on the same type: {} {} {}",
            filter.lhs, filter.op, filter.rhs
        ));
    }
    if right.is_number() {
        Ok(())
    } else {
        refuse(format!("illegal operation for the given types: {} {} {}", filter.lhs, filter.op, filter.rhs))
    }
}

fn scalar(expression: &ScalarExpr) -> Checked<Type> {
    match expression {
        ScalarExpr::Static(value) => Ok(literal(value)),
        ScalarExpr::Operation { lhs, rhs, .. } => {
            let left = scalar(lhs)?;
            scalar(rhs)?;
            Ok(left)
        }
        ScalarExpr::Aggregate(aggregate) => {
            let Some(operand) = &aggregate.operand else { return Ok(Type::Int) };
            let found = field(operand)?;
            if found != Type::Attribute && !found.is_number() {
                return refuse(format!("aggregate field expressions must resolve to a number type: {aggregate}"));
            }
            if !references_span(operand) {
                return refuse(format!("aggregate field expressions must reference the span: {aggregate}"));
            }
            Ok(found)
        }
    }
}

fn field(expression: &FieldExpr) -> Checked<Type> {
    match expression {
        FieldExpr::Static(value) => Ok(literal(value)),
        FieldExpr::Attribute(attribute) => named(attribute),
        FieldExpr::Unary { op, operand } => {
            let found = field(operand)?;
            let fits = found == Type::Attribute || if *op == Op::Not { found == Type::Bool } else { found.is_number() };
            if fits { Ok(found) } else { refuse(format!("illegal operation for the given type: {expression}")) }
        }
        FieldExpr::Binary { op, lhs, rhs } => binary(expression, *op, lhs, rhs),
    }
}

fn binary(whole: &FieldExpr, op: Op, lhs: &FieldExpr, rhs: &FieldExpr) -> Checked<Type> {
    let left = field(lhs)?;
    let right = field(rhs)?;
    nil_comparison(whole, lhs, rhs)?;
    let same = left == right
        || left == Type::Attribute
        || right == Type::Attribute
        || (left.is_number() && right.is_number())
        || left == Type::Nil
        || right == Type::Nil;
    if !same {
        return refuse(format!("binary operations must operate on the same type: {whole}"));
    }
    if !allows(op, left) || !allows(op, right) {
        return refuse(format!("illegal operation for the given types: {whole}"));
    }
    if matches!(op, Op::Regex | Op::NotRegex)
        && let FieldExpr::Static(Value::Str(pattern)) = rhs
        && super::eval::anchored(pattern).is_none()
    {
        return refuse(format!("invalid regex: `{pattern}`"));
    }
    if op.is_boolean() {
        return Ok(Type::Bool);
    }
    if left != Type::Attribute { Ok(left) } else { Ok(right) }
}

/// Intrinsics are always there, so asking for the spans that lack one is a mistake worth an error.
fn nil_comparison(whole: &FieldExpr, lhs: &FieldExpr, rhs: &FieldExpr) -> Checked {
    let ((FieldExpr::Attribute(attribute), FieldExpr::Static(Value::Nil))
    | (FieldExpr::Static(Value::Nil), FieldExpr::Attribute(attribute))) = (lhs, rhs)
    else {
        return Ok(());
    };
    if !matches!(whole, FieldExpr::Binary { op: Op::Eq, .. }) {
        return Ok(());
    }
    match attribute {
        Attribute::Intrinsic(_) => refuse(format!("{attribute}=nil is not valid because intrinsics cannot be nil")),
        Attribute::Named { scope: Scope::Resource, name, .. } if name == "service.name" => {
            refuse(format!("{attribute}=nil is not valid because {attribute} cannot be nil"))
        }
        Attribute::Named { .. } => Ok(()),
    }
}

fn allows(op: Op, operand: Type) -> bool {
    match operand {
        Type::Attribute => true,
        Type::Bool => matches!(op, Op::And | Op::Or | Op::Eq | Op::Neq),
        Type::Int | Type::Float | Type::Duration => {
            !matches!(op, Op::And | Op::Or | Op::Regex | Op::NotRegex | Op::Not)
        }
        Type::String => matches!(op, Op::Eq | Op::Neq | Op::Lt | Op::Lte | Op::Gt | Op::Gte | Op::Regex | Op::NotRegex),
        Type::Nil | Type::Status | Type::Kind => matches!(op, Op::Eq | Op::Neq),
    }
}

fn named(attribute: &Attribute) -> Checked<Type> {
    Ok(match attribute {
        Attribute::Named { parent: true, .. } | Attribute::Intrinsic(Intrinsic::Parent) => {
            return refuse("parent not yet supported".to_owned());
        }
        Attribute::Named { .. } => Type::Attribute,
        Attribute::Intrinsic(intrinsic) => match intrinsic {
            Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTimeSinceStart => Type::Duration,
            Intrinsic::ChildCount
            | Intrinsic::NestedSetLeft
            | Intrinsic::NestedSetRight
            | Intrinsic::NestedSetParent => Type::Int,
            Intrinsic::Status => Type::Status,
            Intrinsic::Kind => Type::Kind,
            Intrinsic::Parent => Type::Nil,
            _ => Type::String,
        },
    })
}

fn literal(value: &Value) -> Type {
    match value {
        Value::Nil | Value::Array(_) => Type::Nil,
        Value::Int(_) => Type::Int,
        Value::Float(_) => Type::Float,
        Value::Str(_) => Type::String,
        Value::Bool(_) => Type::Bool,
        Value::Duration(_) => Type::Duration,
        Value::Status(_) => Type::Status,
        Value::Kind(_) => Type::Kind,
    }
}

fn references_span(expression: &FieldExpr) -> bool {
    match expression {
        FieldExpr::Static(_) => false,
        FieldExpr::Attribute(_) => true,
        FieldExpr::Unary { operand, .. } => references_span(operand),
        FieldExpr::Binary { lhs, rhs, .. } => references_span(lhs) || references_span(rhs),
    }
}
