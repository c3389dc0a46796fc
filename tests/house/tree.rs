//! The source files of the package, its modules, and which module each path in the code leads to.

use crate::code::{self, Token, closing, line_of, tokens};
use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::ops::Range;

/// A file.
#[derive(Debug)]
pub struct Source {
    pub text: String,
    /// All of it, without comments and the contents of literals.
    pub all_code: String,
    /// What is shipped of it: without comments, the contents of literals, and what only tests compile.
    pub code: String,
    /// The parts that only tests compile.
    pub tests: Vec<Range<usize>>,
}

impl Source {
    fn new(text: &str, is_test: bool) -> Source {
        let all_code = code::code_of(text);
        let whole = iter::once(0..all_code.len());
        let tests = if is_test { whole.collect() } else { code::test_ranges(&all_code) };
        Source { code: code::without(&all_code, &tests), text: text.to_owned(), all_code, tests }
    }

    /// Lines that are shipped, comments among them.
    pub fn shipped_lines(&self) -> usize {
        let test_lines: BTreeSet<usize> = self.tests.iter().flat_map(|range| self.lines(range)).collect();
        self.text.lines().count() - test_lines.len().min(self.text.lines().count())
    }

    fn lines(&self, range: &Range<usize>) -> Range<usize> {
        line_of(&self.text, range.start)..line_of(&self.text, range.end.saturating_sub(1).max(range.start)) + 1
    }

    pub fn is_in_tests(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    pub fn line(&self, at: usize) -> usize {
        line_of(&self.text, at)
    }
}

/// A module, of a file or within one.
#[derive(Debug, Default)]
pub struct Module {
    /// The crate's root first: `cubby`, or a binary as in `bin/cubbyd`.
    pub path: Vec<String>,
    pub file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    imports: Vec<Import>,
    defines: BTreeSet<String>,
    /// The paths that its code names, and their lines.
    uses: Vec<(Vec<String>, usize)>,
}

/// One name that a `use` brings into a module; `*` if it brings all.
#[derive(Debug)]
struct Import {
    name: String,
    path: Vec<String>,
}

/// A use of one module by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrow {
    pub from: usize,
    pub to: usize,
    pub line: usize,
}

/// All of the package's sources.
#[derive(Debug, Default)]
pub struct Tree {
    /// By path from the package's root.
    pub sources: BTreeMap<String, Source>,
    pub modules: Vec<Module>,
    /// Files that no module declares.
    pub strays: Vec<String>,
}

/// The root of the library's crate, by the name that binaries know it under.
const LIBRARY: &str = "cubby";

impl Tree {
    /// Reads the modules out of these files: paths from the package's root, and texts.
    pub fn new(texts: &BTreeMap<String, String>) -> Tree {
        let mut tree = Tree::default();
        for file in texts.keys() {
            let root = match file.split('/').collect::<Vec<_>>()[..] {
                ["src", "lib.rs"] => LIBRARY.to_owned(),
                ["src", "bin", name, "main.rs"] => format!("bin/{name}"),
                _ => continue,
            };
            tree.add(texts, file, vec![root], None, false);
        }
        tree.strays = texts.keys().filter(|file| !tree.sources.contains_key(*file)).cloned().collect();
        tree
    }

    /// Adds the module of a file, and those that it declares.
    fn add(
        &mut self,
        texts: &BTreeMap<String, String>,
        file: &str,
        path: Vec<String>,
        parent: Option<usize>,
        is_test: bool,
    ) {
        let Some(text) = texts.get(file) else { return };
        let source = Source::new(text, is_test);
        let own = self.open(path.clone(), file, parent);
        self.read(own, &source.code, text);
        let declared = declared(&source.all_code);
        let children: Vec<_> = declared
            .into_iter()
            .map(|Declared { at, names }| {
                let place = place_of(texts, file, &names, attribute_path(text, &source.all_code, at));
                (names, place, source.is_in_tests(at))
            })
            .collect();
        self.sources.insert(file.to_owned(), source);
        for (names, place, is_test) in children {
            let Some(child) = place else { continue };
            let mut parent = own;
            for name in &names[..names.len() - 1] {
                parent = self.modules[parent].children.get(name).copied().unwrap_or(parent);
            }
            let path = [&path[..], &names].concat();
            self.add(texts, &child, path, Some(parent), is_test);
        }
    }

