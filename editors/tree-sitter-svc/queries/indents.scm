[
  (fields)
  (values)
  (variants)
  (methods)
  (parameters)
] @indent.begin

[
  "}"
  ")"
] @indent.branch @indent.end
