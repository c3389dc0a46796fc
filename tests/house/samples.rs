//! Small texts that break each rule, and texts that look as if they did.

use crate::code::{code_of, test_ranges, without};
use crate::rules::{Rule, offences};
use crate::tree::Tree;

/// What the rules say to these files: each rule, its key and the line. Every file begins with its `//!` line.
fn found(files: &[(&str, &str)]) -> Vec<(Rule, String, usize)> {
    let texts = files.iter().map(|(file, text)| ((*file).to_owned(), format!("//! It owns this.\n{text}"))).collect();
    let offences = offences(&Tree::new(&texts));
    offences.into_iter().map(|offence| (offence.rule, offence.key, offence.line)).collect()
}

/// What the rules say to a file `src/hub/mod.rs` with this text.
fn found_in(text: &str) -> Vec<(Rule, String, usize)> {
    found(&[("src/lib.rs", "pub mod hub;"), ("src/hub/mod.rs", text)])
}

fn shipped(text: &str) -> String {
    let code = code_of(text);
    without(&code, &test_ranges(&code)).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn comments_and_the_contents_of_literals_are_no_code() {
    let hidden = [
        "// x.unwrap()",
        "/* x.unwrap() /* y.unwrap() */ z.unwrap() */",
        "\"x.unwrap() \\\" y.unwrap() \\\\\"",
        "r\"x.unwrap() \\\"",
        "r##\"x.unwrap() \"# y.unwrap()\"##",
        "br#\"x.unwrap()\"#",
        "b\"x.unwrap()\"",
        "\"first line\n x.unwrap()\"",
    ];
    for text in hidden {
        let code = code_of(&format!("{text}\n.after"));
        assert!(!code.contains("unwrap") && code.ends_with("\n.after"), "{text}: {code}");
        assert_eq!(code.lines().count(), text.lines().count() + 1, "{text}");
    }
}

#[test]
fn characters_lifetimes_and_raw_names_do_not_open_a_literal() {
    for text in
        ["'\"'.x", "'\\''.x", "'\\u{22}'.x", "b'\"'.x", "'李'.x", "fn f<'a>(x: &'a str).x", "r#match.x", "for.x"]
    {
        assert!(code_of(text).ends_with(".x"), "{text}: {}", code_of(text));
    }
    assert_eq!(code_of("bar\"x\".y"), "bar   .y", "a word that ends in r opens no raw string");
    assert_eq!(code_of("br\"\\\".y"), "b    .y", "but a byte string may be raw");
}

#[test]
fn only_the_item_under_the_attribute_is_test_code() {
    let removed = [
        "#[cfg(test)] mod tests;",
        "#[cfg(test)] mod tests { fn f() { { } } }",
        "#[cfg(test)] use a::{b, c::{d}};",
        "#[cfg(test)] pub(crate) use a::{b};",
        "#[cfg(test)] fn f<T: X>(a: [u8; 3]) -> T where T: Y { a; b }",
        "#[cfg(test)] pub const fn f() {}",
        "#[cfg(test)] const A: B = B { c: 1 };",
        "#[cfg(test)] pub(in crate::x) static A: [u8; 2] = [1, 2];",
        "#[cfg(test)] struct A(u8, u8);",
        "#[cfg(test)] struct A { b: u8 }",
        "#[cfg(test)] impl A for B { fn f() {} }",
        "#[cfg(test)] macro_rules! m { () => {} }",
        "#[cfg(test)] thread_local! { static A: u8 = 1; }",
        "#[cfg(all(test, feature = \"ws\"))] mod tests;",
        "#[cfg(any(test, all(test, unix)))] mod tests;",
        "#[allow(dead_code)] #[cfg(test)] #[path = \"x.rs\"] mod tests;",
        "#[cfg(test)]\n/// Says what it does.\n#[derive(Debug)]\nstruct A;",
        "#[test] fn f() {}",
    ];
    for text in removed {
        assert_eq!(shipped(&format!("before(); {text} fn after() {{}}")), "before(); fn after() {}", "{text}");
    }
}

#[test]
fn fields_statements_and_arms_under_the_attribute_are_test_code() {
    let removed = [
        ("struct A { #[cfg(test)] b: X<u8, u8>, c: u8 }", "struct A { c: u8 }"),
        ("struct A { c: u8, #[cfg(test)] b: u8 }", "struct A { c: u8, }"),
        ("A { #[cfg(test)] b: B { c: 1 }, d }", "A { d }"),
        ("{ #[cfg(test)] let x = { 1 }; y() }", "{ y() }"),
        ("{ #[cfg(test)] { x(); } y() }", "{ y() }"),
        ("{ #[cfg(test)] x.y(|z| { z }).w(); y() }", "{ y() }"),
        ("match x { #[cfg(test)] A { b } => { c } D => e }", "match x { D => e }"),
        ("match x { #[cfg(test)] A => b(c, d), D => e }", "match x { D => e }"),
    ];
    for (text, rest) in removed {
        assert_eq!(shipped(text), rest, "{text}");
    }
}

#[test]
fn what_is_compiled_without_tests_as_well_is_shipped() {
    for text in [
        "#[cfg(not(test))] mod a;",
        "#[cfg(any(test, feature))] mod a;",
        "#[cfg(feature)] mod a;",
        "#[cfg_attr(test, derive(Debug))] struct A;",
        "#[testing] fn f() {}",
    ] {
        assert_eq!(shipped(text).replace(' ', ""), text.replace(' ', ""));
    }
    assert_eq!(shipped("#![cfg(test)]\nfn f() {}"), "");
}

#[test]
fn code_behind_a_module_of_tests_at_the_top_is_seen() {
    let files = [
        ("src/lib.rs", "mod hub;"),
        ("src/hub/mod.rs", "#[cfg(test)]\nmod tests;\nmod a;\nfn f() { x.unwrap() }"),
        ("src/hub/tests.rs", "mod deep; fn g() { x.unwrap() }"),
        ("src/hub/tests/deep.rs", "use crate::server::S; fn g() { x.unwrap() }"),
        ("src/hub/a.rs", "fn f() {}\n#[cfg(test)] mod tests { fn g() { x.unwrap() } }\nfn h() { todo!() }"),
    ];
    let expected = [(Rule::Forbidden, "src/hub/a.rs".to_owned(), 4), (Rule::Forbidden, "src/hub/mod.rs".to_owned(), 5)];
    assert_eq!(found(&files), expected);
}

#[test]
fn each_forbidden_word_is_found_in_code_alone() {
    for word in ["x.unwrap()", "x\n    .unwrap ()", "todo!()", "unimplemented!()", "dbg!(x)"] {
        let found = found_in(&format!("fn f() {{ {word}; }}"));
        assert!(matches!(&found[..], [(Rule::Forbidden, ..)]), "{word}: {found:?}");
    }
    assert_eq!(found_in("fn f() { x.unwrap_or_default(); todo(); x.expect(\"it is .unwrap()\"); }"), []);
}

#[test]
fn unsafe_code_is_found_but_for_the_one_block_that_may_be() {
    let found_at =
        |file: &str, text: &str| found(&[(file, text)]).into_iter().filter(|(rule, ..)| *rule == Rule::Unsafe).count();
    for text in ["fn f() { unsafe { g() } }", "unsafe fn f() {}", "unsafe impl A for B {}"] {
        assert_eq!(found_at("src/lib.rs", text), 1, "{text}");
    }
    let twice = "fn f() { unsafe { g() } unsafe { h() } }";
    let files = [("src/bin/cubbyd/main.rs", "mod allocator;"), ("src/bin/cubbyd/allocator.rs", twice)];
    assert_eq!(found(&files), [(Rule::Unsafe, "src/bin/cubbyd/allocator.rs".to_owned(), 2)]);
    assert_eq!(found_at("src/lib.rs", "#![forbid(unsafe_code)]"), 0);
}

#[test]
fn mio_is_found_in_any_form() {
    for text in ["use mio::net;", "use mio;", "use mio as m;", "fn f() -> mio::Token {}"] {
        let found = found_in(text);
        assert!(matches!(&found[..], [(Rule::Mio, ..)]), "{text}: {found:?}");
    }
    assert_eq!(found_in("/// Like `mio::Token`.\nfn f() { mio_os::g() }"), []);
}

#[test]
fn what_is_too_long_or_too_large_is_found() {
    let lines = |count: usize| "    x();\n".repeat(count);
    assert_eq!(found_in(&format!("fn f(\n) {{\n{}}}", lines(57))), []);
    let found = found_in(&format!("fn short() {{}}\nfn f(\n) {{\n{}}}", lines(58)));
    assert_eq!(found, [(Rule::FunctionLength, "f".to_owned(), 3)]);
    let tests = |count: usize| format!("#[cfg(test)] mod tests {{\nfn f() {{\n{}}} }}", lines(count));
    assert_eq!(found_in(&tests(68)), [], "tests may be a little longer");
    assert_eq!(found_in(&tests(69)), [(Rule::FunctionLength, "f".to_owned(), 3)]);
    let fields = |count: usize| "a: B<C>,\n".repeat(count);
    assert_eq!(found_in(&format!("struct A<T: X> {{ {} }}", fields(20))), []);
    let large = found_in(&format!("struct A<T> where T: X {{ {} }}", fields(21)));
    assert_eq!(large, [(Rule::StructSize, "A".to_owned(), 2)]);
    let long = [(Rule::FileLength, "src/hub/mod.rs".to_owned(), 1)];
    assert_eq!(found_in(&"const A: u8 = 1;\n".repeat(450)), long);
    let tests = "#[cfg(test)]\nmod tests {\n    const A: u8 = 1;\n}\n".repeat(60);
    assert_eq!(found_in(&format!("{}{tests}", "const A: u8 = 1;\n".repeat(449))), []);
    let tests = found_in(&"#[cfg(test)] const A: u8 = 1;\n".repeat(700));
    assert_eq!(tests, long, "with its tests a file may be longer, but has an end");
    let wide = found_in(&format!("// {}", "ü".repeat(118)));
    assert_eq!(wide, [(Rule::LineLength, "src/hub/mod.rs".to_owned(), 2)]);
    assert_eq!(found_in(&format!("// {}", "ü".repeat(117))), []);
}

#[test]
fn a_file_without_its_first_line_and_one_that_nothing_declares_are_found() {
    let elsewhere = ("src/bin/cubby/main.rs", "#[path = \"../common/mod.rs\"]\nmod common;");
    assert_eq!(found(&[elsewhere, ("src/bin/common/mod.rs", "fn f() {}")]), [], "a path may lead up");
    let texts = [("src/lib.rs", "mod hub;"), ("src/hub.rs", "//! It owns this."), ("src/lost.rs", "//! This.")];
    let texts = texts.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
    let found: Vec<_> = offences(&Tree::new(&texts)).into_iter().map(|offence| (offence.rule, offence.file)).collect();
    assert_eq!(found, [(Rule::Header, "src/lib.rs".to_owned()), (Rule::Stray, "src/lost.rs".to_owned())]);
}

#[test]
fn features_are_counted_in_the_core_alone() {
    let line = "#[cfg(feature = \"ws\")] const A: u8 = 1;\n";
    assert_eq!(found_in(&line.repeat(14)), []);
    assert_eq!(found_in(&format!("{}#[cfg(all(unix, feature = \"a\"))] use x::y;", line.repeat(14))).len(), 15);
    assert_eq!(found_in(&format!("{}fn f() {{ if cfg!(feature = \"a\") {{}} }}", line.repeat(14))).len(), 15);
    assert_eq!(found_in(&format!("{}#[cfg(test)] mod tests {{ {line} }}", line.repeat(14))), []);
    assert_eq!(found(&[("src/lib.rs", "mod web;"), ("src/web.rs", &line.repeat(15))]), []);
}

/// What is said to one use of the room `server` in the room `hub`.
fn arrow(text: &str) -> Vec<(Rule, String, usize)> {
    let files = [
        ("src/lib.rs", "mod hub; mod server; mod wire; pub use server::Server;"),
        ("src/server/mod.rs", "pub mod deep; pub use deep::Deep; pub struct Server;"),
        ("src/server/deep.rs", "pub struct Deep;"),
        ("src/wire.rs", "pub struct Frame;"),
        ("src/hub/mod.rs", "mod inner; pub use crate::wire::Frame;"),
        ("src/hub/inner.rs", text),
    ];
    found(&files)
}

#[test]
fn an_arrow_up_is_found_in_every_form() {
    for text in [
        "use crate::server::Server;",
        "use crate::server;",
        "use crate::Server;",
        "use crate::{wire::Frame, server::{Server, deep::Deep}};",
        "use super::super::server::Server as Other;",
        "use super::super::server::*;",
        "use crate::wire::Frame; fn f() -> crate::server::Server {}",
        "fn f() { $crate::server::g() }",
        "fn f() { use crate::server::deep; }",
        "mod more { use super::super::super::server::Server; }",
        "use crate::server as down; fn f() { down::deep::g() }",
    ] {
        let found = arrow(text);
        let is_arrow =
            |(rule, key, line): &(Rule, String, usize)| *rule == Rule::Arrow && key == "hub → server" && *line == 2;
        assert!(!found.is_empty() && found.iter().all(is_arrow), "{text}: {found:?}");
    }
}

#[test]
fn arrows_down_and_what_only_looks_like_one_are_fine() {
    for text in [
        "use crate::wire::Frame;",
        "use super::Frame;",
        "use super::super::wire;",
        "/// See [`Server`](crate::server::Server).\nfn f() {}",
        "fn f() -> &'static str { \"crate::server::Server\" }",
        "#[cfg(test)] use crate::server::Server;",
        "use server::Server;",
        "use std::{io, server::Server};",
        "fn f(server: u8) { server::<u8>(); }",
    ] {
        assert_eq!(arrow(text), [], "{text}");
    }
}

#[test]
fn a_program_may_use_only_its_own_half_of_the_library() {
    let library = ("src/lib.rs", "mod client; mod server; pub use server::Server; pub use client::Client;");
    let (client, server) = (("src/client.rs", "pub struct Client;"), ("src/server.rs", "pub struct Server;"));
    let main = ("src/bin/cubby/main.rs", "use cubby::{Client, Server};");
    assert_eq!(found(&[library, client, server, main]), [(Rule::Arrow, "bin/cubby → server".to_owned(), 2)]);
    let main = ("src/bin/cubbyd/main.rs", "fn f() { cubby::Client::new(); cubby::Server::new() }");
    assert_eq!(found(&[library, client, server, main]), [(Rule::Arrow, "bin/cubbyd → client".to_owned(), 2)]);
}

/// What is said to three files of a room.
fn circle(a: &str, b: &str, c: &str) -> Vec<(Rule, String, usize)> {
    let root = ("src/hub/mod.rs", "mod a; mod b; mod c; pub use a::A; pub struct Hub;");
    let files = [("src/lib.rs", "mod hub;"), root, ("src/hub/a.rs", a), ("src/hub/b.rs", b), ("src/hub/c.rs", c)];
    found(&files)
}

#[test]
fn a_circle_between_siblings_is_found_directly_and_by_way_of_others() {
    let key = "hub: a b".to_owned();
    let both = [(Rule::Circle, key.clone(), 2), (Rule::Circle, key, 2)];
    assert_eq!(circle("use super::b::B;", "use super::a::A;", ""), both);
    assert_eq!(circle("use super::b::B;", "use super::A;", ""), both, "by way of what the parent exports");
    assert_eq!(circle("use crate::hub::b;", "fn f() { super::a::f() }", ""), both);
    assert_eq!(circle("use super::b;", "use super::c;", "use super::a;").len(), 3);
    let within = ("src/hub/a/mod.rs", "mod deep;");
    let files = [("src/lib.rs", "mod hub;"), ("src/hub/mod.rs", "mod a; mod b;"), within];
    let rest = [("src/hub/a/deep.rs", "use crate::hub::b::B;"), ("src/hub/b.rs", "use super::a::A;")];
    assert_eq!(found(&[&files[..], &rest].concat()).len(), 2, "what is in a module counts as its own");
}

#[test]
fn what_a_module_and_its_parent_have_of_each_other_is_no_circle() {
    assert_eq!(circle("use super::Hub;", "use super::a; use super::Hub;", "use super::{a, b};"), []);
    assert_eq!(circle("use super::b;\n#[cfg(test)] mod tests { use super::*; }", "#[cfg(test)] use super::a;", ""), []);
}
