// Package sqlengine holds what engines that are reached through database/sql,
// and that hand out no DDL for tables, have in common: rows read into batches,
// values put into canonical form, and texts and defaults of types that an engine
// does not have.
package sqlengine
