package sqlserver

import "github.com/packstone/packstone/pipeline/database/sqlengine/scripted"

// recorded holds rows of the catalog views in the form in which the queries of
// this package ask for them. The types of values are those of the client.
type recordedRows struct {
	version                                         string
	schemas, tables, columns, indexes, indexColumns [][]any
	checks, foreign, foreignColumns, sequences      [][]any
	types, synonyms, modules, others                [][]any
	listed                                          map[string][][]any // schemas and names, by kind
}

func (d recordedRows) session(s *scripted.Script) {
	s.Expect(settingsSQL)
}

func (d recordedRows) identify(s *scripted.Script) {
	s.Expect(serverSQL).Rows([]any{d.version, "Chinook", "SQL_Latin1_General_CP1_CI_AS"})
}

func (d recordedRows) catalog(s *scripted.Script) {
	s.Expect(schemasSQL).Rows(d.schemas...)
	s.Expect(tablesSQL).Rows(d.tables...)
	s.Expect(columnsSQL).Rows(d.columns...)
	s.Expect(indexesSQL).Rows(d.indexes...)
	s.Expect(indexColumnsSQL).Rows(d.indexColumns...)
	s.Expect(checksSQL).Rows(d.checks...)
	s.Expect(foreignSQL).Rows(d.foreign...)
	s.Expect(foreignColumnsSQL).Rows(d.foreignColumns...)
	s.Expect(sequencesOf(server{major: major(d.version)})).Rows(d.sequences...)
}

func major(version string) int {
	if version[:2] == "13" {
		return 13
	}
	return 16
}

func (d recordedRows) objects(s *scripted.Script) {
	s.Expect(typesSQL).Rows(d.types...)
	s.Expect(synonymsSQL).Rows(d.synonyms...)
	s.Expect(modulesSQL).Rows(d.modules...)
	s.Expect(anyObjectSQL).Rows(d.others...)
	for _, l := range listings(server{major: major(d.version)}) {
		s.Expect(l.SQL).Rows(d.listed[l.Kind]...)
		delete(d.listed, l.Kind) // a kind may be asked for twice
	}
}

// Places in a row of columnsSQL.
const (
	atAlias     = 3
	atLength    = 4
	atPrecision = 5
	atScale     = 6
	atNullable  = 7
	atCollation = 8
	atIdentity  = 9
	atSeed      = 10
	atStep      = 11
	atLast      = 12
	atComputed  = 13
	atPersisted = 14
	atDefault   = 15
	atPeriod    = 16
	atComment   = 17
	atEncrypted = 18
	isComputed  = 19
	hasDefault  = 20
)

func columnRow(table int64, name, base string, length int64, more ...any) []any {
	row := []any{table, name, base, nil, length, int64(0), int64(0), true, nil, false, nil, nil, nil, nil, nil, nil, int64(0), nil, nil, false, int64(0)}
	switch base {
	case "char", "varchar", "nchar", "nvarchar", "text", "ntext":
		row[atCollation] = "SQL_Latin1_General_CP1_CI_AS"
	}
	for i := 0; i+1 < len(more); i += 2 {
		row[more[i].(int)] = more[i+1]
	}
	return row
}

func tableRow(id int64, schema, name string, more ...any) []any {
	row := []any{id, schema, name, int64(0), false, false, false, int64(2), nil}
	copy(row[3:], more)
	return row
}

