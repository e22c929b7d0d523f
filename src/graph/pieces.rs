//! The pieces that a text with variables is made of, and what names are made of.

/// Whether `text` can name a node, a param, a pack or a backend.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_char)
}

/// The name that a text begins with, and the value behind it with whatever parts the two: what YAML reads as one text for lack
/// of a colon, or of a space behind that.
pub(super) fn name_in_front(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_at(text.find(|c| !is_name_char(c))?);
    (is_name(name) && value.starts_with([':', ' ', '\t', '=', '{', '['])).then_some((name, value))
}

/// The node and the port that an end such as `node.port` names; without a port, its node's only one is meant.
pub(super) fn parted(end: &str) -> (&str, Option<&str>) {
    end.split_once('.').map_or((end, None), |(node, port)| (node, Some(port)))
}

/// Whether names are made of such characters.
pub(super) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// A part of a text.
pub(super) enum Piece {
    Literal(String),
    Param(String),
    Env { name: String, default: Option<String> },
}

/// The pieces of `text`; or what is wrong with it.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        literal.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let end = inner.find('}').ok_or_else(|| format!("`${{{inner}` has no closing `}}`"))?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(variable(&inner[..end])?);
        rest = &inner[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

fn variable(inner: &str) -> Result<Piece, String> {
    let bad = |name: &str| match name.trim() {
        "" => format!("`${{{inner}}}` does not say which variable"),
        _ => format!("`${{{inner}}}` is no variable: names are made of letters, digits, `_` and `-`"),
    };
    if let Some(env) = inner.strip_prefix("env:") {
        let (name, default) = match env.split_once(":-") {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (env, None),
        };
        return if is_name(name) { Ok(Piece::Env { name: name.to_owned(), default }) } else { Err(bad(name)) };
    }
    if is_name(inner) { Ok(Piece::Param(inner.to_owned())) } else { Err(bad(inner)) }
}
