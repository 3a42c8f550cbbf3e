[
  (fields)
  (values)
  (variants)
  (methods)
  (parameters)
] @fold

(doc_comment)+ @fold
(import)+ @fold