    fn open(&mut self, path: Vec<String>, file: &str, parent: Option<usize>) -> usize {
        let index = self.modules.len();
        if let Some(parent) = parent {
            self.modules[parent].children.insert(path[path.len() - 1].clone(), index);
        }
        self.modules.push(Module { path, file: file.to_owned(), parent, ..Module::default() });
        index
    }

    /// Reads what the code of a file defines and names into its module and those within it.
    fn read(&mut self, own: usize, code: &str, text: &str) {
        let tokens = tokens(code);
        let mut open = vec![(own, usize::MAX)];
        let mut index = 0;
        while index < tokens.len() {
            while open.last().is_some_and(|(_, end)| index >= *end) {
                open.pop();
            }
            let module = open.last().expect("the file's own never ends").0;
            let word = |ahead: usize| tokens.get(index + ahead).map_or("", |token| token.text);
            let before = index.checked_sub(1).map_or("", |before| tokens[before].text);
            match tokens[index].text {
                "mod" if word(2) == "{" => {
                    let path = [&self.modules[module].path[..], &[word(1).to_owned()]].concat();
                    let file = self.modules[module].file.clone();
                    open.push((self.open(path, &file, Some(module)), closing(&tokens, index + 2)));
                    index += 3;
                }
                "use" if word(1) != "<" => {
                    let (imports, end) = imports(&tokens, index + 1);
                    for (import, at) in imports {
                        self.modules[module].uses.push((import.path.clone(), line_of(text, at)));
                        self.modules[module].imports.push(import);
                    }
                    index = end + 1;
                }
                "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static" => {
                    self.modules[module].defines.insert(word(1).to_owned());
                    index += 1;
                }
                _ if tokens[index].is_word() && word(1) == "::" && !matches!(before, "::" | ".") => {
                    let path = path_at(&tokens, index);
                    self.modules[module].uses.push((path.clone(), line_of(text, tokens[index].at)));
                    index += 2 * path.len() - 1;
                }
                _ => index += 1,
            }
        }
    }

    /// All uses of one module by another that can be seen from paths.
    pub fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = Vec::new();
        for (from, module) in self.modules.iter().enumerate() {
            for (path, line) in &module.uses {
                if let Some(to) = self.resolve(from, path, 0)
                    && to != from
                {
                    arrows.push(Arrow { from, to, line: *line });
                }
            }
        }
        arrows
    }

    /// The module in which the last name of a path is defined, as far as modules and imports tell; `None` if that is
    /// in another package.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<usize> {
        if depth > 20 {
            return None;
        }
        let (first, mut rest) = path.split_first()?;
        let mut current = match &first[..] {
            "crate" => self.root(from),
            "self" => from,
            "super" => {
                let mut current = self.modules[from].parent?;
                while let Some(("super", after)) = rest.split_first().map(|(first, after)| (&first[..], after)) {
                    (current, rest) = (self.modules[current].parent?, after);
                }
                current
            }
            name => match self.modules[from].children.get(name) {
                Some(&child) => child,
                None if name == LIBRARY => self.modules.iter().position(|module| module.path == [LIBRARY])?,
                None => {
                    let import = self.modules[from].imports.iter().find(|import| import.name == name)?;
                    let whole = [&import.path[..], rest].concat();
                    return if import.path[0] == *name { None } else { self.resolve(from, &whole, depth + 1) };
                }
            },
        };
        for (index, name) in rest.iter().enumerate() {
            let module = &self.modules[current];
            if let Some(&child) = module.children.get(name) {
                current = child;
            } else if let Some(import) = module.imports.iter().find(|import| import.name == *name) {
                let whole = [&import.path[..], &rest[index + 1..]].concat();
                return self.resolve(current, &whole, depth + 1);
            } else {
                return Some(self.through_globs(current, name, depth).unwrap_or(current));
            }
        }
        Some(current)
    }

    /// The module from which a glob import of this one brings a name.
    fn through_globs(&self, module: usize, name: &str, depth: usize) -> Option<usize> {
        if self.modules[module].defines.contains(name) {
            return None;
        }
        let globs = self.modules[module].imports.iter().filter(|import| import.name == "*");
        let mut targets = globs.filter_map(|import| self.resolve(module, &import.path, depth + 1));
        targets.find(|target| self.modules[*target].defines.contains(name))
    }

    fn root(&self, mut module: usize) -> usize {
        while let Some(parent) = self.modules[module].parent {
            module = parent;
        }
        module
    }
}

