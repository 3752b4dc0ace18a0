//! The RFCs' requirements (`vectors/conformance/*.toml`) and what in the code cites them.
//!
//! A citation is an id in a comment, or several separated by commas. It says that the test beside
//! it fails when that rule is broken, so only those in tests count as cover. Every citation must
//! name a requirement that exists, wherever it stands.

#![expect(
    clippy::string_slice,
    reason = "reads this project's own files; a wrong offset fails the test, as it should"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Rewrites `COVERAGE.md`.
const BLESS: &str = "DRONGO_BLESS=1 cargo test --test it conformance";

#[test]
fn requirement_ids_are_unique_and_well_formed() {
    let mut seen = BTreeSet::new();
    for requirement in requirements() {
        let id = requirement.id;
        assert!(
            is_citation(&id),
            "the scanner would not see {id} in a comment"
        );
        assert!(
            seen.insert(id.clone()),
            "{id} stands twice in vectors/conformance"
        );
    }
    assert!(!seen.is_empty(), "vectors/conformance holds no requirement");
}

#[test]
fn citations_name_requirements_that_exist() {
    let known: BTreeSet<String> = requirements().into_iter().map(|r| r.id).collect();
    let unknown: Vec<String> = citations()
        .into_iter()
        .filter(|citation| !known.contains(&citation.id))
        .map(|c| format!("{}:{}: no requirement {}", c.file.display(), c.line, c.id))
        .collect();
    assert!(unknown.is_empty(), "\n{}\n", unknown.join("\n"));
}

#[test]
fn coverage_table_is_up_to_date() {
    let cited = citations()
        .into_iter()
        .filter(|c| c.in_test)
        .map(|c| c.id)
        .collect();
    let table = coverage(&requirements(), &cited);
    let path = root().join("vectors/conformance/COVERAGE.md");
    if std::env::var_os("DRONGO_BLESS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == table,
        "{} is out of date; rewrite it with\n    {BLESS}",
        path.display()
    );
}

#[test]
fn scanner_reads_every_comment_and_nothing_else() {
    // Built from pieces, so that this file cites nothing it does not test.
    let id = |n: u32| format!("1234-17.2.1-{n:02}");
    let source = [
        format!("let a = 1; // {}, {}: both", id(1), id(2)),
        format!(
            "/* outer /* {} */ {} */ let b = \"// {}\";",
            id(3),
            id(4),
            id(90)
        ),
        format!("let c = '\"'; /// {}.", id(5)),
        format!(
            "let d = r#\"/* \" // {}\"#; let e: &'static str = \"\\\" // {}\";",
            id(91),
            id(92)
        ),
        format!("//! ({})", id(6)),
        format!(
            "fn f<'a>() {{}} // a date is none: 12-03-04, nor is x{} or 3261 17.2.1",
            id(93)
        ),
    ]
    .join("\n");
    let found: Vec<(usize, String)> = scan(&source)
        .into_iter()
        .map(|(line, id, _)| (line, id))
        .collect();
    let expected = [
        (1, id(1)),
        (1, id(2)),
        (2, id(3)),
        (2, id(4)),
        (3, id(5)),
        (5, id(6)),
    ]
    .to_vec();
    assert_eq!(found, expected);
}

#[test]
fn scanner_keeps_a_misspelt_citation_whole() {
    // What begins like an id is taken as one with all that hangs on it, so that it is unknown
    // rather than overlooked.
    for tail in ["x", "..12", "/11", "-1"] {
        let id = format!("1234-17.2.1-10{tail}");
        let found: Vec<String> = scan(&format!("// {id}"))
            .into_iter()
            .map(|(_, id, _)| id)
            .collect();
        assert_eq!(found, [id]);
    }
}

#[test]
fn scanner_tells_tests_from_the_rest_of_a_file() {
    let source =
        "// 1234-1-01\n#[cfg(test)]\nmod tests {\n// 1234-1-02\n}\n".replace("1234", "4321");
    let found: Vec<bool> = scan(&source)
        .into_iter()
        .map(|(_, _, in_test)| in_test)
        .collect();
    assert_eq!(found, [false, true]);
    let declared = "#[cfg(test)]\nmod tests;\n// 4321-1-01".replace("4321", "1234");
    assert!(
        !scan(&declared)[0].2,
        "a test module in a file of its own opens none here"
    );
}

struct Requirement {
    id: String,
    level: String,
    role: String,
}

