// Whether anything was set aside.
//
// -> has
RETURN COUNT { (:Duplicate) } > 0 AS has
