// Starts `zsvc lsp`, and again when it is asked to or when its settings change.
'use strict';

const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

let client;

async function start() {
  const settings = vscode.workspace.getConfiguration('zsvc');
  const command = settings.get('path') || 'zsvc';
  const server = { command, args: ['lsp'] };
  client = new LanguageClient('zsvc', 'zsvc', { run: server, debug: server }, {
    documentSelector: [{ language: 'svc', scheme: 'file' }, { language: 'svc', scheme: 'untitled' }],
    initializationOptions: { diff: settings.get('diff') },
  });
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const install = '`cargo install zsvc-cli` installs it; the setting `zsvc.path` says where it is';
    vscode.window.showErrorMessage(`\`${command} lsp\` can't be started: ${error.message}; ${install}`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand('zsvc.restart', async () => {
      await stop();
      await start();
    }),
    vscode.workspace.onDidChangeConfiguration(async (change) => {
      if (change.affectsConfiguration('zsvc.path') || change.affectsConfiguration('zsvc.diff')) {
        await stop();
        await start();
      }
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
