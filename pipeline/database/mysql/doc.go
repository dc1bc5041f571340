// Package mysql reads and fills MariaDB (10.4 and later) and MySQL (8.0 and
// later) databases.
//
// A source is a set of connections whose transactions began under one short
// lock, so that all see the same moment; without the privilege to take it, one
// connection reads everything. Each holds a metadata lock on every table, so that
// DDL waits until the source is closed. Rows are streamed by the
// text protocol, in the order of the primary key.
//
// A target must be an empty database. MySQL commits with every DDL statement, so
// there is no transaction to roll back: a marker table names all that an import
// makes, from before its first object until its last row is checked, and Close
// (or a later import, if it is told to) drops what the marker names.
package mysql
