// Package sqlserver reads Microsoft SQL Server databases and fills them.
//
// # What was tested, and what was not
//
// No SQL Server was available when this package was written. It is tested on
// rows recorded in the form that the documented catalog views have, and on a
// scripted database/sql driver that checks every statement: its text, its
// arguments and its place. What a real server makes of the statements, and what
// the client does on the wire, is not tested. Verification after an import
// (which reads every row back) does not rely on either.
//
// # Reading
//
// One transaction of isolation level SNAPSHOT reads everything, on one
// connection, since such a snapshot cannot be shared. The database must allow it
// (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON); a database snapshot and a
// read-only database stand still by themselves and are read by as many
// connections as are asked for. All else is refused. Values are spelt by the
// server wherever a client library could change them. Releases from 2016 on are
// read.
//
// # Filling
//
// All is made in one transaction, which is rolled back when anything fails. Rows
// go by bulk copy; those that bulk copy would change (characters outside of
// ASCII in a column with a code page, which the client does not convert) and
// types that it does not know go by INSERT. Names may have 128 characters, of
// two bytes each; longer ones are shortened and reported. Text of engines that
// tell letters by case gets a binary collation, so that keys stay what they are.
package sqlserver
