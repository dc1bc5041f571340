// Package database is the seam of engines: the model of a schema, rows in batches with the
// canonical form of a value and digests over them, and the report of what could not be kept.
//
// Beside it are convert, the flow that copies and compares; ddl, the mapper that plans what comes
// from another engine; expr, which carries expressions over; and rows, the row streams a backup
// stores. Engines live in subpackages too and are handed in by the caller; this package imports
// none of them and opens nothing by itself.
//
// # The seam
//
// An engine is a [Driver]. OpenSource gives a [Source]: one consistent snapshot of a database,
// which yields a [Schema] and, table by table, rows. OpenTarget gives a [Target]: a database to be
// filled, which first plans (what will this schema become here, and what is lost?), then creates,
// loads, finishes and commits. convert.Run drives a Source into a Target; export is a run whose
// target is a SQLite file, import one whose source is such a file, and a restore one whose source
// is a set of row streams (rows.Open).
//
//	Source.Schema ─► Target.Plan ─► strict? ─► Target.Create
//	Source.Rows ─► Conversion ─► Digest ─► Target.Load        (tables, in order)
//	Source.Sequences ─► Target.Finish ─► Target.Rows ─► same digests? ─► Target.Commit
//
// # Values
//
// Rows travel in a [Batch]: cells in one canonical, engine-neutral encoding. A cell has one of five
// storage classes (null, int, float, text, blob); which of them a column uses, and how a text is
// spelt, follows from the column's [Kind] and is laid down there. An engine that reads must produce
// exactly this form, whatever its client library would like better; an engine that writes may rely
// on it. Digests are taken over these bytes, so two databases agree when, and only when, their
// canonical cells do.
//
// # Objects
//
// Schema.Objects lists every object of the source in an order in which they can be created, with
// its native DDL. Tables, columns, keys, checks and indexes are described a second time, neutrally,
// in Schema.Tables. A target of the same family ([Family]) replays the objects' DDL; any other
// builds from the neutral part, by the mapper in ddl. Plan answers for objects by [Finding]; an
// object that no finding names is reported by the core: as sidecar where it has DDL, else as
// dropped. So nothing can be left out silently.
package database
