package database

// Code says in a word what kind of thing a finding tells. Each has one meaning,
// whatever the engine; docs/databases.md lists them. A code that is no longer
// used is not given to anything else.
type Code string

// Codes of what becomes of a schema.
const (
	CodeDropped Code = "DB100" // there is no statement that makes it, and it is not in the copy
	CodeSidecar Code = "DB101" // its statement is kept beside the data
	CodeLeftOut Code = "DB102" // it was left out by choice
	CodeHistory Code = "DB103" // only a table's current rows are copied, not their history
	CodeHidden  Code = "DB104" // the user may not see it, and it is left out
	CodeStandby Code = "DB105" // a standby does not have the rows of an unlogged table

	CodeTypeChanged      Code = "DB110" // a column has another type
	CodeGeneratedPlain   Code = "DB111" // a computed column holds its values as a plain one
	CodeDefaultLost      Code = "DB112" // a default has no counterpart
	CodeCheckLost        Code = "DB113" // a condition is not enforced
	CodeIndexLost        Code = "DB114" // an index has no counterpart
	CodeIndexWeaker      Code = "DB115" // an index covers less or more
	CodeForeignKeyLost   Code = "DB116" // a foreign key has nothing to refer to
	CodeRenamed          Code = "DB117" // something has another name
	CodeNullAllowed      Code = "DB118" // null is allowed, for impossible dates
	CodeCounterLost      Code = "DB119" // a column no longer counts by itself
	CodeForeignKeyWeaker Code = "DB120" // a foreign key does less
	CodeComparesOther    Code = "DB121" // values are kept, and compare in another way
	CodeSpelling         Code = "DB122" // values are kept as text in the source's spelling
	CodeCommentCut       Code = "DB123" // a comment is cut
	CodeSequenceLost     Code = "DB124" // nothing counts by a sequence
	CodeSequenceWeaker   Code = "DB125" // a sequence counts in another way
	CodeNullsDiffer      Code = "DB126" // nulls in a unique key compare in another way
	CodeNotDeferred      Code = "DB127" // a constraint is checked at once
	CodeTableLost        Code = "DB128" // a table cannot be made
	CodeLargeObjects     Code = "DB129" // large objects become an ordinary table
	CodeSchemaJoined     Code = "DB130" // a schema becomes the beginning of names
	CodeTableTrait       Code = "DB131" // a table loses what its engine does with it
	CodeOrphans          Code = "DB132" // rows refer to no parent, as in the source
	CodeColumnTrait      Code = "DB133" // a column loses what its engine does with it
	CodeRowAddresses     Code = "DB134" // addresses of rows lead nowhere in a copy
	CodeUnsnapshoted     Code = "DB135" // its rows stand outside the snapshot
	CodeCheckJudges      Code = "DB136" // a condition judges rows in another way, and was taken back
	CodeKeyNulls         Code = "DB139" // a primary key that holds nulls becomes a unique key
	CodeUnequal          Code = "DB138" // values that a foreign key takes for equal in the source are not equal
	CodeZoneNames        Code = "DB137" // names of time zones become their offsets
)

// Codes of what becomes of values.
const (
	CodeZeroDate      Code = "DB210" // an impossible date becomes null
	CodeOffset        Code = "DB211" // the offset of a time is not kept
	CodeNUL           Code = "DB212" // NUL characters are removed
	CodeErrorLabel    Code = "DB213" // the mark of an invalid label becomes null or the empty label
	CodeZeros         Code = "DB214" // trailing zeros of a fraction are not kept
	CodeMinusZero     Code = "DB215" // minus zero becomes zero
	CodeEmptyNull     Code = "DB216" // the empty string becomes null
	CodeUnread        Code = "DB217" // values that code of users computes are null
	CodeFraction      Code = "DB218" // digits of a second are cut
	CodeNoCharacter   Code = "DB219" // bytes that are no character become question marks
	CodeComputedAnew  Code = "DB220" // values are computed anew, by code that was changed since
	CodeChangedInFile Code = "DB230" // rows were changed in the file after the export
)

// Codes of what becomes of statements when they run.
const (
	CodeRefused     Code = "DB301" // the server refuses it
	CodeMadeOther   Code = "DB302" // it was made in another way, since it failed as it was
	CodeNoForm      Code = "DB303" // its statement is none that makes it, and does not run
	CodeOwner       Code = "DB304" // it belongs to whoever imports
	CodeInvoker     Code = "DB305" // it runs with the rights of whoever uses it
	CodeMoved       Code = "DB306" // it names another schema, or goes on naming the source's
	CodeActsOnIt    Code = "DB307" // an event trigger of the target acts on what is imported
	CodeDefiner     Code = "DB313" // it belongs to another, or runs with the rights of whoever uses it
	CodeDefinerLost Code = "DB314" // it would run with more rights than its definer had, and is left out
	CodeUntrusted   Code = "DB320" // it would run with more rights than its owner has
)
