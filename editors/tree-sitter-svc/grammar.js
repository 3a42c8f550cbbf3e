/**
 * The grammar of `.svc` files for tree-sitter. `idl/src/grammar.pest` is the one that the compiler has; this one takes what that takes,
 * and a little more, since an editor shows files while they are wrong. A test compares the words of both.
 */
/* global grammar, seq, choice, repeat, optional, token, alias, field, prec, sep */

const BUILTIN_TYPES = [
  'bool', 'u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64', 'f32', 'f64',
  'string', 'bytes', 'timestamp', 'duration', 'uuid', 'value', 'list', 'set', 'map',
];

/** Words that are keywords where they may stand, and names elsewhere. */
const KEYWORDS = [
  'as', 'const', 'enum', 'error', 'event', 'extends', 'flags', 'import', 'oneway', 'package', 'reserved',
  'rpc', 'service', 'stream', 'struct', 'throws', 'type', 'union',
];

const LITERALS = ['false', 'true'];

/** One or more of a rule, separated by commas, of which the last may follow as well. */
const list = rule => seq(rule, repeat(seq(',', rule)), optional(','));

module.exports = grammar({
  name: 'svc',

  word: $ => $.identifier,

  extras: $ => [/\s/, $.comment],

  rules: {
    source_file: $ => repeat($._declaration),

    _declaration: $ => choice(
      $.package,
      $.import,
      $.constant,
      $.alias,
      $.struct,
      $.event,
      $.enum,
      $.flags,
      $.union,
      $.error,
      $.service,
    ),

    package: $ => seq(repeat($._preamble), 'package', field('name', $.path), ';'),

    import: $ => seq(
      repeat($._preamble),
      'import',
      field('path', $.string),
      optional(seq('as', field('alias', $._name))),
      ';',
    ),

    constant: $ => seq(
      repeat($._preamble),
      'const',
      field('name', $._name),
      ':',
      field('type', $.type),
      '=',
      field('value', $._value),
      ';',
    ),

    alias: $ => seq(repeat($._preamble), 'type', field('name', $._name), '=', field('type', $.type), ';'),

    struct: $ => seq(repeat($._preamble), 'struct', field('name', $._name), field('body', $.fields)),

    event: $ => seq(repeat($._preamble), 'event', field('name', $._name), field('body', $.fields)),

    fields: $ => seq('{', repeat(choice($.field, $.reserved, $._nested)), '}'),

    field: $ => seq(repeat($._preamble), field('name', $._name), ':', field('type', $.type), $._tag, ';'),

    enum: $ => seq(repeat($._preamble), 'enum', field('name', $._name), field('body', $.values)),

    flags: $ => seq(repeat($._preamble), 'flags', field('name', $._name), field('body', $.values)),

    values: $ => seq('{', repeat(choice($.value, $.reserved)), '}'),

    value: $ => seq(repeat($._preamble), field('name', $._name), $._tag, ';'),

    union: $ => seq(repeat($._preamble), 'union', field('name', $._name), field('body', $.variants)),

    error: $ => seq(repeat($._preamble), 'error', field('name', $._name), field('body', $.variants)),

    variants: $ => seq('{', repeat(choice($.variant, $.reserved, $._nested)), '}'),

    // A type inside of another.
    _nested: $ => choice($.struct, $.enum, $.flags, $.union),

    variant: $ => seq(
      repeat($._preamble),
      field('name', $._name),
      optional(choice(seq(':', field('type', $.type)), field('body', $.fields))),
      $._tag,
      ';',
    ),

    service: $ => seq(
      repeat($._preamble),
      'service',
      field('name', $._name),
      optional(seq('extends', field('extends', alias($.path, $.type_name)), repeat(seq(',', field('extends', alias($.path, $.type_name)))))),
      field('body', $.methods),
    ),

    methods: $ => seq('{', repeat($.method), '}'),

    method: $ => seq(
      repeat($._preamble),
      choice('rpc', 'oneway'),
      field('name', $._name),
      field('parameters', $.parameters),
      optional(seq('->', field('answer', $._streamed))),
      optional(seq('throws', $._thrown, repeat(seq(',', $._thrown)))),
      ';',
    ),

    _thrown: $ => field('throws', alias($.path, $.type_name)),

    parameters: $ => seq('(', optional(list($.parameter)), ')'),

    parameter: $ => seq(repeat($._preamble), field('name', $._name), ':', field('type', $._streamed)),

    _streamed: $ => seq(optional('stream'), $.type),

    reserved: $ => seq(repeat($._preamble), 'reserved', list(choice($.string, $.number, $.number_range)), ';'),

    number_range: $ => choice(seq($.number, $._dots, optional($.number)), seq($._dots, $.number)),

    _tag: $ => seq('=', field('number', $.number)),

    type: $ => seq(
      choice($.builtin_type, alias($.path, $.type_name)),
      optional(seq('<', list($.type), '>')),
      repeat('?'),
    ),

    builtin_type: _ => choice(...BUILTIN_TYPES),

    _preamble: $ => choice($.doc_comment, $.attribute),

    attribute: $ => seq('@', field('name', $.identifier), optional($.arguments)),

    arguments: $ => seq('(', optional(list($._value)), ')'),

    _value: $ => choice($.range, $.number, $.string, $.bytes, $.list, $.object, $.boolean, $.path),

    range: $ => choice(
      seq($._bound, $._dots, optional($._bound)),
      seq($._dots, optional($._bound)),
    ),

    _bound: $ => choice($.number, $.path),

    _dots: _ => choice('..=', '..'),

    list: $ => seq('[', optional(list($._value)), ']'),

    object: $ => seq('{', optional(list($.entry)), '}'),

    entry: $ => seq(
      field('key', choice($.number, $.string, $.boolean, $.path)),
      ':',
      field('value', $._value),
    ),

    boolean: _ => choice(...LITERALS),

    // Names of types, packages and values: words and dots without space between.
    path: $ => seq($._path_start, repeat(seq(token.immediate('.'), $._path_part))),

    _path_start: $ => $.identifier,

    _path_part: $ => alias(token.immediate(/[A-Za-z_][A-Za-z0-9_]*/), $.identifier),

    _name: $ => choice(
      $.identifier,
      ...[...KEYWORDS, ...LITERALS, ...BUILTIN_TYPES].map(word => alias(word, $.identifier)),
    ),

    identifier: _ => /[A-Za-z_][A-Za-z0-9_]*/,

    number: _ => /-?[0-9][A-Za-z0-9_]*(\.[0-9][A-Za-z0-9_]*)?([eE][+-][0-9][A-Za-z0-9_]*)?/,

    string: $ => seq(
      '"',
      repeat(choice($.escape, token.immediate(prec(1, /[^"\\\n]+/)))),
      token.immediate('"'),
    ),

    bytes: $ => seq(
      'b"',
      repeat(choice($.escape, token.immediate(prec(1, /[^"\\\n]+/)))),
      token.immediate('"'),
    ),

    escape: _ => token.immediate(/\\(u\{[0-9A-Fa-f]*\}|[^\n])/),

    doc_comment: _ => token(prec(1, /\/\/\/([^\/\n][^\n]*)?/)),

    comment: _ => token(choice(/\/\/\/\/[^\n]*/, /\/\/([^\/\n][^\n]*)?/)),
  },
});
