(struct name: (identifier) @name) @definition.class
(event name: (identifier) @name) @definition.class
(enum name: (identifier) @name) @definition.class
(flags name: (identifier) @name) @definition.class
(union name: (identifier) @name) @definition.class
(error name: (identifier) @name) @definition.class
(alias name: (identifier) @name) @definition.type
(constant name: (identifier) @name) @definition.constant
(service name: (identifier) @name) @definition.interface
(method name: (identifier) @name) @definition.method
(type_name) @name @reference.class
