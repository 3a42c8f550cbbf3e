//! What an editor is told of files: what names mean, in right and in wrong files, and that what is unchanged is the same.

mod support;

use support::Folder;
use support::files::files;
use zsvc_idl::analysis::{Analysis, Analyzer, DefinitionKind};
use zsvc_idl::lint::Levels;
use zsvc_idl::{Loader, compile_with};

const TEXT: &str = r#"package shop.v1;

import "money.svc" as money;
import "stock.svc";

/// The most.
const MOST: u32 = 5;
type Name = string;
/// A side.
enum Side { Buy = 0; Sell = 1; }
struct Order {
    /// Who orders.
    name: Name = 1;
    @default(Buy) side: Side = 2;
    @default(Side.Sell) other: Side = 4;
    @range(1..=MOST) count: u32 = 5;
    price: money.Amount? = 6;
    kinds: map<string, list<stock.v1.Kind>> = 7;
    @default(money.Coin.Penny) coin: money.Coin = 8;
}
error Failure { @message("no {name} {{name}} {name}") Unknown { name: string = 1; } = 1; Halted = 3; }
service Shop {
    rpc order(@len(1..=MOST) name: Name, orders: stream Order) -> Order throws Failure;
}
//--- money.svc
package money;
struct Amount { units: i64 = 1; }
enum Coin { Penny = 0; }
//--- stock.svc
package stock.v1;
enum Kind { Unset = 0; }
"#;

fn analyzed(analyzer: &mut Analyzer, loader: &dyn Loader, file: &str) -> Analysis {
    analyzer.analyze(loader, &[file.to_owned()], &[], &Levels::of_check())
}

/// Returns the uses of the named files as `line: text -> kind name`.
fn uses(analysis: &Analysis) -> Vec<String> {
    let lines = analysis.index.uses.iter().map(|used| {
        let definition = analysis.index.definition(used.definition);
        let (line, text) = (analysis.sources.location(used.span).line, analysis.sources.text(used.span));
        format!("{line}: {text} -> {} {}", definition.kind.described(), definition.name)
    });
    lines.collect()
}

#[test]
fn every_name_leads_to_what_it_means() {
    let analysis = analyzed(&mut Analyzer::default(), &files("shop.svc", TEXT.as_bytes()), "shop.svc");
    assert!(analysis.diagnostics.is_empty(), "{:?}", analysis.diagnostics);
    assert_eq!(
        uses(&analysis),
        [
            "13: Name -> alias Name",
            "14: Buy -> value Buy",
            "14: Side -> enum Side",
            "15: Side -> enum Side",
            "15: Sell -> value Sell",
            "15: Side -> enum Side",
            "16: MOST -> constant MOST",
            "17: money -> import money",
            "17: Amount -> struct Amount",
            "18: stock.v1 -> package stock.v1",
            "18: Kind -> enum Kind",
            "19: money -> import money",
            "19: Coin -> enum Coin",
            "19: Penny -> value Penny",
            "19: money -> import money",
            "19: Coin -> enum Coin",
            "21: name -> field name",
            "21: name -> field name",
            "23: MOST -> constant MOST",
            "23: Name -> alias Name",
            "23: Order -> struct Order",
            "23: Order -> struct Order",
            "23: Failure -> error Failure",
        ]
    );
}

