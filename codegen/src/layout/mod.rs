//! Prints tokens as readable text: as `rustfmt` would lay them out, or nearly.
//!
//! Supports what this crate emits and no more, which makes it many times faster than a parser and printer for all of Rust:
//! a schema of ten thousand types is some ten million tokens. `flatten` puts them on one line, with spaces by the rules of
//! `spacing`; `print` breaks that line where it is too long, or where a line must end.
//!
//! **The text holds the given tokens, in order**, except for the comma after the last element of a list, which is present
//! if the list takes several lines. A form that no rule here covers looks odd and still compiles.

mod flatten;
mod print;
mod spacing;
mod tokens;

use proc_macro2::TokenStream;

/// Width of a line in characters, if there is a place to break it.
const WIDTH: usize = 100;

/// Width of one level of indentation in spaces.
const INDENT: usize = 4;

/// Appends items, or the start of one, to `text`: each on a line of its own, indented by `depth` levels.
pub(crate) fn print(items: TokenStream, depth: usize, text: &mut String) {
    print::items(&flatten::flatten(items), depth * INDENT, text);
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn printed(items: TokenStream) -> String {
        let mut text = String::new();
        print(items, 0, &mut text);
        text
    }

    fn check(items: TokenStream, expected: &[&str]) {
        assert_eq!(printed(items).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn paths_generics_and_references() {
        check(
            quote!(
                impl<'de, T: ::core::marker::Copy + 'static> super::Read<'de> for &'de mut [T; 2] {}
            ),
            &["impl<'de, T: ::core::marker::Copy + 'static> super::Read<'de> for &'de mut [T; 2] {}"],
        );
        check(
            quote!(
                type A = fn(u8) -> ::std::vec::Vec<::std::vec::Vec<(u8,)>>;
            ),
            &["type A = fn(u8) -> ::std::vec::Vec<::std::vec::Vec<(u8,)>>;"],
        );
    }

    #[test]
    fn expressions() {
        check(
            quote!(const A: X = <B as C<_>>::d::<E, _>(&f, -1..=3, 2.., || g[0]?, |()| Self { h, i: *j, })),
            &["const A: X = <B as C<_>>::d::<E, _>(&f, -1..=3, 2.., || g[0]?, |()| Self { h, i: *j })"],
        );
        check(quote!(let a = b - c;), &["let a = b - c;"]);
        check(
            quote!(
                type A = <B<C> as D>::E;
            ),
            &["type A = <B<C> as D>::E;"],
        );
    }

    #[test]
    fn a_body_is_broken_and_an_empty_one_is_not() {
        check(
            quote! {
                #[must_use]
                fn a(self, b: B) -> C { let d = e!(b, "{}"); if let Some(f) = d { g(f)?; } match self { A { .. } => 1, 2 => { 3 } _ => {} } }
                fn h() {}
            },
            &[
                "#[must_use]",
                "fn a(self, b: B) -> C {",
                "    let d = e!(b, \"{}\");",
                "    if let Some(f) = d {",
                "        g(f)?;",
                "    }",
                "    match self {",
                "        A { .. } => 1,",
                "        2 => {",
                "            3",
                "        }",
                "        _ => {}",
                "    }",
                "}",
                "",
                "fn h() {}",
            ],
        );
    }

    #[test]
    fn docs_are_comments_whatever_they_hold() {
        check(
            quote! {
                #[doc = " \"a\" \\ 'b' \u{e9} */ ///"]
                #[doc = ""]
                struct A { #[doc = " c"] pub b: C, }
            },
            &["/// \"a\" \\ 'b' \u{e9} */ ///", "///", "struct A {", "    /// c", "    pub b: C,", "}"],
        );
        check(
            quote!(
                #[doc = "/ no"]
                struct A;
            ),
            &["#[doc = \"/ no\"]", "struct A;"],
        );
        check(
            quote!(
                #[doc = "a\nb"]
                struct A;
            ),
            &["#[doc = \"a\\nb\"]", "struct A;"],
        );
    }

    #[test]
    fn long_lists_stand_one_below_the_other() {
        let name = quote::format_ident!("a{}", "b".repeat(40));
        check(
            quote!(fn f(&self, #name: X, y: #name) -> Z;),
            &["fn f(", "    &self,", &format!("    {name}: X,"), &format!("    y: {name},"), ") -> Z;"],
        );
        check(
            quote!(fn f() -> impl A<B = #name<C, #name>> + D;),
            &["fn f() -> impl A<", &format!("    B = {name}<C, {name}>,"), "> + D;"],
        );
        check(
            quote!(fn f() { self.a::<_, B>(&#name, &C { #name }) }),
            &[
                "fn f() {",
                "    self.a::<_, B>(",
                &format!("        &{name},"),
                &format!("        &C {{ {name} }},"),
                "    )",
                "}",
            ],
        );
        check(
            quote!(fn f() { Ok(Self { #name: a, c: #name }) }),
            &[
                "fn f() {",
                "    Ok(Self {",
                &format!("        {name}: a,"),
                &format!("        c: {name},"),
                "    })",
                "}",
            ],
        );
    }

    #[test]
    fn bounds_go_on_below_the_first_or_behind_its_brackets() {
        let name = quote::format_ident!("a{}", "b".repeat(75));
        check(quote!(fn f() -> impl A<B = #name> + D;), &[&format!("fn f() -> impl A<B = {name}>"), "+ D;"]);
        check(
            quote!(fn f() -> impl A + B { #name }),
            &["fn f() -> impl A + B {", &format!("    {name}"), "}"],
        );
    }

    #[test]
    fn a_long_value_has_a_line_of_its_own() {
        let name = quote::format_ident!("a{}", "b".repeat(60));
        check(
            quote!(fn f() { let (#name, c) = d.e::<#name>()?; let a = B { #name, #name: 1 }; }),
            &[
                "fn f() {",
                &format!("    let ({name}, c) ="),
                &format!("        d.e::<{name}>()?;"),
                "    let a = B {",
                &format!("        {name},"),
                &format!("        {name}: 1,"),
                "    };",
                "}",
            ],
        );
    }

    #[test]
    fn an_await_follows_a_call_of_several_lines_on_a_line_of_its_own() {
        let name = quote::format_ident!("a{}", "b".repeat(60));
        check(
            quote!(fn f() { g(#name, #name).await }),
            &[
                "fn f() {",
                "    g(",
                &format!("        {name},"),
                &format!("        {name},"),
                "    )",
                "    .await",
                "}",
            ],
        );
    }

    #[test]
    fn constants_without_docs_stand_together() {
        check(
            quote!(
                pub(super) const A: u8 = 1;
                pub(super) const B: u8 = 2;
                #[doc = " c"]
                pub const C: u8 = 3;
            ),
            &[
                "pub(super) const A: u8 = 1;",
                "pub(super) const B: u8 = 2;",
                "",
                "/// c",
                "pub const C: u8 = 3;",
            ],
        );
    }

    #[test]
    fn long_chains_stand_one_below_the_other() {
        let name = quote::format_ident!("a{}", "b".repeat(60));
        check(
            quote!(static A: B = [A::new(#name, C).d(1).e_is_long_enough_to_break(), A::new(B)];),
            &[
                "static A: B = [",
                &format!("    A::new({name}, C)"),
                "        .d(1)",
                "        .e_is_long_enough_to_break(),",
                "    A::new(B),",
                "];",
            ],
        );
    }

    #[test]
    fn closures_start_where_they_are_called() {
        check(
            quote!(
                fn f() {
                    call.unary::<A, _>(move |b, c| async move { d(b, c).await })
                }
            ),
            &[
                "fn f() {",
                "    call.unary::<A, _>(move |b, c| async move {",
                "        d(b, c).await",
                "    })",
                "}",
            ],
        );
    }

    #[test]
    fn what_looks_odd_still_holds_all_tokens() {
        for odd in [
            quote!(
                const A: bool = a < b && c > d;
            ),
            quote!(
                fn f()
                where
                    A: B,
                    C: D,
                {
                    while a || b {}
                }
            ),
            quote!(
                type A = [u8; { 1 + 2 }];
            ),
            quote!(m! { ($a:expr, $($b:tt),*) => { $a } }),
            quote!(const A: bool = a >= b & !c | -d == *e;),
            quote!(
                type A = B<{ c }, [d; e]>;
            ),
        ] {
            let text = printed(odd.clone());
            let read: TokenStream = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
            let squeezed = |tokens: &TokenStream| tokens.to_string().replace([' ', '\n'], "");
            assert_eq!(squeezed(&read), squeezed(&odd));
        }
    }
}
