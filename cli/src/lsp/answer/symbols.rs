//! The outline of a file: its declarations, and the members of each.

use ls_types::{DocumentSymbol, SymbolKind, SymbolTag};
use zsvc_idl::analysis::{Definition, DefinitionId, DefinitionKind, Extents};

use super::super::position::{Encoding, Lines};
use super::super::workspace::View;

/// Returns the declarations of a file with what is inside them, in the order of the text.
pub(in crate::lsp) fn symbols(view: &View, encoding: Encoding) -> Vec<DocumentSymbol> {
    let outline = Outline { view, extents: Extents::of(view.text()), lines: view.lines(encoding) };
    let declared = view.analysis.index.declared_in(view.file);
    let top = declared.filter(|(_, it)| it.container.is_none() && it.kind != DefinitionKind::ImportAlias);
    top.map(|(id, definition)| outline.symbol(id, definition)).collect()
}

struct Outline<'a> {
    view: &'a View,
    extents: Extents,
    lines: Lines<'a>,
}

impl Outline<'_> {
    /// Recursion is bounded: declarations nest as deep as the language allows.
    #[allow(deprecated, reason = "a field of the protocol that every symbol has is deprecated")]
    fn symbol(&self, id: DefinitionId, definition: &Definition) -> DocumentSymbol {
        let span = definition.span;
        let extent = self.extents.at(span.start as usize);
        // A name is part of what it names, whatever the words around it look like.
        let whole = extent.whole.start.min(span.start as usize)..extent.whole.end.max(span.end as usize);
        let members =
            self.view.analysis.index.members(id).filter(|(_, it)| it.kind != DefinitionKind::Parameter);
        let children: Vec<DocumentSymbol> = members.map(|(id, member)| self.symbol(id, member)).collect();
        DocumentSymbol {
            name: definition.name.clone(),
            detail: Some(definition.kind.described().to_owned()),
            kind: kind(definition.kind),
            tags: definition.deprecated.as_ref().map(|_| vec![SymbolTag::DEPRECATED]),
            deprecated: None,
            range: self.lines.range(whole),
            selection_range: self.lines.range(span.range()),
            children: (!children.is_empty()).then_some(children),
        }
    }
}

fn kind(kind: DefinitionKind) -> SymbolKind {
    match kind {
        DefinitionKind::Package => SymbolKind::PACKAGE,
        DefinitionKind::ImportAlias => SymbolKind::NAMESPACE,
        DefinitionKind::Constant => SymbolKind::CONSTANT,
        DefinitionKind::Alias => SymbolKind::TYPE_PARAMETER,
        DefinitionKind::Struct => SymbolKind::STRUCT,
        DefinitionKind::Event => SymbolKind::EVENT,
        DefinitionKind::Enum | DefinitionKind::Flags => SymbolKind::ENUM,
        DefinitionKind::Union | DefinitionKind::Error => SymbolKind::CLASS,
        DefinitionKind::Service => SymbolKind::INTERFACE,
        DefinitionKind::Field => SymbolKind::FIELD,
        DefinitionKind::Value | DefinitionKind::Flag | DefinitionKind::Variant => SymbolKind::ENUM_MEMBER,
        DefinitionKind::Method => SymbolKind::METHOD,
        DefinitionKind::Parameter => SymbolKind::VARIABLE,
    }
}