// chinook is part of the sample of that name, as its script for SQL Server makes
// it.
func chinook() recordedRows {
	return recordedRows{
		version: "16.0.4135.4",
		tables:  [][]any{tableRow(1, "dbo", "Album"), tableRow(2, "dbo", "Artist"), tableRow(3, "dbo", "Invoice"), tableRow(4, "dbo", "PlaylistTrack")},
		columns: [][]any{
			columnRow(1, "AlbumId", "int", 4, atNullable, false),
			columnRow(1, "Title", "nvarchar", 320, atNullable, false),
			columnRow(1, "ArtistId", "int", 4, atNullable, false),
			columnRow(2, "ArtistId", "int", 4, atNullable, false),
			columnRow(2, "Name", "nvarchar", 240),
			columnRow(3, "InvoiceId", "int", 4, atNullable, false),
			columnRow(3, "InvoiceDate", "datetime", 8, atNullable, false),
			columnRow(3, "Total", "numeric", 9, atPrecision, int64(10), atScale, int64(2), atNullable, false),
			columnRow(4, "PlaylistId", "int", 4, atNullable, false),
			columnRow(4, "TrackId", "int", 4, atNullable, false),
		},
		indexes: [][]any{
			{int64(1), int64(1), "PK_Album", int64(1), "CLUSTERED", true, true, false, false, nil, false},
			{int64(1), int64(2), "IFK_AlbumArtistId", int64(2), "NONCLUSTERED", false, false, false, false, nil, false},
			{int64(2), int64(1), "PK_Artist", int64(1), "CLUSTERED", true, true, false, false, nil, false},
			{int64(3), int64(1), "PK_Invoice", int64(1), "CLUSTERED", true, true, false, false, nil, false},
			{int64(4), int64(2), "PK_PlaylistTrack", int64(2), "NONCLUSTERED", true, true, false, false, nil, false},
		},
		indexColumns: [][]any{
			{int64(1), int64(1), "AlbumId", false, false}, {int64(1), int64(2), "ArtistId", false, false}, {int64(2), int64(1), "ArtistId", false, false},
			{int64(3), int64(1), "InvoiceId", false, false}, {int64(4), int64(2), "PlaylistId", false, false}, {int64(4), int64(2), "TrackId", false, false},
		},
		foreign:        [][]any{{int64(1), int64(90), "FK_AlbumArtistId", "dbo", "Artist", int64(0), int64(0), false, false}},
		foreignColumns: [][]any{{int64(90), "ArtistId", "ArtistId"}},
	}
}

