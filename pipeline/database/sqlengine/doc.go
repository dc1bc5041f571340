// Package sqlengine holds what engines that are reached through database/sql,
// and that hand out no DDL for tables, have in common: rows read into batches,
// values put into canonical form, and a [Builder] that makes an engine's DDL of
// a neutral schema by the engine's [Dialect].
//
// The same builder describes a source natively and maps a foreign schema, so
// that what is written in a backup is what an import would run.
package sqlengine
