// Package sqlite writes and reads SQLite files, among them the portable file
// that an export makes.
//
// The portable file is an ordinary database that an application can use: real
// keys, foreign keys, checks, defaults and indexes. What SQLite cannot hold
// stands beside the data in tables whose names begin with _packstone_:
//
//	_packstone_meta    key, value: format, engine, schema (JSON), report (JSON)
//	_packstone_column  which column of the source lies where, and its encoding
//	_packstone_exact   single values that a cell cannot hold, such as -0.0
//	_packstone_object  every object of the source: status, reason, native DDL
//	_packstone_digest  rows and digest of every table
//
// A file without these tables is read by its own schema and by what its cells
// hold.
package sqlite
