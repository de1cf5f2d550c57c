//! Just enough of a reader of Rust to say what a file names.

/// `text` without comments, strings and characters.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| literal(rest));
        match skipped {
            Some(_) => code.push(' '),
            None => code.push(first),
        }
        rest = &rest[skipped.unwrap_or(first.len_utf8())..];
    }
    code
}

/// Length of the comment that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(at)
}

/// Length of the string or character that `text` begins with.
fn literal(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = 1 + hashes + 1;
            return Some(body + text[body..].find(&end).map_or(text.len() - body, |at| at + end.len()));
        }
    }
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let mut chars = text.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            _ if char == quote => return Some(at + 1),
            // A lifetime, not a character.
            _ if quote == '\'' && at > 1 => return None,
            _ => {}
        }
    }
    None
}

/// Names and marks, in order; `::` is one mark.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
        let length = match name {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            name => name,
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

fn is_name(token: &str) -> bool {
    token.starts_with(|char: char| char.is_alphabetic() || char == '_')
}

/// Every name in the code.
pub(crate) fn words(code: &str) -> Vec<String> {
    tokens(code).into_iter().filter(|token| is_name(token)).map(str::to_owned).collect()
}

/// Every path in the code, those in braces written out.
pub(crate) fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let (mut paths, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if is_name(tokens[at]) {
            at = tree(&tokens, at, &mut Vec::new(), &mut paths);
        } else {
            at += 1;
        }
    }
    paths
}

/// Reads the tree of paths that begins at `at`, below `prefix`; answers where it ends.
fn tree(tokens: &[&str], mut at: usize, prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let depth = prefix.len();
    let token = |at: usize| tokens.get(at).copied().unwrap_or_default();
    loop {
        if token(at) == "{" && prefix.len() > depth {
            at += 1;
            while !matches!(token(at), "}" | "") {
                at = if is_name(token(at)) { tree(tokens, at, prefix, paths) } else { at + 1 };
            }
            at += 1;
            break;
        }
        prefix.push(token(at).to_owned());
        at += 1;
        if token(at) != "::" || !(is_name(token(at + 1)) || token(at + 1) == "{") {
            paths.push(prefix.clone());
            break;
        }
        at += 1;
    }
    prefix.truncate(depth);
    at
}

/// Whether `part` is a word of `name`: `next_event` and `EventQueue` have `event`, `prevented` has not.
/// A `part` that begins with a capital is a word of types only.
pub(crate) fn has(name: &str, part: &str) -> bool {
    if name == part {
        return true;
    }
    let mut split = String::new();
    for char in name.chars() {
        if char.is_uppercase() {
            split.push('_');
        }
        split.push(char);
    }
    // `RwLock` is two words, and so is what it is looked for in.
    if part.starts_with(char::is_uppercase) {
        return name.starts_with(char::is_uppercase) && name.contains(part);
    }
    split.to_lowercase().split('_').any(|word| word == part)
}

/// The statements of a file of names that are more than declarations and re-exports.
pub(crate) fn logic(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let mut rest = statement.trim();
        while rest.starts_with('#') {
            let mut depth = 0_usize;
            let end = rest.find(|char| {
                depth = match char {
                    '[' => depth + 1,
                    ']' => depth - 1,
                    _ => depth,
                };
                char == ']' && depth == 0
            });
            rest = rest[end.map_or(rest.len(), |end| end + 1)..].trim_start();
        }
        // The one thing that is neither: what the examples of the README hang on when they are tested.
        let examples = statement.contains("#[cfg(doctest)]") && rest.starts_with("struct ");
        let declares = ["mod ", "pub mod ", "pub use "].iter().any(|start| rest.starts_with(start));
        if !(rest.is_empty() || examples || declares && !rest.contains('(')) {
            found.push(format!("`{}` is logic", rest.lines().next().unwrap_or_default()));
        }
    }
    found
}