#[test]
fn definitions_know_where_they_are() {
    let analysis = analyzed(&mut Analyzer::default(), &files("shop.svc", TEXT.as_bytes()), "shop.svc");
    let index = &analysis.index;
    let find = |name: &str, kind: DefinitionKind| {
        let found = index.definitions.iter().position(|it| it.name == name && it.kind == kind);
        zsvc_idl::analysis::DefinitionId(found.expect("a definition"))
    };
    let order = find("Order", DefinitionKind::Struct);
    assert_eq!(index.definition(order).free_number, Some(9), "a gap is not free");
    let failure = find("Failure", DefinitionKind::Error);
    assert_eq!(index.definition(failure).free_number, Some(4));
    assert_eq!(index.definition(find("Unknown", DefinitionKind::Variant)).container, Some(failure));
    let members: Vec<&str> = index.members(order).map(|(_, member)| member.name.as_str()).collect();
    assert_eq!(members, ["name", "side", "other", "count", "price", "kinds", "coin"]);
    assert_eq!(index.definition(find("MOST", DefinitionKind::Constant)).docs, "The most.");
    let prefixes: Vec<&str> = index.visible.iter().map(|visible| visible.prefix.as_str()).collect();
    assert_eq!(prefixes, ["", "money.", "stock.v1."]);
    assert_eq!(index.imports.len(), 2);
    assert!(index.imports.iter().all(|import| import.target.is_some()));
    let kind = TEXT.find("Kind>>").expect("a use");
    let file = analysis.sources.files().iter().position(|file| file.path() == "shop.svc").expect("the file");
    let file = zsvc_idl::source::FileId(u32::try_from(file).expect("few files"));
    for byte in [kind, kind + 2, kind + 4] {
        let (id, span) = index.at(file, u32::try_from(byte).expect("a short text")).expect("a name");
        assert_eq!((index.definition(id).name.as_str(), analysis.sources.text(span)), ("Kind", "Kind"));
    }
}

const NESTED: &str = r#"package shop.v1;
import "money.svc" as money;
import "stock.svc";
struct Order {
    enum Side { Buy = 0; Sell = 1; }
    union Kind { struct Limit { side: Side = 1; order: Order.Kind? = 2; } Limit: Limit = 1; }
    @default(Side.Sell) side: Side = 1;
    kind: Kind = 2;
}
struct Other {
    @default(Order.Side.Buy) side: Order.Side = 1;
    limit: shop.v1.Order.Kind.Limit = 2;
    coin: money.Amount.Coin = 3;
    kind: list<stock.v1.Item.Kind> = 4;
}
//--- money.svc
package money;
struct Amount { enum Coin { Penny = 0; } coin: Coin = 1; }
//--- stock.svc
package stock.v1;
struct Item { enum Kind { Unset = 0; } kind: Kind = 1; }
"#;

#[test]
fn each_word_of_a_name_inside_of_others_is_a_use() {
    let analysis = analyzed(&mut Analyzer::default(), &files("shop.svc", NESTED.as_bytes()), "shop.svc");
    assert!(analysis.diagnostics.is_empty(), "{:?}", analysis.diagnostics);
    let uses = analysis.index.uses.iter().map(|used| {
        let definition = analysis.index.definition(used.definition);
        let (line, text) = (analysis.sources.location(used.span).line, analysis.sources.text(used.span));
        format!("{line}: {text} -> {}", definition.full_name)
    });
    assert_eq!(
        uses.collect::<Vec<_>>(),
        [
            "6: Side -> Order.Side",
            "6: Order -> Order",
            "6: Kind -> Order.Kind",
            "6: Limit -> Order.Kind.Limit",
            "7: Side -> Order.Side",
            "7: Sell -> Sell",
            "7: Side -> Order.Side",
            "8: Kind -> Order.Kind",
            "11: Order -> Order",
            "11: Side -> Order.Side",
            "11: Buy -> Buy",
            "11: Order -> Order",
            "11: Side -> Order.Side",
            "12: shop.v1 -> shop.v1",
            "12: Order -> Order",
            "12: Kind -> Order.Kind",
            "12: Limit -> Order.Kind.Limit",
            "13: money -> money",
            "13: Amount -> Amount",
            "13: Coin -> Amount.Coin",
            "14: stock.v1 -> stock.v1",
            "14: Item -> Item",
            "14: Kind -> Item.Kind",
        ]
    );
    let index = &analysis.index;
    let named = |name: &str| index.definitions.iter().find(|it| it.full_name == name).expect("a definition");
    let around = |name: &str| named(name).container.map(|id| index.definition(id).full_name.as_str());
    assert_eq!(around("Order.Kind.Limit"), Some("Order.Kind"));
    assert_eq!(around("Order"), None);
    assert_eq!(named("Order").free_number, Some(3));
    let visible = index.visible.iter().flat_map(|visible| {
        let all = visible.definitions.iter();
        all.map(|id| visible.prefix.clone() + &index.definition(*id).full_name)
    });
    assert_eq!(
        visible.collect::<Vec<_>>(),
        [
            "Order",
            "Order.Side",
            "Order.Kind",
            "Order.Kind.Limit",
            "Other",
            "money.Amount",
            "money.Amount.Coin",
            "stock.v1.Item",
            "stock.v1.Item.Kind",
        ]
    );
}

