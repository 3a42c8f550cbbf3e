// Checks the TextMate grammar as VS Code reads it: that the words of chosen lines have the scopes that they should, and that no line of
// any `.svc` file of the repository is read beyond its end, as where a string or declaration is never closed.
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import oniguruma from 'vscode-oniguruma';
import textmate from 'vscode-textmate';

const here = import.meta.dirname;
const wasm = readFileSync(createRequire(import.meta.url).resolve('vscode-oniguruma/release/onig.wasm'));
await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
const path = join(here, '../textmate/svc.tmLanguage.json');
const registry = new textmate.Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  }),
  loadGrammar: async () => textmate.parseRawGrammar(readFileSync(path, 'utf8'), path),
});
const grammar = await registry.loadGrammar('source.svc');

/** Returns the words of a text with their scopes, and whether it ends outside of everything. */
function read(text) {
  const words = [];
  let stack = textmate.INITIAL;
  for (const line of text.split(/\r?\n/)) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
    for (const { startIndex, endIndex, scopes } of tokens) {
      words.push({ text: line.slice(startIndex, endIndex).trim(), scopes });
    }
    stack = ruleStack;
  }
  return { words: words.filter((word) => word.text !== ''), isClosed: stack.depth === 1 };
}

let wrong = 0;
function check(isRight, message) {
  if (!isRight) {
    wrong += 1;
    console.error(`wrong: ${message}`);
  }
}

// A text, and the scope that each of some words in it has.
const CASES = [
  ['package market.v1;', { package: 'keyword.control.package', 'market.v1': 'entity.name.namespace' }],
  ['import "money.svc" as money;', { import: 'keyword.control.import', 'money.svc': 'string.quoted', as: 'keyword.control.as' }],
  ['const MOST: u32 = 500;', { const: 'storage.type', MOST: 'variable.other.constant', u32: 'support.type', 500: 'constant.numeric' }],
  ['type Symbol = list<string>?;', { type: 'storage.type', Symbol: 'entity.name.type', list: 'support.type', '?': 'keyword.operator' }],
  ['struct Trade {\n type: money.Amount = 1;\n}', { struct: 'storage.type', Trade: 'entity.name.type', type: 'variable.other.member',
    money: 'entity.name.namespace', Amount: 'entity.name.type', 1: 'constant.numeric' }],
  ['enum Side {\n Buy = 1;\n reserved 2, "Sell";\n}', { Buy: 'variable.other.enummember', reserved: 'keyword.other.reserved', Sell: 'string' }],
  ['struct Order {\n enum Side {\n Buy = 0;\n }\n side: Order.Side = 1;\n}', { Order: 'entity.name.type', enum: 'storage.type',
    Side: 'entity.name.type', Buy: 'variable.other.enummember', side: 'variable.other.member', 1: 'constant.numeric' }],
  ['flags Access {\n Read = 0;\n}', { flags: 'storage.type', Access: 'entity.name.type', Read: 'variable.other.enummember' }],
  ['error E {\n @message("no {name}")\n A { name: string = 1; } = 1;\n}', { message: 'entity.other.attribute-name',
    '{name}': 'constant.other.placeholder', A: 'variable.other.enummember', name: 'variable.other.member' }],
  ['service S {\n rpc import(@len(1..=2) a: stream T) -> u8 throws E;\n oneway note();\n}', { rpc: 'storage.type.function',
    import: 'entity.name.function', len: 'entity.other.attribute-name', '..=': 'keyword.operator.range', a: 'variable.parameter',
    stream: 'keyword.other.stream', '->': 'keyword.operator.arrow', throws: 'keyword.control.throws', note: 'entity.name.function' }],
  ['/// Docs.\n// A remark.\n//// Neither.', { '/// Docs.': 'comment.line.documentation', '// A remark.': 'comment.line.double-slash',
    '//// Neither.': 'comment.line.double-slash' }],
  ['@deadline(500ms) @default(false)', { '500ms': 'constant.numeric', false: 'constant.language' }],
];
for (const [text, expected] of CASES) {
  const { words, isClosed } = read(text);
  check(isClosed, `${JSON.stringify(text)} is not closed`);
  for (const [word, scope] of Object.entries(expected)) {
    const found = words.filter(({ text }) => text === word);
    const has = found.some(({ scopes }) => scopes.some((name) => name.startsWith(scope)));
    check(has, `\`${word}\` of ${JSON.stringify(text)} has ${JSON.stringify(found)} and not ${scope}`);
  }
}

/** Returns the `.svc` files below a folder. */
function files(folder) {
  return readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('.svc')).map((file) => join(folder, file));
}

let count = 0;
for (const folder of ['../../examples', '../../docs', '../../idl/tests/format', '../../codegen/tests/compiled']) {
  for (const file of files(join(here, folder)).filter((file) => !file.includes('node_modules'))) {
    count += 1;
    const { words, isClosed } = read(readFileSync(file, 'utf8'));
    check(isClosed, `${file} is not closed at its end`);
    // Where a remark stands between a keyword and what belongs to it, reading line by line loses the way.
    if (/comments(\.in)?\.svc$/.test(file)) continue;
    const lost = words.find(({ text, scopes }) => scopes.length === 1 && !/^[;,]+$/.test(text));
    check(lost === undefined, `${file} has ${JSON.stringify(lost)}, which has no scope`);
  }
}
check(count > 20, `only ${count} files were found`);
console.log(`${CASES.length} texts and ${count} files: ${wrong} wrong`);
process.exitCode = wrong === 0 ? 0 : 1;
