// Package ddl makes the DDL of an engine out of a schema that came from another
// one. There is one mapper; what engines do differently is their [Dialect].
//
// [Dialect.Plan] names everything first: tables and counters, then columns,
// types, keys and indexes, each within the name spaces that the engine has
// ([Spaces]) and by its rules ([NameRules]). A name that is legal and free stays
// as it is; every other is reported. Then it chooses types, and makes statements
// in three steps: what stands before the rows, what is built after them, and
// foreign keys, which need all other keys.
//
// Nothing here connects to a server, so a plan is what a preview shows.
package ddl