#[test]
fn names_are_known_in_files_with_mistakes() {
    let text = TEXT
        .replace("price: money.Amount? = 6;", "price: money.Amount? = ")
        .replace("Failure;\n", "Failre\n");
    let analysis = analyzed(&mut Analyzer::default(), &files("shop.svc", text.as_bytes()), "shop.svc");
    assert!(!analysis.diagnostics.is_empty());
    let found = uses(&analysis);
    for expected in ["13: Name -> alias Name", "19: Penny -> value Penny", "14: Buy -> value Buy"] {
        assert!(found.iter().any(|found| found == expected), "{expected} is not in {found:#?}");
    }
}

#[test]
fn a_second_look_tells_the_same_as_the_first() {
    let mut analyzer = Analyzer::default();
    let changed = TEXT.replace("Order throws", "Oder throws").replace("kinds: map<", "kinds: mp<");
    let moved = TEXT.replacen(
        "import \"money.svc\" as money;\nimport \"stock.svc\";",
        "import \"stock.svc\";\nimport \"money.svc\" as money;",
        1,
    );
    let broken = TEXT.replace("enum Coin {", "enm Coin {").replace("struct Order {", "struct Order");
    for text in [TEXT, &changed, TEXT, &moved, &broken, "\u{201c}\u{200b}package", &broken, TEXT] {
        let loader = files("shop.svc", text.as_bytes());
        let again = analyzed(&mut analyzer, &loader, "shop.svc");
        let whole = compile_with(&loader, &["shop.svc".to_owned()], &[], &Levels::of_check());
        assert_eq!(again.diagnostics, whole.diagnostics, "{text}");
        assert_eq!(uses(&again), uses(&analyzed(&mut Analyzer::default(), &loader, "shop.svc")), "{text}");
    }
}

#[test]
fn no_file_of_the_repository_is_too_odd() {
    for folder in ["idl/tests/cases", "idl/tests/found"] {
        let loader = Folder::of_repository(folder);
        for entry in std::fs::read_dir(support::repository().join(folder)).expect("the folder is there") {
            let name = entry.expect("a readable entry").file_name().into_string().expect("a name in UTF-8");
            let Ok(bytes) = loader.load(&name) else { continue };
            let analysis = analyzed(&mut Analyzer::default(), &files(&name, &bytes), &name);
            for used in &analysis.index.uses {
                assert!(!analysis.sources.text(used.span).is_empty(), "{name}: {used:?}");
            }
            for (index, file) in analysis.sources.files().iter().enumerate() {
                let id = zsvc_idl::source::FileId(u32::try_from(index).expect("few files"));
                let extents = zsvc_idl::analysis::Extents::of(file.text());
                for (_, definition) in analysis.index.declared_in(id) {
                    let extent = extents.at(definition.span.start as usize);
                    assert!(extent.whole.start <= definition.span.start as usize, "{name}: {definition:?}");
                    assert!(
                        extent.whole.end >= definition.span.end as usize,
                        "{name}: {definition:?} {extent:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_position_of_a_text_has_a_cursor() {
    for text in [TEXT, "}}}{{@a(@b{=<>:.;", "\"", "@", "a.b.\u{4f60}.c", "rpc (", "service S { rpc a(@len("] {
        for (byte, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let cursor = zsvc_idl::analysis::cursor::cursor(text, byte);
            assert!(
                cursor.typed.end == byte && text.get(cursor.typed.clone()).is_some(),
                "{byte}: {cursor:?}"
            );
        }
    }
}

#[test]
fn what_a_service_extends_leads_to_the_service() {
    let text = "package a.v1;\nimport \"b.svc\" as b;\nservice A extends B, b.C {}\nservice B {}\n\
                //--- b.svc\npackage b.v1;\nservice C {}\n";
    let analysis = analyzed(&mut Analyzer::default(), &files("a.svc", text.as_bytes()), "a.svc");
    assert_eq!(uses(&analysis), ["3: B -> service B", "3: b -> import b", "3: C -> service C"]);
}