/// A `mod` without a block: where it stands, and its name behind those of the modules around it.
struct Declared {
    at: usize,
    names: Vec<String>,
}

fn declared(code: &str) -> Vec<Declared> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut around: Vec<(String, usize)> = Vec::new();
    for index in 0..tokens.len().saturating_sub(2) {
        around.retain(|(_, end)| index < *end);
        let [keyword, name, next] = [0, 1, 2].map(|ahead| tokens[index + ahead]);
        if keyword.text != "mod" || !name.is_word() {
            continue;
        }
        match next.text {
            "{" => around.push((name.text.to_owned(), closing(&tokens, index + 2))),
            ";" => {
                let names = around.iter().map(|(name, _)| name.clone()).chain([name.text.to_owned()]).collect();
                found.push(Declared { at: keyword.at, names });
            }
            _ => {}
        }
    }
    found
}

/// The path in the attribute `#[path = "…"]` that stands before a declaration.
fn attribute_path<'a>(text: &'a str, code: &str, at: usize) -> Option<&'a str> {
    let start = code[..at].rfind([';', '{', '}']).map_or(0, |end| end + 1);
    let attribute = start + code[start..at].find("path =")?;
    text[attribute..at].split('"').nth(1)
}

/// The file of a module that another file declares.
fn place_of(texts: &BTreeMap<String, String>, file: &str, names: &[String], path: Option<&str>) -> Option<String> {
    let (dir, name) = file.rsplit_once('/').unwrap_or(("", file));
    if let Some(path) = path {
        let mut parts: Vec<&str> = dir.split('/').collect();
        for part in path.split('/') {
            if part == ".." {
                parts.pop();
            } else {
                parts.push(part);
            }
        }
        return Some(parts.join("/")).filter(|place| texts.contains_key(place));
    }
    let dir = match name {
        "lib.rs" | "main.rs" | "mod.rs" => dir.to_owned(),
        _ => format!("{dir}/{}", name.trim_end_matches(".rs")),
    };
    let place = format!("{dir}/{}", names.join("/"));
    [format!("{place}.rs"), format!("{place}/mod.rs")].into_iter().find(|place| texts.contains_key(place))
}

/// The path that begins at a token.
fn path_at(tokens: &[Token<'_>], start: usize) -> Vec<String> {
    let mut path = vec![tokens[start].text.to_owned()];
    let mut index = start + 1;
    while index + 1 < tokens.len() && tokens[index].text == "::" && tokens[index + 1].is_word() {
        path.push(tokens[index + 1].text.to_owned());
        index += 2;
    }
    path
}

/// The imports of a `use` whose tree begins at a token, each with where it stands, and the index of its last token.
fn imports(tokens: &[Token<'_>], start: usize) -> (Vec<(Import, usize)>, usize) {
    let end = (start..tokens.len()).find(|index| tokens[*index].text == ";").unwrap_or(tokens.len() - 1);
    let mut found = Vec::new();
    import_tree(&tokens[start..end], &[], &mut found);
    (found, end)
}

fn import_tree(tree: &[Token<'_>], prefix: &[String], found: &mut Vec<(Import, usize)>) {
    let mut path = prefix.to_vec();
    let mut index = 0;
    while index < tree.len() && tree[index].is_word() && tree[index].text != "as" {
        path.push(tree[index].text.to_owned());
        index += 1 + usize::from(tree.get(index + 1).is_some_and(|token| token.text == "::"));
    }
    let at = tree.first().map_or(0, |token| token.at);
    match tree.get(index).map(|token| token.text) {
        Some("::") => import_tree(&tree[index + 1..], &path, found),
        Some("*") => found.push((Import { name: "*".to_owned(), path }, at)),
        Some("{") => {
            let inner = &tree[index + 1..closing(tree, index)];
            let mut depth = 0;
            let parts = inner.split(|token| {
                match token.text {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                depth == 0 && token.text == ","
            });
            parts.filter(|part| !part.is_empty()).for_each(|part| import_tree(part, &path, found));
        }
        renamed => {
            if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                path.pop();
            }
            let alias = renamed.and_then(|_| tree.get(index + 1)).map(|token| token.text.to_owned());
            let Some(name) = alias.or_else(|| path.last().cloned()) else { return };
            found.push((Import { name, path }, at));
        }
    }
}
