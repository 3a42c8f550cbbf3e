(source_file) @local.scope

(constant name: (identifier) @local.definition.constant)
(alias name: (identifier) @local.definition.type)
(struct name: (identifier) @local.definition.type)
(event name: (identifier) @local.definition.type)
(enum name: (identifier) @local.definition.type)
(flags name: (identifier) @local.definition.type)
(union name: (identifier) @local.definition.type)
(error name: (identifier) @local.definition.type)
(import alias: (identifier) @local.definition.import)

(type_name) @local.reference
