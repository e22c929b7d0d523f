//! Reads JSON Schemas, as far as `schemars` writes them for the settings of node types.

use super::source::SourceFile;
use super::yaml::{Kind, Tree};
use serde_json::Value;

/// The values of an enumeration, where the schema is one; each may have a branch of its own.
pub(super) fn constants(schema: &Value) -> Option<Vec<Value>> {
    let listed = |schema: &Value| match schema.get("const") {
        Some(value) => Some(vec![value.clone()]),
        None => schema.get("enum").and_then(Value::as_array).cloned(),
    };
    let branches = || schema.get("oneOf").and_then(Value::as_array)?.iter().map(listed).collect::<Option<Vec<_>>>();
    listed(schema).or_else(|| Some(branches()?.concat()))
}

/// The JSON types that the schema allows; none means any.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a value is of a JSON type.
pub(super) fn is_type(kind: &Kind, name: &str) -> bool {
    match kind {
        Kind::Null => name == "null",
        Kind::Bool(_) => name == "boolean",
        Kind::Int(_) => name == "integer" || name == "number",
        Kind::Float(_) => name == "number",
        Kind::String(_) => name == "string",
        Kind::Seq(_) => name == "array",
        Kind::Map(_) => name == "object",
        Kind::Unknown => true,
    }
}

/// A JSON type, for messages.
pub(super) fn in_words(type_name: &str) -> String {
    match type_name {
        "null" => "nothing",
        "boolean" => "`true` or `false`",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    }
    .to_owned()
}

/// What one of several schemas asks for, for messages.
pub(super) fn branch_in_words(schema: &Value) -> String {
    if let Some(constants) = constants(schema) {
        return constants
            .iter()
            .map(|value| format!("`{}`", value.as_str().map_or(value.to_string(), str::to_owned)))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    types(schema).iter().map(|name| in_words(name)).collect::<Vec<_>>().join(" or ")
}

/// Of branches that are mappings with a key each, only those are meant whose key is there.
pub(super) fn has_key_of(tree: &Tree, schema: &Value, file: &SourceFile) -> bool {
    let (Kind::Map(entries), Some(properties)) = (&tree.kind, schema.get("properties").and_then(Value::as_object))
    else {
        return true;
    };
    entries.iter().any(|(key, _)| properties.contains_key(key.text(file)))
}

/// Whether a value is the constant.
pub(super) fn same(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::String(a), Value::String(b)) => a == b,
        (Kind::Bool(a), Value::Bool(b)) => a == b,
        (Kind::Int(a), Value::Number(b)) => b.as_i64().map(i128::from) == Some(a.get()),
        (Kind::Null, Value::Null) => true,
        _ => false,
    }
}

/// A description's first sentence, on one line and without its full stop.
pub(super) fn first_sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<&str>>().join(" ");
    let sentence = text.split(". ").next().unwrap_or("");
    sentence.trim_end_matches('.').to_owned()
}

/// What would be in range, where `value` is not.
pub(super) fn out_of_range(value: f64, schema: &Value) -> Option<String> {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or("");
    let (format_low, format_high) = match format {
        "uint8" => (Some(0.0), Some(255.0)),
        "uint16" => (Some(0.0), Some(65_535.0)),
        "uint32" => (Some(0.0), Some(f64::from(u32::MAX))),
        "uint" | "uint64" => (Some(0.0), None),
        "int32" => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        _ => (None, None),
    };
    let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
    let low = limit("minimum").or(format_low);
    let high = limit("maximum").or(format_high);
    let (above, below) = (limit("exclusiveMinimum"), limit("exclusiveMaximum"));
    let fits = low.is_none_or(|low| value >= low)
        && high.is_none_or(|high| value <= high)
        && above.is_none_or(|above| value > above)
        && below.is_none_or(|below| value < below);
    if fits {
        return None;
    }
    let low = above.map(|above| format!("more than {above}")).or(low.map(|low| format!("{low} or more")));
    let high = below.map(|below| format!("less than {below}")).or(high.map(|high| format!("at most {high}")));
    Some(format!("it is {}", [low, high].into_iter().flatten().collect::<Vec<_>>().join(" and ")))
}
