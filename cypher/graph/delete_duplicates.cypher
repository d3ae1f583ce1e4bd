// Deletes duplicates.
//
// $ids  their keys
UNWIND $ids AS id
MATCH (d:Duplicate {id: id})
DETACH DELETE d