// awkward has one of everything that is not usual.
func awkward() recordedRows {
	return recordedRows{
		version: "16.0.4135.4",
		schemas: [][]any{{"Sales ]x["}},
		tables: [][]any{
			tableRow(1, "Sales ]x[", "Odd [Table]", int64(2), true, false, false, int64(5), "it's odd"),
			tableRow(2, "dbo", "History", int64(1)), tableRow(3, "dbo", "Outside", int64(0), false, true),
		},
		columns: [][]any{
			columnRow(1, "id", "int", 4, atNullable, false, atIdentity, true, atSeed, "10", atStep, "5", atLast, "35"),
			columnRow(1, "flag", "bit", 1, atDefault, "((1))"),
			columnRow(1, "tiny", "tinyint", 1), columnRow(1, "big", "bigint", 8),
			columnRow(1, "dec", "decimal", 17, atPrecision, int64(38), atScale, int64(10)),
			columnRow(1, "cash", "money", 8, atPrecision, int64(19), atScale, int64(4)),
			columnRow(1, "r", "real", 4), columnRow(1, "f", "float", 8),
			columnRow(1, "c", "char", 3), columnRow(1, "v", "varchar", -1), columnRow(1, "u8", "varchar", 50, atCollation, "Latin1_General_100_CI_AS_SC_UTF8"),
			columnRow(1, "n", "nvarchar", -1, atComment, "wide"), columnRow(1, "old", "ntext", 16),
			columnRow(1, "b", "binary", 4), columnRow(1, "vb", "varbinary", -1), columnRow(1, "rv", "timestamp", 8, atNullable, false),
			columnRow(1, "d", "date", 3), columnRow(1, "t", "time", 5, atScale, int64(7)), columnRow(1, "sdt", "smalldatetime", 4),
			columnRow(1, "dt2", "datetime2", 8, atScale, int64(3), atPeriod, int64(1), atNullable, false, atDefault, "(sysutcdatetime())"),
			columnRow(1, "dto", "datetimeoffset", 10, atScale, int64(7)), columnRow(1, "uid", "uniqueidentifier", 16, atDefault, "([dbo].[fn]())"),
			columnRow(1, "x", "xml", -1), columnRow(1, "sv", "sql_variant", 8016), columnRow(1, "h", "hierarchyid", 892), columnRow(1, "g", "geography", -1),
			columnRow(1, "clr", "MyType", -1, atAlias, "dbo.MyType"),
			columnRow(1, "card", "nvarchar", 40, atEncrypted, int64(2)),
			columnRow(1, "phone", "varchar", 20, atAlias, "dbo.Phone"),
			columnRow(1, "twice", "int", 4, atComputed, "([id]*(2))", atPersisted, true),
			columnRow(1, "last4", "nvarchar", 8, atComputed, "(right([card],(4)))"),
			columnRow(2, "id", "int", 4, atNullable, false),
		},
		indexes: [][]any{
			{int64(1), int64(1), "PK_Odd", int64(2), "NONCLUSTERED", true, true, false, false, nil, false},
			{int64(1), int64(2), "UQ_Odd", int64(1), "CLUSTERED", true, false, true, false, nil, false},
			{int64(1), int64(3), "IX_Part", int64(2), "NONCLUSTERED", true, false, false, false, "([flag]=(1))", true},
			{int64(1), int64(4), "IX_Xml", int64(3), "XML", false, false, false, false, nil, false},
			{int64(1), int64(5), "IX_Off", int64(2), "NONCLUSTERED", false, false, false, true, nil, false},
			{int64(2), int64(1), "CCI", int64(5), "CLUSTERED COLUMNSTORE", false, false, false, false, nil, false},
		},
		indexColumns: [][]any{
			{int64(1), int64(1), "id", false, false}, {int64(1), int64(2), "uid", false, false},
			{int64(1), int64(3), "big", true, false}, {int64(1), int64(3), "d", false, true}, {int64(1), int64(4), "x", false, false},
			{int64(1), int64(5), "d", false, false}, {int64(2), int64(1), "id", false, true},
		},
		checks: [][]any{
			{int64(1), "CK_Big", "([big]>(0))", true, false}, {int64(1), "CK_Off", "([tiny]<(9))", true, true},
			{int64(1), "CK_Card", "(len([card])>(3))", false, false},
		},
		foreign: [][]any{
			{int64(2), int64(91), "FK_On", "Sales ]x[", "Odd [Table]", int64(1), int64(2), false, false},
			{int64(2), int64(92), "FK_Off", "Sales ]x[", "Odd [Table]", int64(0), int64(3), true, true},
		},
		foreignColumns: [][]any{{int64(91), "id", "id"}, {int64(92), "id", "id"}},
		sequences: [][]any{
			{"dbo", "Fresh", "int", "7", "1", "-2147483648", "2147483647", false, int64(50), "7", nil},
			{"dbo", "Used", "bigint", "1", "-2", "-9223372036854775808", "100", true, int64(1), "55", "55"},
		},
		types:    [][]any{{"dbo", "MyType", nil, int64(-1), int64(0), int64(0), true, false, true}, {"dbo", "Phone", "varchar", int64(20), int64(0), int64(0), false, false, false}},
		synonyms: [][]any{{"dbo", "Syn", "[Other].[dbo].[T]"}},
		modules: [][]any{
			{int64(70), "dbo", "fn", "FN", nil, nil, nil, true, true, "CREATE FUNCTION dbo.fn() RETURNS int AS BEGIN RETURN 1 END"},
			{int64(71), "dbo", "secret", "V", nil, nil, nil, true, true, nil},
			{int64(72), "dbo", "p", "P", nil, nil, nil, false, false, "CREATE PROCEDURE dbo.p AS SELECT \"x\""},
			{int64(73), "Sales ]x[", "trg", "TR", "Sales ]x[", "Odd [Table]", true, true, true, "CREATE TRIGGER trg ON [Sales ]]x[].[Odd [Table]]] FOR INSERT AS RETURN"},
		},
		others: [][]any{{"clr scalar function", "dbo", "clrf"}},
		listed: map[string][][]any{
			"credential": {{"", "blobs"}}, "full-text catalog": {{"", "ftc"}}, "grants": {{"dbo", "p"}},
			"partitioning": {{"dbo", "History"}}, "user": {{"", "reader"}},
		},
	}
}
