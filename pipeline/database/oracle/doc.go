// Package oracle reads Oracle databases and fills them: one schema, that of the
// user or the one that the URL names.
//
// # What was tested, and what was not
//
// No Oracle server was available when this package was written. It is tested
// on rows recorded in the form that the documented dictionary views have, and
// on a scripted database/sql driver that checks every statement: its text, its
// arguments and its place. What a real server makes of the statements, and what
// the client does on the wire, is not tested. Verification after an import
// (which reads every row back) does not rely on either.
//
// # Reading
//
// All tables are read as of one SCN, by as many connections as are asked for.
// Where neither DBMS_FLASHBACK nor V$DATABASE may be asked for the SCN, one
// connection reads in a read-only transaction. Values are spelt by the server:
// the client would make a float of a NUMBER, and its reading of BINARY_FLOAT
// changes digits. Releases from 12.1 on are read.
//
// Oracle does not tell the empty string from null; what another engine holds as
// an empty string becomes null, is counted and reported, and is refused in a
// column that is not null. A CLOB and a BLOB can be empty.
//
// # Filling
//
// Names are quoted and keep their case. They may have 128 bytes, before 12.2
// only 30; longer ones are shortened and reported. DDL cannot be taken back:
// each object is noted in a table _packstone_import before it is made, and what
// is noted is dropped when the import fails, at once or, after a crash, by the
// next import that is told to.
package oracle
