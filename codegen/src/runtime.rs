//! The runtime under another name, for crates that rename it or get it from another.

use proc_macro2::{Group, TokenStream, TokenTree};

use crate::names;

/// Returns tokens in which each path that starts with `::zsvc` starts with another path instead.
pub(crate) fn renamed(tokens: TokenStream, path: &TokenStream) -> TokenStream {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut out = TokenStream::new();
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        if starts_with_runtime(&trees[at..]) && !goes_on(at.checked_sub(1).map(|last| &trees[last])) {
            out.extend(path.clone());
            at += 3;
            continue;
        }
        match tree {
            TokenTree::Group(group) => {
                let mut inside = Group::new(group.delimiter(), renamed(group.stream(), path));
                inside.set_span(group.span());
                out.extend([TokenTree::Group(inside)]);
            }
            tree => out.extend([tree.clone()]),
        }
        at += 1;
    }
    out
}

/// Reports whether `::zsvc::` stands here.
fn starts_with_runtime(trees: &[TokenTree]) -> bool {
    let is_colon = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ':');
    matches!(trees, [one, two, TokenTree::Ident(name), three, four, ..]
        if name == "zsvc" && [one, two, three, four].into_iter().all(is_colon))
}

/// Reports whether a path that starts with `::` goes on after a token: after a name that is no keyword, a module `zsvc` of a
/// package is meant.
fn goes_on(before: Option<&TokenTree>) -> bool {
    matches!(before, Some(TokenTree::Ident(name)) if !names::is_keyword(&name.to_string()))
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn the_runtime_is_renamed_and_modules_of_that_name_are_not() {
        let tokens = quote! {
            use ::zsvc::generated as wire;
            impl ::zsvc::Service for super::zsvc::v1::S { fn zsvc(&self) -> Option<::zsvc::Bytes> { <T as S>::zsvc(self) } }
            r#type::zsvc::made(::zsvc);
        };
        let expected = quote! {
            use ::acme::zsvc::generated as wire;
            impl ::acme::zsvc::Service for super::zsvc::v1::S { fn zsvc(&self) -> Option<::acme::zsvc::Bytes> { <T as S>::zsvc(self) } }
            r#type::zsvc::made(::zsvc);
        };
        assert_eq!(renamed(tokens, &quote!(::acme::zsvc)).to_string(), expected.to_string());
    }
}
