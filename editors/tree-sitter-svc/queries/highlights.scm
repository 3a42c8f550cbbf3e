; Later patterns are stronger.

(identifier) @variable

(comment) @comment
(doc_comment) @comment.documentation

(string) @string
(bytes) @string
(escape) @string.escape
(number) @number
(boolean) @boolean

[
  "package"
  "import"
  "as"
] @keyword.import

[
  "const"
  "type"
  "struct"
  "event"
  "enum"
  "flags"
  "union"
  "error"
  "service"
  "extends"
] @keyword.type

[
  "rpc"
  "oneway"
] @keyword.function

[
  "reserved"
  "stream"
] @keyword

"throws" @keyword.exception

(package name: (path) @module)
(import alias: (identifier) @module)
(constant name: (identifier) @constant)
(alias name: (identifier) @type.definition)
(struct name: (identifier) @type)
(event name: (identifier) @type)
(enum name: (identifier) @type)
(flags name: (identifier) @type)
(union name: (identifier) @type)
(error name: (identifier) @type)
(service name: (identifier) @type)

(builtin_type) @type.builtin
(type_name) @type

(field name: (identifier) @variable.member)
(entry key: (path (identifier) @variable.member))
(value name: (identifier) @constant)
(variant name: (identifier) @constructor)
(method name: (identifier) @function.method)
(parameter name: (identifier) @variable.parameter)

(attribute "@" @attribute name: (identifier) @attribute)
(arguments (path) @constant)
(range (path) @constant)

[
  "->"
  ".."
  "..="
  "="
  "?"
] @operator

[
  ";"
  ","
  ":"
  "."
] @punctuation.delimiter

[
  "{"
  "}"
  "("
  ")"
  "["
  "]"
  "<"
  ">"
] @punctuation.bracket