struct Citation {
    file: PathBuf,
    line: usize,
    id: String,
    in_test: bool,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every requirement, in the order of the files' names and then as they stand.
fn requirements() -> Vec<Requirement> {
    let field = |entry: &toml::Value, key: &str, file: &Path| {
        let value = entry.get(key).and_then(toml::Value::as_str);
        value
            .unwrap_or_else(|| panic!("{}: {key} is missing: {entry:?}", file.display()))
            .to_owned()
    };
    let mut all = Vec::new();
    for file in files(&root().join("vectors/conformance"), "toml") {
        let text = fs::read_to_string(&file).unwrap();
        let table: toml::Table = text
            .parse()
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let entries = table.get("requirement").and_then(toml::Value::as_array);
        for entry in entries.unwrap_or_else(|| panic!("{}: no requirement", file.display())) {
            all.push(Requirement {
                id: field(entry, "id", &file),
                level: field(entry, "level", &file),
                role: field(entry, "role", &file),
            });
        }
    }
    all
}

/// Every citation in the comments of `src` and `tests`.
fn citations() -> Vec<Citation> {
    let mut all = Vec::new();
    for folder in ["src", "tests"] {
        for path in files(&root().join(folder), "rs") {
            let file = path.strip_prefix(root()).unwrap().to_owned();
            let whole = folder == "tests"
                || file.file_stem().is_some_and(|stem| stem == "tests")
                || file.components().any(|part| part.as_os_str() == "tests");
            for (line, id, in_test) in scan(&fs::read_to_string(&path).unwrap()) {
                all.push(Citation {
                    file: file.clone(),
                    line,
                    id,
                    in_test: whole || in_test,
                });
            }
        }
    }
    all
}

/// All files below `folder` with this extension, sorted by path.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The citations of one source file: line, id, and whether an inline test module has begun.
fn scan(source: &str) -> Vec<(usize, String, bool)> {
    let tests = test_module(source);
    let mut found = Vec::new();
    for (start, comment) in comments(source) {
        let first = source[..start].matches('\n').count() + 1;
        for (line, text) in comment.lines().enumerate() {
            let ids = text
                .split(|c: char| c.is_whitespace() || ",;:()[]{}<>`'\"".contains(c))
                .map(|word| {
                    word.trim_end_matches(['.', '!', '?'])
                        .trim_start_matches(['/', '*'])
                })
                .filter(|word| is_citation(word));
            found.extend(ids.map(|id| (first + line, id.to_owned(), start >= tests)));
        }
    }
    found
}

/// Whether a word is meant as an id: four digits of an RFC, a section or appendix, a number.
/// What follows the number's first digit is not looked at: see the test on misspelt ones.
fn is_citation(word: &str) -> bool {
    let mut parts = word.splitn(3, '-');
    let (Some(rfc), Some(section), Some(number)) = (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    rfc.len() == 4
        && rfc.bytes().all(|b| b.is_ascii_digit())
        && section.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
        && section
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.')
        && number.starts_with(|c: char| c.is_ascii_digit())
}

/// Where the file's inline test module begins, by convention its last item.
fn test_module(source: &str) -> usize {
    let inline = |rest: &str| {
        let declaration = rest
            .lines()
            .skip(1)
            .find(|line| !line.trim_start().starts_with("#["));
        declaration.is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let mut starts = source.match_indices("#[cfg(test)]").map(|(start, _)| start);
    starts
        .find(|start| inline(&source[*start..]))
        .unwrap_or(source.len())
}

/// The comments of a Rust source with their offsets. Strings and characters are passed over; a
/// lifetime is told from a character by what follows its first letter.
fn comments(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = source[at..].chars().next() {
        let rest = &source[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest).filter(|_| !follows_name(source, at)) {
            length
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            c.len_utf8()
        };
        if rest.starts_with("//") || rest.starts_with("/*") {
            found.push((at, &rest[..length]));
        }
        at += length;
    }
    found
}

/// The length of the block comment that `rest` begins with; they nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let step = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of the raw string that `rest` begins with, if it does.
fn raw_string(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('r')?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    let body = inner[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end)?;
    Some(rest.len() - body.len() + length + end.len())
}

/// The length of the quoted text that `rest` begins with, escapes passed over.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// Whether the quote that `rest` begins with opens a character, not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut next = rest.chars().skip(1);
    next.next() == Some('\\') || next.next() == Some('\'')
}

/// Whether the character at `at` goes on with a name, so that an `r` there begins no raw string.
/// The `b` or `c` of `br"` and `cr"` is no such name.
fn follows_name(source: &str, at: usize) -> bool {
    let before = source[..at].trim_end_matches(['b', 'c']);
    before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// `COVERAGE.md`. An RFC of which nothing is cited has no row: few lines change at a time.
fn coverage(requirements: &[Requirement], cited: &BTreeSet<String>) -> String {
    let mut text = format!(
        "# Requirements cited by tests\n\nWritten by `{BLESS}`; do not edit, nor merge by hand: \
         run it again.\n"
    );
    let rfc = |r: &Requirement| r.id.split('-').next().unwrap_or_default().to_owned();
    let mut untouched = Vec::new();
    text.push_str("\n| RFC | cited | of |\n|---|---|---|\n");
    for (name, (count, of)) in tally(requirements, cited, rfc) {
        if count == 0 {
            untouched.push(name);
        } else {
            writeln!(text, "| {name} | {count} | {of} |").unwrap();
        }
    }
    let level = tally(requirements, cited, |r| r.level.clone());
    let role = tally(requirements, cited, |r| r.role.clone());
    for (title, counts) in [("level", level), ("role", role)] {
        write!(text, "\n| {title} | cited | of |\n|---|---|---|\n").unwrap();
        for (name, (count, of)) in counts {
            writeln!(text, "| {name} | {count} | {of} |").unwrap();
        }
    }
    let total = requirements
        .iter()
        .filter(|r| cited.contains(&r.id))
        .count();
    writeln!(text, "| all | {total} | {} |", requirements.len()).unwrap();
    let untouched = if untouched.is_empty() {
        "none".to_owned()
    } else {
        untouched.join(", ")
    };
    write!(text, "\nRFCs of which nothing is cited yet: {untouched}.\n").unwrap();
    text
}

/// How many are cited, and of how many, by key.
fn tally(
    requirements: &[Requirement],
    cited: &BTreeSet<String>,
    key: impl Fn(&Requirement) -> String,
) -> BTreeMap<String, (usize, usize)> {
    let mut counts = BTreeMap::<String, (usize, usize)>::new();
    for requirement in requirements {
        let (count, of) = counts.entry(key(requirement)).or_default();
        *count += usize::from(cited.contains(&requirement.id));
        *of += 1;
    }
    counts
}
