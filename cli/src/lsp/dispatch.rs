//! Which request is answered by what, and what the server says it can do.

use ls_types::{
    CodeActionKind, CodeActionOptions, CodeActionParams, CodeActionProviderCapability, CompletionOptions,
    DocumentFormattingParams, DocumentHighlight, DocumentSymbolParams, HoverProviderCapability,
    InitializeResult, OneOf, PositionEncodingKind, ReferenceParams, RenameOptions, RenameParams, SaveOptions,
    ServerCapabilities, ServerInfo, TextDocumentPositionParams, TextDocumentSyncKind,
    TextDocumentSyncOptions, WorkDoneProgressOptions,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{actions, completion, formatting, hover, navigation, rename, symbols};
use super::documents::path_of;
use super::message::{ErrorCode, Failure};
use super::position::Encoding;
use super::settings::Settings;
use super::workspace::Workspace;

/// Returns the answer to `initialize`.
pub(super) fn capabilities(settings: Settings) -> Value {
    let progress = WorkDoneProgressOptions::default;
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        save: Some(SaveOptions { include_text: Some(false) }.into()),
        ..TextDocumentSyncOptions::default()
    };
    let capabilities = ServerCapabilities {
        position_encoding: Some(match settings.encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }),
        text_document_sync: Some(sync.into()),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(
                ["@", ".", ":", "=", "\"", "<", "(", ">", "[", "{"].map(str::to_owned).to_vec(),
            ),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..CodeActionOptions::default()
        })),
        document_formatting_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: progress(),
        })),
        ..ServerCapabilities::default()
    };
    let info = ServerInfo { name: "zsvc".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) };
    let result = InitializeResult { capabilities, server_info: Some(info), ..InitializeResult::default() };
    serde_json::to_value(result).unwrap_or_default()
}

/// Answers a request.
pub(super) fn answer(
    workspace: &mut Workspace,
    settings: Settings,
    method: &str,
    parameters: Value,
) -> Result<Value, Failure> {
    match method {
        "textDocument/hover" => {
            let (path, position) = place(&read(parameters)?);
            written(hover::hover(workspace, &path, position))
        }
        "textDocument/definition" => {
            let (path, position) = place(&read(parameters)?);
            written(navigation::definition(workspace, &path, position))
        }
        "textDocument/references" => {
            let asked: ReferenceParams = read(parameters)?;
            let (path, position) = place(&asked.text_document_position);
            let with_declaration = asked.context.include_declaration;
            written(navigation::references(workspace, &path, position, with_declaration))
        }
        "textDocument/documentHighlight" => {
            let (path, position) = place(&read(parameters)?);
            let found = navigation::highlights(workspace, &path, position).unwrap_or_default();
            let found =
                found.into_iter().map(|location| DocumentHighlight { range: location.range, kind: None });
            written(found.collect::<Vec<_>>())
        }
        "textDocument/completion" => {
            let (path, position) = place(&read(parameters)?);
            written(completion::completion(workspace, &path, position))
        }
        _ => edits(workspace, settings, method, parameters),
    }
}

/// Answers a request about a whole file, or about changes.
fn edits(
    workspace: &mut Workspace,
    settings: Settings,
    method: &str,
    parameters: Value,
) -> Result<Value, Failure> {
    match method {
        "textDocument/documentSymbol" => {
            let asked: DocumentSymbolParams = read(parameters)?;
            let view = workspace.view(&path_of(&asked.text_document.uri));
            written(view.map(|view| symbols::symbols(&view, workspace.encoding)))
        }
        "textDocument/formatting" => {
            let asked: DocumentFormattingParams = read(parameters)?;
            let edit = formatting::formatting(workspace, &path_of(&asked.text_document.uri));
            written(edit.map(|edit| vec![edit]))
        }
        "textDocument/codeAction" => {
            let asked: CodeActionParams = read(parameters)?;
            written(actions::actions(workspace, &path_of(&asked.text_document.uri), asked.range))
        }
        "textDocument/prepareRename" => {
            let (path, position) = place(&read(parameters)?);
            written(rename::prepare(workspace, &path, position)?)
        }
        "textDocument/rename" => {
            let asked: RenameParams = read(parameters)?;
            let (path, position) = place(&asked.text_document_position);
            written(rename::rename(workspace, &path, position, &asked.new_name, settings.annotates)?)
        }
        _ => Err(Failure {
            code: ErrorCode::UnknownMethod,
            message: format!("there is no method `{}`", shown(method)),
        }),
    }
}

fn shown(method: &str) -> String {
    super::answer::diagnostics::cut(method.to_owned())
}

fn place(asked: &TextDocumentPositionParams) -> (String, ls_types::Position) {
    (path_of(&asked.text_document.uri), asked.position)
}

/// Reads the parameters of a message.
pub(super) fn read<T: DeserializeOwned>(parameters: Value) -> Result<T, Failure> {
    serde_json::from_value(parameters).map_err(|error| Failure {
        code: ErrorCode::InvalidParameters,
        message: format!("the parameters are not those of the method: {error}"),
    })
}

fn written(answer: impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(answer)
        .map_err(|error| Failure::told(format!("the answer can't be written: {error}")))
}
